"""Local times of a source become FHIR times with the right offset, in every hour of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import times
from gateway.mapping.times import Unfit, instant, parts, to_date_time
from tests.mapping.maps import STOCKHOLM

MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1)).map(lambda d: d.replace(microsecond=0))  # noqa: DTZ001
ZONES = st.sampled_from([STOCKHOLM, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")])


@given(MOMENTS, ZONES)
def test_a_moment_written_locally_is_read_as_that_moment_or_its_twin(moment: datetime, zone: ZoneInfo) -> None:
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    marked: list[bool] = []
    found = parts(local.strftime("%Y%m%d%H%M%S").zfill(14), "yyyyMMddHHmmss")
    written = to_date_time(found, zone, lambda: marked.append(True))
    read = datetime.fromisoformat(written)
    assert read == instant(found, zone, lambda: None)
    said = moment.replace(tzinfo=UTC)
    assert read == said if not local.fold else read < said
    assert bool(marked) == (local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset())


@given(MOMENTS)
def test_a_local_time_either_occurs_or_is_refused(moment: datetime) -> None:
    occurs = moment.replace(tzinfo=STOCKHOLM).astimezone(UTC).astimezone(STOCKHOLM).replace(tzinfo=None) == moment
    try:
        to_date_time(parts(moment.isoformat()), STOCKHOLM, lambda: None)
    except Unfit:
        assert not occurs
    else:
        assert occurs


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("2026", None, "2026"),
        ("202602", None, "2026-02"),
        ("20260203", None, "2026-02-03"),
        ("2026020304", None, "2026-02-03T04:00:00+01:00"),
        ("202602030405", None, "2026-02-03T04:05:00+01:00"),
        ("20260203040506.789+0100", None, "2026-02-03T04:05:06.789+01:00"),
        ("2026-02-03T04:05:06Z", None, "2026-02-03T04:05:06Z"),
        ("2026-02-03 04:05", None, "2026-02-03T04:05:00+01:00"),
        ("3.2.26 4:05 pm", "d.M.yy h:mm a", "2026-02-03T16:05:00+01:00"),
        ("12:30 am 3/2/1985", "hh:mm a d/M/yyyy", "1985-02-03T00:30:00+01:00"),
        ("2026-02-03T04:05:06.123-0500", "yyyy-MM-ddTHH:mm:ss.SSSZ", "2026-02-03T04:05:06.123-05:00"),
        ("week 2026", "'week' yyyy", "2026"),
    ],
)
def test_times_are_read_as_they_are_written(text: str, pattern: str | None, found: str) -> None:
    assert to_date_time(parts(text, pattern), STOCKHOLM, lambda: None) == found


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("20250231", None),
        ("20260101250000", None),
        ("20260101006000", None),
        ("2026-1-1", None),
        ("x" * 65, None),
        ("2026", "yyyyMM"),
        ("20260203040506+2500", None),
        ("20260203040506+0175", None),
    ],
)
def test_what_is_no_time_is_refused(text: str, pattern: str | None) -> None:
    with pytest.raises(Unfit):
        to_date_time(parts(text, pattern), STOCKHOLM, lambda: None)


def test_a_format_that_names_a_part_twice_is_refused() -> None:
    with pytest.raises(Unfit):
        times.regex("yyyy yyyy")


def test_the_hour_that_occurs_twice_is_its_first() -> None:
    marked: list[bool] = []
    first = instant(parts("20261025023000"), STOCKHOLM, lambda: marked.append(True))
    assert first.utcoffset() == timedelta(hours=2)
    assert marked
    assert not first.fold
