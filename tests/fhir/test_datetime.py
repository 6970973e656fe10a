"""What stretch of time a FHIR date or time means."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.datetime import instant, span, text

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2024", utc(2024, 1, 1), utc(2025, 1, 1)),
        ("2024-02", utc(2024, 2, 1), utc(2024, 3, 1)),
        ("2024-12", utc(2024, 12, 1), utc(2025, 1, 1)),
        ("2024-02-29", utc(2024, 2, 29), utc(2024, 3, 1)),
        ("2024-02-29T10:00:00Z", utc(2024, 2, 29, 10), utc(2024, 2, 29, 10, 0, 1)),
        ("2024-02-29T10:00Z", utc(2024, 2, 29, 10), utc(2024, 2, 29, 10, 1)),
        ("2024-02-29T10:00:00.5+02:00", utc(2024, 2, 29, 8, 0, 0, 500000), utc(2024, 2, 29, 8, 0, 0, 600000)),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59), utc(2017, 1, 1)),
    ],
)
def test_a_partial_date_means_all_of_it(written: str, start: datetime, end: datetime) -> None:
    assert span(written) == (start, end)


def test_a_day_is_local_and_may_have_23_or_25_hours() -> None:
    assert span("2024-06-01", STOCKHOLM)[0] == utc(2024, 5, 31, 22)
    lengths = {day: span(day, STOCKHOLM)[1] - span(day, STOCKHOLM)[0] for day in ("2024-03-31", "2024-10-27")}
    assert lengths == {"2024-03-31": timedelta(hours=23), "2024-10-27": timedelta(hours=25)}


def test_a_time_without_zone_is_read_in_the_callers_zone() -> None:
    assert instant("2024-01-01T08:00:00", STOCKHOLM) == utc(2024, 1, 1, 7)


@pytest.mark.parametrize("written", ["0001", "0001-01-01", "9999", "9999-12-31", "9999-12-31T23:59:59.9+00:00"])
def test_the_ends_of_the_calendar_do_not_break(written: str) -> None:
    for zone in (UTC, STOCKHOLM, ZoneInfo("America/New_York")):
        start, end = span(written, zone)
        assert start < end


@pytest.mark.parametrize("written", ["", "2024-13", "2024-02-30", "yesterday", "2024-1-1", "2024-01-01T25:00:00Z"])
def test_what_is_no_date_is_a_value_error(written: str) -> None:
    with pytest.raises(ValueError):
        span(written)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_moment_lies_within_what_its_text_means(moment: datetime) -> None:
    start, end = span(text(moment))
    assert start <= moment < end
