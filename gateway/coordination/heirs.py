"""What a Task passes on to the heir of a unit that has closed: as the gateway states it, and as the Task tells it.

The directory says when a unit closed and who took over. That its open Tasks are the heir's from the day after is a
statement of the gateway's own about each of them, so that it has its place among the facts, and can be taken back. It
names the closed unit as the Task does. ADR 50
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.values import instant, reference_key, written
from gateway.definitions import CANONICAL
from gateway.records import Resource, Statement

PASSED_ON: Final = f"{CANONICAL}/StructureDefinition/task-passed-on"
OWNER, REQUESTER, RECIPIENT = "owner", "requester", "restriction.recipient"
PARTIES: Final = (OWNER, REQUESTER, RECIPIENT)
"""The elements in which a Task names its parties."""
Reference = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Passing:
    """From when on a unit's heir stands for it."""

    closed: Reference
    heir: Reference
    since: datetime

    @property
    def closed_key(self) -> str:
        return str(reference_key(self.closed))

    @property
    def heir_key(self) -> str:
        return str(reference_key(self.heir))


def is_passing(one: Statement) -> bool:
    """Whether the gateway states by it that something passes to an heir: it says nothing else of a Task."""
    return one.source == GATEWAY_SOURCE and one.resource_type == "Task"


def stated(passing: Passing) -> Resource:
    """The content of the statement."""
    return {"resourceType": "Task", "extension": [_extension(passing, ())]}


def passing_of(one: Statement) -> Passing:
    """What a statement that `is_passing` says."""
    passing = _read(one.body["extension"][0])
    assert passing is not None, "It was written by this module."
    return passing


def passings_in(task: Resource) -> Iterator[tuple[Passing, tuple[str, ...]]]:
    """What a Task tells of having passed on, with the elements that name another for it.

    What the operator wrote there himself tells nothing where it lacks something.
    """
    for extension in task.get("extension", ()):
        if extension.get("url") == PASSED_ON and (passing := _read(extension)) is not None:
            parts = extension["extension"]
            yield passing, tuple(part["valueCode"] for part in parts if "valueCode" in part)


def parties(task: Resource) -> Iterator[tuple[str, Reference]]:
    """The parties that a Task names, each with the element that does."""
    for element in (OWNER, REQUESTER):
        if element in task:
            yield element, task[element]
    for recipient in task.get("restriction", {}).get("recipient", ()):
        yield RECIPIENT, recipient


def inherited(task: Resource, passings: Iterable[tuple[Passing, bool]]) -> Resource:
    """The Task with heirs for those who asked and may take it, and with what passed on. `bool`: the owner has changed.

    The owner is part of the Task's life, and follows from that.
    """
    given = sorted(passings, key=lambda one: (one[0].since, one[0].closed_key))
    heirs = {one.closed_key: one for one, _ in given}
    met: dict[str, set[str]] = {one.closed_key: {OWNER} if owner else set() for one, owner in given}

    def heir_of(element: str, reference: Reference) -> Reference:
        seen: set[str] = set()
        while (key := str(reference_key(reference))) in heirs and key not in seen:
            seen.add(key)
            met[key].add(element)
            reference = heirs[key].heir
        return reference

    made = _with(task, heir_of, but=OWNER)
    told = [(one, sorted(met[one.closed_key])) for one, _ in given if met[one.closed_key]]
    if not told:
        return task
    made["extension"] = [*made.get("extension", ()), *(_extension(one, elements) for one, elements in told)]
    last = max(one.since for one, _ in told)
    if (modified := instant(made.get("lastModified"))) is not None and modified < last:
        made["lastModified"] = written(last)
    return made


def as_named(task: Resource, stored: Resource) -> Resource:
    """A command's Task with the parties that it leaves as they are stored named as they were before they closed.

    Whom it means by them is the heir for as long as the directory says so, and whom it was again if that was wrong.
    """
    back = {(element, one.heir_key): one.closed for one, elements in passings_in(stored) for element in elements}
    if not back:
        return task
    left = {(element, reference_key(reference)) for element, reference in parties(stored)}

    def named(element: str, reference: Reference) -> Reference:
        if (element, reference_key(reference)) not in left:
            return reference
        seen: set[str] = set()
        while (place := (element, str(reference_key(reference)))) in back and place[1] not in seen:
            seen.add(place[1])
            reference = back[place]
        return reference

    return _with(task, named)


def _with(task: Resource, change: Any, *, but: str = "") -> Resource:
    made = dict(task)
    for element in (OWNER, REQUESTER):
        if element in task and element != but:
            made[element] = change(element, task[element])
    recipients: Sequence[Reference] = task.get("restriction", {}).get("recipient", ())
    if recipients:
        made["restriction"] = task["restriction"] | {"recipient": [change(RECIPIENT, one) for one in recipients]}
    return made


def _extension(passing: Passing, elements: Iterable[str]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"url": "closed", "valueReference": dict(passing.closed)},
        {"url": "heir", "valueReference": dict(passing.heir)},
        {"url": "since", "valueDateTime": written(passing.since)},
    ]
    return {"url": PASSED_ON, "extension": [*parts, *({"url": "element", "valueCode": one} for one in elements)]}


def _read(extension: Mapping[str, Any]) -> Passing | None:
    parts = {part.get("url"): part for part in extension.get("extension", ())}
    closed, heir = (parts.get(name, {}).get("valueReference") for name in ("closed", "heir"))
    since = instant(parts.get("since", {}).get("valueDateTime"))
    return None if closed is None or heir is None or since is None else Passing(closed, heir, since)
