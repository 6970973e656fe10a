"""How values are written: what is remembered of a moment is never another moment's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from gateway.coordination.values import written

SWEDEN = ZoneInfo("Europe/Stockholm")


def test_the_two_moments_of_the_hour_that_occurs_twice_are_written_apart() -> None:
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=SWEDEN)
    assert written(twice) == "2026-10-25T02:30:00+02:00"
    assert written(twice.replace(fold=1)) == "2026-10-25T02:30:00+01:00"


def test_a_moment_is_written_in_one_way_whatever_offset_it_was_read_with() -> None:
    moment = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    others = [moment.astimezone(timezone(timedelta(hours=hours))) for hours in (-5, 1, 14)]
    assert {written(one) for one in (moment, *others)} == {"2026-03-01T09:00:00+01:00"}
