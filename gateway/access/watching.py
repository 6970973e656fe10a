"""What is missing is raised as a DetectedIssue when it begins, and resolved when it ends; and closed units have heirs.

The change log says of whom something has changed, the watch when to look though nothing has. Raised gaps are statements
of the gateway like any other, so that they have a history, are found by search, and `rebuild` proves them. So is what
passes to an heir on the day on which he takes over (succeeding.py). docs/gaps.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import structlog

from gateway.access.answers import Told, names, own_patient
from gateway.access.reading import heard_by_all
from gateway.access.succeeding import TASK, Succeeding
from gateway.access.worklists import hsa_ids
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.gap import Gap
from gateway.coordination.issue import issue
from gateway.coordination.see import begins, missing
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make, order
from gateway.coordination.values import FIRST, logical_reference, written
from gateway.definitions import CANONICAL
from gateway.records import Resource, Statement
from gateway.store import Change, Stored, UnitOfWork

log = structlog.get_logger(__name__)

CHANGES = 500
PERSONS = 20
"""At so many a step looks: SQLite's one writer is not held for long."""
SILENT_LEAST, SILENT_PART = timedelta(minutes=1), 100
"""A source that is silent may be heard again without a word about the person: that is looked for after a minute, and
the longer it was silent the more seldom, or all persons that it ever spoke of would be looked at every minute."""
AGAIN = timedelta(hours=1)
"""A person at whom nobody could look is looked at then: the others must not wait for him."""
GAP_ID = f"{CANONICAL}/sid/gap"
_ALONE = f"{TASK}/"
"""How the key of a Task begins that is about nobody, where a person's stands else."""
_ENDED = "Sources show it no more / Källorna visar det inte längre"


class Watching(Succeeding):
    """watch, and whether there is anything to watch."""

    def has_to_watch(self, uow: UnitOfWork, seq: int, now: datetime) -> bool:
        """Whether a step would find anything: a change that was not read, or a person whose time has come."""
        return uow.changes.behind(seq) or bool(uow.watch.due(now, limit=1))

    def watch(self, uow: UnitOfWork, seq: int) -> tuple[int, int, bool]:
        """One step: read what has changed since, look at the persons whose time has come.

        The last change that is read now, at how many persons was looked, and whether more wait.
        """
        uow.changes.number()
        changes = uow.changes.after(seq, limit=CHANGES)
        uow.watch.expect(dict.fromkeys(self._concerned(uow, changes), uow.now))
        due = uow.watch.due(uow.now, limit=PERSONS)
        uow.lock(due)
        uow.watch.expect({person: self._watch_over(uow, person) for person in due})
        last = changes[-1].seq if changes else seq
        return last, len(due), len(changes) == CHANGES or len(due) == PERSONS

    def _concerned(self, uow: UnitOfWork, changes: Sequence[Change]) -> set[str]:
        """The persons whose gaps may be others now: those told of, and those in whose care a changed unit takes part.

        Beside them the Tasks about nobody that may be others now.
        """
        persons = {one.person for one in changes if one.person and one.resource_type != "DetectedIssue"}
        persons |= {one.id for one in changes if one.resource_type == "Patient"}  # A person who is found to be another.
        persons |= {_ALONE + one.id for one in changes if one.resource_type == TASK and not one.person}
        keys = [("Organization", one.id) for one in changes if one.resource_type == "Organization"]
        if keys:
            units = [one.resource() for one in uow.resources.read_many(keys).values() if not one.deleted]
            persons |= uow.persons.in_care_of({id for one in units for id in hsa_ids(one)})
            persons |= {_ALONE + id for id in self.alone(uow, units)}
        return persons

    def _watch_over(self, uow: UnitOfWork, person: str) -> datetime | None:
        """Pass on what closed units had, raise what has begun, resolve what has ended; when to look again."""
        if person.startswith(_ALONE):
            return self.pass_on_alone(uow, person.removeprefix(_ALONE))
        patient = own_patient(uow, person)
        found: list[Gap] = []
        again: datetime | None = None
        if patient is not None and patient.id == person:
            told = self.said(uow, patient, uow.now, begins(uow.now))
            units = self.units_named(uow, names(told.statements, told.past).every, uow.now)
            # What is over may have passed on before it ended.
            if _names_a_closed_unit(told, Directory(units), uow.now):
                told = self.said(uow, patient, uow.now, FIRST)
            told.statements.extend(self.pass_on(uow, person, told.statements, units))
            look = self._gaps_now(uow, patient, told, units)
            try:
                found, again = look()
            except Exception as error:
                log.error("gap-watch-passed-over", error=type(error).__name__)
                return uow.now + AGAIN
        # Who is gone, or was found to be another, has no gaps under this key.
        self._record(uow, person, {gap.key: gap for gap in found})
        silent = [gap.since for gap in found if gap.code == "source-silent" and gap.since is not None]
        return min([*([again] if again else []), *(_heard_by(since, uow.now) for since in silent)], default=None)

    def _gaps_now(
        self,
        uow: UnitOfWork,
        patient: Stored,
        told: Told,
        units: Sequence[Resource],
    ) -> Callable[[], tuple[list[Gap], datetime | None]]:
        """What says what is missing by what everybody in the care may hear, and when to look again: all is read.

        What is withheld from anybody raises no gap that is stored: others would see by it that something is there.
        """
        now = uow.now
        said = heard_by_all(told.statements)
        things = {one.resource_id for one in said}
        named = names(said, told.past)
        speaking = {one.source for one in said}.union(one.source for one in told.past)
        return partial(
            missing,
            patient.resource(),
            said,
            at=now,
            links=uow.links.of(sorted(things | set(told.patients)), known_at=now),
            organisations=units,
            heard=self.heard(uow, speaking, named.every, now),
            known=uow.identifiers.find(named.awaited),
        )

    def _record(self, uow: UnitOfWork, person: str, found: Mapping[str, Gap]) -> None:
        """Say what is new of the person's gaps."""
        raised, namespace = _raised(uow, person), uow.meta.namespace()
        said = [
            _raise(person, gap, raised.get(key), uow.now, _id(namespace, person, key)) for key, gap in found.items()
        ]
        said += [_resolved(one, uow.now) for key, one in raised.items() if key not in found and _is_open(one.body)]
        if new := [one for one in said if one is not None]:
            self._rooms.recorder.record(uow, new)


def _raise(person: str, gap: Gap, before: Statement | None, now: datetime, id: str) -> Statement | None:
    """The gap as it is; None where it was said so already. What lasts began when it began."""
    lasting = before is not None and _is_open(before.body)
    start = before.body["identifiedPeriod"]["start"] if before is not None and lasting else written(began(gap, now))
    body = issue(gap, {"reference": f"Patient/{person}", "type": "Patient"}, "", _named)
    body |= {"identifier": [{"system": GAP_ID, "value": id}], "identifiedPeriod": {"start": start}}
    if before is not None and lasting and before.body == body:
        return None
    return _stated(body | {"id": id}, person, gap.key, now)


def _heard_by(silent_since: datetime, now: datetime) -> datetime:
    """When to look whether a silent source was heard."""
    return now + max(SILENT_LEAST, (now - silent_since) / SILENT_PART)


def began(gap: Gap, now: datetime) -> datetime:
    """When it became a gap: when the time was up, else when what is missing began to be so."""
    told = gap.due if gap.due is not None and gap.due <= now else gap.since
    return min(told, now) if told is not None else now


def _names_a_closed_unit(told: Told, directory: Directory, now: datetime) -> bool:
    """Whether anybody who is named in what is over has closed."""
    named = {(system, value) for one in told.past for _, system, value in one.keys}
    return any(directory.has_closed({"identifier": {"system": s, "value": v}}, now) for s, v in sorted(named))


def _raised(uow: UnitOfWork, person: str) -> dict[str, Statement]:
    """What the gateway said last of each gap of the person."""
    said = uow.statements.of_person(person, resource_types=["DetectedIssue"])
    said = [one for one in said if one.source == GATEWAY_SOURCE]
    return {one.record_key: one for one in sorted(said, key=order)}


def _id(namespace: UUID, person: str, key: str) -> str:
    return str(uuid5(namespace, f"gap|{person}|{key}"))


def _is_open(body: Resource) -> bool:
    return "end" not in body.get("identifiedPeriod", {})


def _resolved(one: Statement, now: datetime) -> Statement:
    """The gap as it was, ended: R4 has no status for it, a period and what was done about it."""
    body = dict(one.body)
    body["identifiedPeriod"] = body["identifiedPeriod"] | {"end": written(now)}
    body["mitigation"] = [{"action": {"text": _ENDED}, "date": written(now)}]
    return _stated(body | {"id": one.resource_id}, str(one.person), one.record_key, now)


def _stated(body: Resource, person: str, key: str, now: datetime) -> Statement:
    return make(body=body, origin=Origin(GATEWAY_SOURCE), record_key=key, person=person, effective=now, recorded=now)


def _named(unit: Unit) -> dict[str, Any]:
    return logical_reference("Organization", unit.key, unit.name)
