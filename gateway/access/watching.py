"""What is missing is raised as a DetectedIssue when it begins, and resolved when it ends.

The change log says of whom something has changed, the watch when to look though nothing has. Raised gaps are statements
of the gateway like any other, so that they have a history, are found by search, and `rebuild` proves them. docs/gaps.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import structlog

from gateway.access.answers import Answers, own_patient
from gateway.access.reading import heard_by_all
from gateway.coordination.agree import wanted
from gateway.coordination.directory import Unit
from gateway.coordination.gap import Gap
from gateway.coordination.issue import issue
from gateway.coordination.see import missing
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make, order
from gateway.coordination.values import logical_reference, written
from gateway.definitions import CANONICAL
from gateway.errors import GatewayError
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.store import Change, UnitOfWork

log = structlog.get_logger(__name__)

CHANGES = 500
PERSONS = 20
"""At so many a step looks: SQLite's one writer is not held for long."""
SILENT = timedelta(minutes=1)
"""A source that is silent may be heard again without a word about the person."""
AGAIN = timedelta(hours=1)
"""A person at whom nobody could look is looked at then: the others must not wait for him."""
GAP_ID = f"{CANONICAL}/sid/gap"
_ENDED = "Källorna visar det inte längre / The sources show it no more"


class Watching(Answers):
    """watch."""

    def watch(self, uow: UnitOfWork, seq: int) -> tuple[int, int, bool]:
        """One step: read what has changed since, look at the persons whose time has come.

        The last change that is read now, at how many persons was looked, and whether more wait.
        """
        uow.changes.number()
        changes = uow.changes.after(seq, limit=CHANGES)
        uow.watch.expect(dict.fromkeys(_concerned(uow, changes), uow.now))
        due = uow.watch.due(uow.now, limit=PERSONS)
        uow.lock(due)
        uow.watch.expect({person: self._watch_over(uow, person) for person in due})
        last = changes[-1].seq if changes else seq
        return last, len(due), len(changes) == CHANGES or len(due) == PERSONS

    def _watch_over(self, uow: UnitOfWork, person: str) -> datetime | None:
        """Raise what has begun, resolve what has ended; when to look again."""
        try:
            seen = self._gaps_now(uow, person)
        except GatewayError:
            raise
        except Exception as error:
            log.error("gap-watch-passed-over", error=type(error).__name__)
            return uow.now + AGAIN
        if seen is None:
            return None
        patient, gaps, again = seen
        raised, namespace = _raised(uow, person), uow.meta.namespace()
        found = {gap.key: gap for gap in gaps}
        said = [
            _raise(person, patient, gap, raised.get(key), uow.now, _id(namespace, person, key))
            for key, gap in found.items()
        ]
        said += [_resolved(one, uow.now) for key, one in raised.items() if key not in found and _is_open(one.body)]
        new = [one for one in said if one is not None]
        if new:
            self._rooms.recorder.record(uow, new)
        if any(gap.code == "source-silent" for gap in gaps):
            again = min(again, uow.now + SILENT) if again else uow.now + SILENT
        return again

    def _gaps_now(self, uow: UnitOfWork, person: str) -> tuple[str, list[Gap], datetime | None] | None:
        """The person's Patient, what is missing now by what everybody in the care may hear, and when to look again.

        What is withheld from anybody raises no gap that is stored: others would see by it that something is there.
        """
        patient, now = own_patient(uow, person), uow.now
        if patient is None:
            return None
        every, ids = self.said(uow, patient, now)
        said = heard_by_all(every)
        things = {one.resource_id for one in said}
        found, again = missing(
            patient.resource(),
            said,
            at=now,
            links=uow.links.of(sorted(things | set(ids)), known_at=now),
            organisations=self.units_named(uow, said, now),
            heard=self.heard(uow, said, now),
            known=uow.identifiers.find(wanted(said)),
        )
        return patient.id, found, again


def _raise(person: str, patient: str, gap: Gap, before: Statement | None, now: datetime, id: str) -> Statement | None:
    """The gap as it is; None where it was said so already. What lasts began when it began."""
    lasting = before is not None and _is_open(before.body)
    start = before.body["identifiedPeriod"]["start"] if before is not None and lasting else written(began(gap, now))
    body = issue(gap, {"reference": f"Patient/{patient}", "type": "Patient"}, "", _named)
    body |= {"identifier": [{"system": GAP_ID, "value": id}], "identifiedPeriod": {"start": start}}
    if before is not None and lasting and before.body == body:
        return None
    return _stated(body | {"id": id}, person, gap.key, now)


def began(gap: Gap, now: datetime) -> datetime:
    """When it became a gap: when the time was up, else when what is missing began to be so."""
    told = gap.due if gap.due is not None and gap.due <= now else gap.since
    return min(told, now) if told is not None else now


def _concerned(uow: UnitOfWork, changes: Sequence[Change]) -> set[str]:
    """The persons whose gaps may be others now: those told of, and those in whose care a changed unit takes part."""
    persons = {one.person for one in changes if one.person and one.resource_type != "DetectedIssue"}
    units = [("Organization", one.id) for one in changes if one.resource_type == "Organization"]
    if units:
        stored = uow.resources.read_many(units).values()
        persons |= uow.persons.in_care_of({id for one in stored if not one.deleted for id in _hsa_ids(one.resource())})
    return persons


def _hsa_ids(organisation: Resource) -> Iterable[str]:
    return (i["value"] for i in organisation.get("identifier", ()) if i.get("system") == HSA_ID and "value" in i)


def _raised(uow: UnitOfWork, person: str) -> dict[str, Statement]:
    """What the gateway said last of each gap of the person."""
    said = [one for one in uow.statements.of_person(person) if one.source == GATEWAY_SOURCE]
    return {one.record_key: one for one in sorted(said, key=order)}


def _id(namespace: UUID, person: str, key: str) -> str:
    return str(uuid5(namespace, f"gap|{person}|{key}"))


def _is_open(body: Resource) -> bool:
    return "end" not in body.get("identifiedPeriod", {})


def _resolved(one: Statement, now: datetime) -> Statement:
    """The gap as it was, ended: R4 has no status for it, a period and what was done about it."""
    body = dict(one.body)
    body["identifiedPeriod"] = body["identifiedPeriod"] | {"end": written(now)}
    body["mitigation"] = [
        {"action": {"text": "Sources show it no more / Källorna visar det inte längre"}, "date": written(now)}
    ]
    return _stated(body | {"id": one.resource_id}, str(one.person), one.record_key, now)


def _stated(body: Resource, person: str, key: str, now: datetime) -> Statement:
    return make(body=body, origin=Origin(GATEWAY_SOURCE), record_key=key, person=person, effective=now, recorded=now)


def _named(unit: Unit) -> dict[str, Any]:
    return logical_reference("Organization", unit.key, unit.name)
