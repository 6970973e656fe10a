"""Visits to the person's home that are yet to be made, whether told as a Task or as an Encounter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.directory import Unit
from gateway.coordination.facts import Fact, TaskFact
from gateway.coordination.picture import Picture

_AWAITED = frozenset({"requested", "received", "accepted", "ready"})


@dataclass(frozen=True, slots=True)
class Visit:
    """Who comes, and when."""

    fact: Fact
    unit: Unit
    start: datetime
    codes: frozenset[str]


def visits(picture: Picture) -> list[Visit]:
    """The visits that are planned, in order of time."""
    found = [
        Visit(task, task.owner, task.start, task.codes)
        for task in picture.of("visits")
        if task.owner and task.start and task.status in _AWAITED
    ]
    found += [
        Visit(contact, contact.unit, contact.start, contact.codes)
        for contact in picture.contacts
        if contact.code in picture.agreement.codes["athome"] and contact.status == "planned"
        if contact.unit and contact.start
    ]
    return sorted(found, key=lambda visit: (visit.start, visit.unit.key, visit.fact.reference))


def report_due(picture: Picture, task: TaskFact) -> datetime | None:
    """When a planned visit should have been reported: some hours after it, if its source has been heard since."""
    if task.code not in picture.agreement.codes["visits"] or task.start is None or task.start < picture.since:
        return None
    if task.status not in ("accepted", "ready"):
        return None
    due = (task.end or task.start) + picture.agreement.visits_late
    heard = [one.last for source in task.contributors if (one := picture.heard_of(source)) and one.last]
    return due if heard and max(heard) >= due else None
