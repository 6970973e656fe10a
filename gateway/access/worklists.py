"""Organization/$worklist: what waits for an organisation, what it waits for, and what has changed, through the door.

Only who belongs to the organisation is told, and the operator. Its Tasks are searched for like anybody's: narrowed to
what the caller may see.

docs/api/worklist.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.access.answers import Answers, with_those_above
from gateway.access.caller import Asking
from gateway.access.commands import Matching
from gateway.access.conditions import criteria, narrowing
from gateway.access.decision import Decision, decide
from gateway.access.organisations import organisations
from gateway.coordination import agreements
from gateway.coordination.directory import Directory
from gateway.coordination.words import Words, both, words
from gateway.coordination.worklist import Line, Stands, Worklist, worklist
from gateway.coordination.worklist_bundle import bundle
from gateway.errors import BadRequest, Forbidden, NotFound
from gateway.fhir.datetime import text
from gateway.fhir.json import dump
from gateway.identity.identifiers import Key
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Resource
from gateway.store import Stored, UnitOfWork

# The page shows this; it reaches it through the door.
__all__ = ["SINCE", "Line", "Listed", "Worklists", "status_words"]

MOST: Final = 1000
"""Tasks that are looked at for each of the questions that a worklist is made from."""
MOST_LINES: Final = 200
LINES: Final = 50
"""Lines of each list that are told unless more are asked for."""
SINCE: Final = timedelta(days=1)
"""From when on changes are told unless a time is given."""
OFFERED: Final = ("status", "requested,received,ready")
OPEN: Final = ("status", "requested,received,accepted,ready,in-progress,on-hold")


@dataclass(frozen=True, slots=True)
class Listed:
    """A worklist with those whom it names."""

    organisation: Resource
    worklist: Worklist
    patients: dict[str, Resource]
    versions: dict[str, str]
    """The version of each Task, by reference."""


class Worklists(Answers):
    """worklist, and the same as a Bundle."""

    def worklist_bundle(
        self, asking: Asking, id: str, *, base: str, since: datetime | None = None, count: int | None = None
    ) -> bytes:
        """The answer as a collection Bundle. NotFound, Forbidden."""
        most = min(LINES if count is None else count, MOST_LINES)
        listed = self.worklist(asking, id, since=since, most=most)
        return dump(bundle(listed.organisation, listed.worklist, listed.patients, base, most=most))

    def worklist(self, asking: Asking, id: str, *, since: datetime | None = None, most: int = MOST_LINES) -> Listed:
        """The answer as a plain view, each list with at most so many lines and one more. NotFound, Forbidden."""
        now = self._rooms.clock()
        if since is not None and since > now:
            raise BadRequest("since must not lie in the future.", rule="parameter-malformed", where="since")

        def ask(uow: UnitOfWork) -> tuple[Decision, Listed | None, list[Stored]]:
            stored = uow.resources.read("Organization", id)
            if stored is None or stored.deleted:
                return Decision(True, "nothing-there"), None, []
            organisation = stored.resource()
            decision = _decide(asking, organisation)
            if not decision.allowed:
                return decision, None, []
            return decision, *self._listed(uow, asking, organisation, now, since or now - SINCE, most)

        decision, listed, shown = self._rooms.store.read(ask)
        failure = None if listed or not decision.allowed else "not-found"
        self.audit(asking, decision, *shown, failure=failure)
        if not decision.allowed:
            text_ = "A worklist is told to its own organisation only: ask for your unit's, or its care provider's."
            raise Forbidden(text_, rule=decision.rule)
        if listed is None:
            raise NotFound(rule="resource-unknown")
        return listed

    def worklists(self, asking: Asking) -> list[tuple[str, str]]:
        """Whose worklists the caller may see, by id and name: his unit's, its care provider's; the operator all."""
        self.audit(asking, decide(asking.caller, "Organization", takes_part=None))
        if asking.caller.operator:
            known = self._rooms.store.read(lambda uow: organisations(uow, self._rooms.sources.values()))
            return [(one.id, one.name) for one in known]
        hsa_ids = asking.caller.organisations

        def find(uow: UnitOfWork) -> list[tuple[str, str]]:
            keys = [("Organization", HSA_ID, hsa_id) for hsa_id in dict.fromkeys(hsa_ids)]
            ids = uow.identifiers.find(keys)
            stored = uow.resources.read_many([("Organization", id) for id in ids.values()])
            found = [stored.get(("Organization", ids.get(key, ""))) for key in keys]
            return [(one.id, str(one.resource().get("name", ""))) for one in found if one and not one.deleted]

        return self._rooms.store.read(find)

    def _listed(
        self, uow: UnitOfWork, asking: Asking, organisation: Resource, at: datetime, since: datetime, most: int
    ) -> tuple[Listed, list[Stored]]:
        limits, table = agreements.agreement(), self._rooms.recorder.authority
        own = tuple(hsa_ids(organisation))
        tasks, whole = self._tasks(uow, asking, organisation, min(since, at - limits.since))
        read = self._read_by(uow, asking, tasks, own)
        resources = {f"Task/{one.id}": one.resource() for one in tasks}
        keys = {key for one in resources.values() for _, key in logical_references(one) if key[0] == "Organization"}
        stands = [
            Stands(_agreed(one, resources[f"Task/{one.id}"]), one.last_updated, f"Task/{one.id}" in read)
            for one in tasks
        ]
        found = worklist(
            stands,
            own,
            at=at,
            since=since,
            directory=Directory(with_those_above(uow, keys | _keys(own), at)),
            agreement=limits,
            authority=table,
            whole=whole,
        )
        lines = [*found.waits[: most + 1], *found.awaited[: most + 1], *found.changed[: most + 1]]
        told = {line.task.reference for line in lines}
        patients = self._patients(uow, asking, {line.patient for line in lines if line.patient})
        shown = [one for one in tasks if f"Task/{one.id}" in told]
        listed = Listed(
            organisation,
            found,
            {f"Patient/{one.id}": one.resource() for one in patients},
            {f"Task/{one.id}": one.version for one in shown},
        )
        return listed, [*shown, *patients]

    def _tasks(
        self, uow: UnitOfWork, asking: Asking, organisation: Resource, since: datetime
    ) -> tuple[list[Stored], bool]:
        """The Tasks that name the organisation as a party and are open, or have changed lately; whether that is all."""
        visible = narrowing(self, asking.caller)
        ids = ",".join(f"{HSA_ID}|{hsa_id}" for hsa_id in hsa_ids(organisation))
        literal = f"Organization/{organisation['id']}"
        changed = ("_lastUpdated", f"ge{text(since)}")
        found: dict[str, Stored] = {}
        whole = True
        asked = [(party, when) for party in parties_of(ids, literal) for when in (OPEN, changed)]
        # What nobody has yet may be offered to several: whom it is offered to is looked at later.
        for params in (*asked, (("owner:missing", "true"), OFFERED)):
            query = criteria("Task", Matching(params), self._rooms)
            page = uow.searches.page(replace(query, count=MOST), narrowing=visible)
            found |= {one.id: one for one in page.matches}
            whole = whole and page.behind is None
        return [found[id] for id in sorted(found)], whole

    def _read_by(
        self, uow: UnitOfWork, asking: Asking, tasks: Iterable[Stored], own: Collection[str]
    ) -> frozenset[str]:
        """The ended Tasks that one of these organisations has acknowledged, by a Communication that is part of them."""
        over = self._rooms.recorder.authority.steps["Task"].ended
        ended = [f"Task/{one.id}" for one in tasks if one.resource().get("status") in over]
        found: set[str] = set()
        for start in range(0, len(ended), 200):
            sent = ("sender:identifier", ",".join(f"{HSA_ID}|{hsa_id}" for hsa_id in own))
            some = ("part-of", ",".join(ended[start : start + 200]))
            query = criteria("Communication", Matching((sent, some, ("status", "completed"))), self._rooms)
            page = uow.searches.page(replace(query, count=MOST), narrowing=narrowing(self, asking.caller))
            for one in page.matches:
                found |= {str(part.get("reference")) for part in one.resource().get("partOf", ())}
        return frozenset(found)

    def _patients(self, uow: UnitOfWork, asking: Asking, references: Collection[str]) -> list[Stored]:
        """Those Patients whom the caller may see."""
        keys = [("Patient", reference.partition("/")[2]) for reference in sorted(references)]
        stored = uow.resources.read_many(keys).values()
        return [one for one in stored if not one.deleted and self.may_see(uow, asking, one).allowed]


def status_words(status: str) -> Words:
    """What people call a status of a Task."""
    return words("statuses", status) or both(status)


def hsa_ids(organisation: Resource) -> Iterator[str]:
    for one in organisation.get("identifier", ()):
        if one.get("system") == HSA_ID and "value" in one:
            yield str(one["value"])


def _decide(asking: Asking, organisation: Resource) -> Decision:
    if asking.caller.operator:
        return Decision(True, "operator")
    if set(hsa_ids(organisation)) & set(asking.caller.organisations):
        return Decision(True, "own-worklist")
    return Decision(False, "worklist-of-another")


def parties_of(ids: str, literal: str) -> Iterator[tuple[str, str]]:
    """The criteria by which a Task names an organisation, as owner or requester; `ids`: `system|HSA-id`, by commas."""
    for role in ("owner", "requester"):
        if ids:
            yield f"{role}:identifier", ids
        yield role, literal


def _keys(own: Iterable[str]) -> set[Key]:
    return {("Organization", HSA_ID, hsa_id) for hsa_id in own}


def _agreed(one: Stored, resource: dict[str, Any]) -> Agreed:
    return Agreed(one.resource_type, one.id, one.person, resource, one.contributors)
