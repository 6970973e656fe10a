"""The CareTeam follows from the Tasks: who has, or had, something in hand, and from when to when.

To accept brings a unit into the team; when its last task has ended it has left, and taking on another is a new period.

https://hl7.org/fhir/R4/careteam.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.agreements import Steps
from gateway.coordination.directory import Unit
from gateway.coordination.facts import TaskFact


@dataclass(frozen=True, slots=True)
class Member:
    """A unit's part in the team, from a time on; open without an end."""

    unit: Unit
    start: datetime
    end: datetime | None


def members(tasks: Iterable[TaskFact], steps: Steps) -> list[Member]:
    """Who takes part, by when they came and by name; a member who left and came back stands twice."""
    spans: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    units: dict[str, Unit] = {}
    for task in tasks:
        for unit, start, end in _hands(task, steps):
            units[unit.key] = unit
            spans[unit.key].append((start, end))
    found = [Member(units[key], *span) for key in units for span in _joined(spans[key])]
    return sorted(found, key=lambda member: (member.start, member.unit.name, member.unit.key))


def _hands(task: TaskFact, steps: Steps) -> Iterable[tuple[Unit, datetime, datetime | None]]:
    """Whose hands the Task was in, and when."""
    unit: Unit | None = None
    start: datetime | None = None
    for turn in task.turns:
        stays = unit is not None and turn.owner is not None and turn.owner.key == unit.key
        holds = turn.status in steps.held or (turn.status == "on-hold" and stays)
        if unit is not None and start is not None and not (holds and stays):
            yield unit, start, turn.start
            unit = start = None
        if holds and unit is None and turn.owner is not None:
            unit, start = turn.owner, turn.start
    if unit is not None and start is not None:
        yield unit, start, None


def _joined(spans: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime | None]]:
    """Spans that touch or overlap as one."""
    joined: list[tuple[datetime, datetime | None]] = []
    for start, end in sorted(spans, key=lambda span: span[0]):
        if joined and (joined[-1][1] is None or start <= joined[-1][1]):
            before = joined[-1]
            last = None if before[1] is None or end is None else max(before[1], end)
            joined[-1] = (before[0], last)
        else:
            joined.append((start, end))
    return joined
