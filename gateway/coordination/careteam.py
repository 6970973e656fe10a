"""The CareTeam follows from the Tasks: who has, or had, something in hand, and from when to when.

To accept brings a unit into the team; when its last task has ended it has left, and taking on another is a new period.

https://hl7.org/fhir/R4/careteam.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.agreements import Steps
from gateway.coordination.directory import Unit
from gateway.coordination.facts import TaskFact
from gateway.coordination.membership import Held, spans


@dataclass(frozen=True, slots=True)
class Member:
    """A unit's part in the team, from a time on; open without an end."""

    unit: Unit
    start: datetime
    end: datetime | None


def members(tasks: Iterable[TaskFact], steps: Steps) -> list[Member]:
    """Who takes part, by when they came and by name; a member who left and came back stands twice."""
    facts = list(tasks)
    units = {turn.owner.key: turn.owner for task in facts for turn in task.turns if turn.owner}
    found = [
        Member(units[key], span.start, span.end)
        for key, times in spans((_life(task) for task in facts), steps).items()
        for span in times
    ]
    return sorted(found, key=lambda member: (member.start, member.unit.name, member.unit.key))


def _life(task: TaskFact) -> Iterator[Held]:
    return (Held(turn.status, turn.start, turn.owner.key if turn.owner else None) for turn in task.turns)
