"""Lanes over time: which steps of the width an item takes.

Positions are classes of a style sheet, because the content security policy forbids styles in the page itself. An item
takes the steps of its label at least; the bar in it shows its true length. What would overlap moves down a row: CSS
grid sees to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

STEPS = 240
"""The parts into which the width is divided: with seventeen days, an hour and three quarters each."""
STEPS_A_CHARACTER = 1.62
"""How much of the width a letter of a label takes on a wide screen; on a narrower one labels end in an ellipsis."""
AHEAD_LEAST, AHEAD_MOST = timedelta(days=2), timedelta(days=8)


class Item(Protocol):
    """What is placed."""

    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime | None: ...
    @property
    def state(self) -> str: ...


T = TypeVar("T", bound=Item)


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """An item with its place: `left` and `width` of the whole, `bar_left` and `bar_width` of the bar within it."""

    item: T
    label: str
    left: int
    width: int
    bar_left: int
    bar_width: int
    rest_width: int
    """What follows after the moment that is shown, as far as anybody knows."""
    from_before: bool

    @property
    def flipped(self) -> bool:
        """Whether the label ends where the bar does, for want of room to its right."""
        return self.bar_left > 0


@dataclass(frozen=True, slots=True)
class Day:
    """A day's column."""

    moment: datetime
    left: int
    width: int
    weekend: bool


class Window:
    """The days that are shown, and the steps of a time within them."""

    def __init__(self, since: datetime, at: datetime, items: Iterable[Item], zone: ZoneInfo) -> None:
        coming = [item.start for item in items if at < item.start <= at + AHEAD_MOST]
        last = max([at + AHEAD_LEAST, *coming])
        self.zone = zone
        self.at = at
        self.start = _midnight(since.astimezone(zone))
        self.end = _midnight(last.astimezone(zone) + timedelta(days=1))

    def step(self, moment: datetime) -> int:
        """The step at which a time falls, from 0 to STEPS."""
        part = (moment - self.start) / (self.end - self.start)
        return min(STEPS, max(0, round(part * STEPS)))

    def place(self, item: T, label: str) -> Placed[T] | None:
        """The place of an item; None where it lies outside."""
        end = item.end or self._open_end(item)
        if item.start >= self.end or end < self.start:
            return None
        begin = min(self.step(item.start), STEPS - 1)
        done = max(self.step(min(end, max(self.at, item.start)) if item.state == "now" else end) - begin, 1)
        rest = max(self.step(end) - begin - done, 0)
        width = min(STEPS, max(done + rest, round(len(label) * STEPS_A_CHARACTER) + 3))
        left = min(begin, STEPS - width)
        return Placed(item, label, left, width, begin - left, done, rest, item.start < self.start)

    def _open_end(self, item: Item) -> datetime:
        """Until when something without an end is shown: what goes on, to the edge; a question, to this moment."""
        return {"now": self.end, "asked": max(self.at, item.start)}.get(item.state, item.start)

    def days(self) -> Sequence[Day]:
        found = []
        day = self.start
        while day < self.end:
            after = _midnight(day + timedelta(days=1))
            left = self.step(day)
            found.append(Day(day, left, max(1, self.step(after) - left), day.weekday() >= 5))
            day = after
        return found

    @property
    def now(self) -> int:
        return min(self.step(self.at), STEPS - 1)


@cache
def stylesheet() -> str:
    """Every place that there can be."""
    lines = [f".track,.days{{grid-template-columns:repeat({STEPS},minmax(0,1fr))}}"]
    lines += [f".s{n}{{grid-column-start:{n + 1}}}" for n in range(STEPS)]
    lines += [f".w{n}{{grid-column-end:span {n}}}" for n in range(1, STEPS + 1)]
    return "\n".join(lines) + "\n"


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
