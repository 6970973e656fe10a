"""How much one range takes: more while a backlog is worked through and nobody else wants to write."""

from __future__ import annotations

from dataclasses import dataclass, field

FEWEST = 200
MOST = 1600
MAPPING = 0.5 / FEWEST
"""Seconds of mapping for each item that a range may hold: it ends early only where items are slow to map."""
QUICK = 2.0
"""Seconds within which a range must be committed for the next one to be twice as large."""
SLOW = 2
"""How many times longer than that makes the next one half as large."""
CALM = 30.0
"""Seconds that ranges stay small after somebody had to wait: who writes once will write again."""


@dataclass(slots=True)
class Pace:
    """The size of the next range, for one process.

    A range costs some 30 statements, and each page of an index that it touches is written once, however few its items;
    what several of its records say of one thing is agreed on once. But others' writes wait for its end, on SQLite all.
    So it doubles while ranges are full and quick and nobody waits; somebody who waits makes it small for a while.
    """

    fewest: int = FEWEST
    most: int = MOST
    quick: float = QUICK
    items: int = field(init=False)
    _small_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.items = self.fewest

    @property
    def seconds(self) -> float:
        """How long the next range may be mapped."""
        return self.items * MAPPING

    def took(self, items: int, seconds: float, *, waited: bool, at: float) -> None:
        """A range of so many items was committed in this time, just now; `waited`: somebody else had to write.

        `at` is the monotonic clock.
        """
        if waited:
            self.items, self._small_until = self.fewest, at + CALM
        elif seconds > SLOW * self.quick:
            self.items = max(self.fewest, self.items // 2)
        elif items >= self.items and seconds <= self.quick and at >= self._small_until:
            self.items = min(self.most, 2 * self.items)
