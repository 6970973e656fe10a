"""Which moment a FHIR date or time begins with."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.fhir.datetime import instant, parameter, text

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "begins"),
    [
        ("2024", utc(2024, 1, 1)),
        ("2024-02", utc(2024, 2, 1)),
        ("2024-02-29", utc(2024, 2, 29)),
        ("2024-02-29T10:00:00Z", utc(2024, 2, 29, 10)),
        ("2024-02-29T10:00Z", utc(2024, 2, 29, 10)),
        ("2024-02-29T10:00:00.5+02:00", utc(2024, 2, 29, 8, 0, 0, 500000)),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59)),
    ],
)
def test_a_partial_date_begins_with_its_first_moment(written: str, begins: datetime) -> None:
    assert instant(written) == begins


def test_a_time_without_zone_is_read_in_the_callers_zone() -> None:
    assert instant("2024-01-01T08:00:00", STOCKHOLM) == utc(2024, 1, 1, 7)
    assert instant("2024-06-01", STOCKHOLM) == utc(2024, 5, 31, 22)


@pytest.mark.parametrize("written", ["0001", "0001-01-01", "9999", "9999-12-31", "9999-12-31T23:59:59.9+00:00"])
def test_the_ends_of_the_calendar_do_not_break(written: str) -> None:
    for zone in (UTC, STOCKHOLM, ZoneInfo("America/New_York")):
        assert instant(written, zone).tzinfo is UTC


@pytest.mark.parametrize("written", ["", "2024-13", "2024-02-30", "yesterday", "2024-1-1", "2024-01-01T25:00:00Z"])
def test_what_is_no_date_is_a_value_error(written: str) -> None:
    with pytest.raises(ValueError):
        instant(written)


def test_a_plus_that_was_not_encoded_in_a_url_is_still_a_plus() -> None:
    assert parameter("at", "2024-01-01T08:00:00 01:00", UTC) == utc(2024, 1, 1, 7)


def test_a_parameter_that_is_no_time_is_refused_by_its_name() -> None:
    with pytest.raises(BadRequest) as refusal:
        parameter("known-at", "soon", UTC)
    assert refusal.value.issues[0].where == "known-at"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_what_is_written_is_read_as_the_same_millisecond(moment: datetime) -> None:
    assert moment - instant(text(moment)) < timedelta(milliseconds=1)
    assert text(instant(text(moment))) == text(moment)
