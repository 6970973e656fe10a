"""Where an item of a lane is put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.lanes import STEPS, Window, stylesheet

SWEDEN = ZoneInfo("Europe/Stockholm")
AT = datetime(2026, 3, 12, 14, 30, tzinfo=SWEDEN)
SINCE = AT - timedelta(days=14)


@dataclass(frozen=True)
class Thing:
    start: datetime
    end: datetime | None = None
    state: str = "past"


def window(*items: Thing) -> Window:
    return Window(SINCE, AT, items, SWEDEN)


def test_the_days_begin_with_the_day_of_since_and_reach_past_the_moment() -> None:
    days = window().days()
    assert days[0].moment.isoformat() == "2026-02-26T00:00:00+01:00"
    assert days[-1].moment.date() == (AT + timedelta(days=2)).date()
    assert sum(day.width for day in days) == STEPS


def test_what_is_planned_within_a_week_widens_the_days() -> None:
    soon, late = Thing(AT + timedelta(days=6), state="coming"), Thing(AT + timedelta(days=40), state="coming")
    assert window(soon, late).end.date() == (AT + timedelta(days=7)).date()
    assert window(soon, late).place(late, "later") is None


def test_what_goes_on_is_solid_until_the_moment_and_open_after_it() -> None:
    days = window()
    placed = days.place(Thing(AT - timedelta(days=1), state="now"), "x")
    assert placed is not None
    assert placed.left + placed.bar_left + placed.bar_width == days.step(AT)
    assert placed.left + placed.bar_left + placed.bar_width + placed.rest_width == STEPS


def test_a_question_waits_until_the_moment_that_is_shown() -> None:
    days = window()
    placed = days.place(Thing(AT - timedelta(days=1), state="asked"), "x")
    assert placed is not None
    assert placed.left + placed.bar_left + placed.bar_width == days.step(AT)
    assert placed.rest_width == 0


def test_a_label_without_room_to_the_right_ends_at_the_edge() -> None:
    placed = window().place(Thing(AT + timedelta(days=2), state="coming"), "a label of some length")
    assert placed is not None
    assert placed.flipped
    assert placed.left + placed.width == STEPS


moments = st.integers(-100, 100).map(lambda days: AT + timedelta(days=days, minutes=days * 37))


@given(moments, st.none() | moments, st.sampled_from(["past", "now", "coming", "asked", "not"]), st.text(max_size=80))
def test_nothing_is_put_outside_the_width(start: datetime, end: datetime | None, state: str, label: str) -> None:
    thing = Thing(start, None if end is None else max(start, end), state)
    placed = window(thing).place(thing, label)
    if placed is None:
        return
    assert placed.left >= 0
    assert placed.width >= 1
    assert placed.left + placed.width <= STEPS
    assert placed.bar_width >= 1
    assert placed.bar_left + placed.bar_width + placed.rest_width <= placed.width


def test_every_place_has_its_rule() -> None:
    rules = stylesheet()
    assert ".s0{" in rules
    assert f".s{STEPS - 1}{{" in rules
    assert f".w{STEPS}{{" in rules
