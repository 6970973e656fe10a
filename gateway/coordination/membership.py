"""Who takes part by a Task, and when: from the acceptance until it has left the owner's hands, by the table of steps.

To be asked is not to take part, and neither is to refuse. To take on again what was over begins a new period.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.agreements import Steps


@dataclass(frozen=True, slots=True)
class Held:
    """A status from a time on, in whose hands: one turn in the life of a Task."""

    status: str
    start: datetime
    owner: str | None
    """The key of the owner."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time of taking part; open without an end."""

    start: datetime
    end: datetime | None


def spans(lives: Iterable[Iterable[Held]], steps: Steps) -> dict[str, list[Span]]:
    """The times at which each owner took part by any of the Tasks, in order of time.

    One Task in hand keeps a member whatever becomes of the others; one that is over keeps nobody.
    """
    found: dict[str, list[Span]] = defaultdict(list)
    for life in lives:
        for owner, span in _hands(life, steps):
            found[owner].append(span)
    return {owner: _joined(times) for owner, times in found.items()}


def _hands(life: Iterable[Held], steps: Steps) -> Iterator[tuple[str, Span]]:
    """Whose hands one Task was in, and when."""
    owner: str | None = None
    start: datetime | None = None
    for turn in life:
        goes_on = owner is not None and turn.status in steps.stays
        # Who takes it over from one who has it has accepted it, though it may wait until he begins.
        joins = turn.status in steps.joins or goes_on
        if owner is not None and start is not None and not (goes_on and turn.owner == owner):
            yield owner, Span(start, turn.start)
            owner = start = None
        if owner is None and turn.owner is not None and joins:
            owner, start = turn.owner, turn.start
    if owner is not None and start is not None:
        yield owner, Span(start, None)


def _joined(times: Iterable[Span]) -> list[Span]:
    """Spans that touch or overlap as one."""
    joined: list[Span] = []
    for span in sorted(times, key=lambda span: span.start):
        before = joined[-1] if joined else None
        if before is not None and (before.end is None or span.start <= before.end):
            last = None if before.end is None or span.end is None else max(before.end, span.end)
            joined[-1] = Span(before.start, last)
        else:
            joined.append(span)
    return joined
