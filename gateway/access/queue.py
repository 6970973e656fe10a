"""What needs a person: held items, proposed links, persons without a national number, contradictions; and deciding it.

The operator's. Every decision is audited in the unit of work of what it changes, and nothing is lost by one: an item
that was set aside can be replayed, and a link is a row beside the others.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from gateway.access.caller import Asking
from gateway.access.commands import Matching
from gateway.access.conditions import criteria
from gateway.access.decision import Decision
from gateway.access.messages import Messages
from gateway.access.persons import PERSON_SYSTEMS
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest, Conflict, NotFound
from gateway.issues import Issue
from gateway.records import Link, Resource
from gateway.store import Stored, UnitOfWork

MOST: Final = 50
"""Of each kind that are shown together; who decides on some sees the next."""
CONTRADICTED: Final = f"{CANONICAL}/CodeSystem/mark|contradicted"
DISCARDED: Final = "discarded"
_AGREED_ON: Final = ("Task", "Encounter", "CarePlan")
MOST_REASON: Final = 500

Verdict = Literal["same", "undone"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two Patients that may be one person; why it is asked is the link's reason."""

    link: Link
    one: Resource
    other: Resource


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for a decision, each kind with at most MOST of it; `more` of a kind where there is more."""

    held: Sequence[dict[str, Any]]
    proposals: Sequence[Proposal]
    unmatched: Sequence[Resource]
    contradicted: Sequence[tuple[Resource, Resource | None]]
    """What the sources do not agree on, and the Patient whom it is about."""
    more: frozenset[str]


class Queueing(Messages):
    """queue, replay, discard, decide_link and match_person."""

    def queue(self, asking: Asking) -> Queue:
        """Everything that waits for a decision. NotFound for all but the operator."""
        held = self.inbox_list(asking, state="held", limit=MOST + 1)

        def ask(uow: UnitOfWork) -> tuple[list[Proposal], list[Stored], list[Stored], dict[str, Resource]]:
            contradicted = self._contradicted(uow)
            persons = uow.resources.read_many([("Patient", one.person) for one in contradicted if one.person])
            known = {one.id: one.resource() for one in persons.values() if not one.deleted}
            return self._proposals(uow), self._unmatched(uow), contradicted, known

        proposals, unmatched, contradicted, persons = self._rooms.store.read(ask)
        seen = [*unmatched[:MOST], *contradicted[:MOST]]
        self.audit(asking, Decision(True, "operator"), *seen)
        for one in proposals[:MOST]:
            self.audit(asking, Decision(True, "operator"), person=str(one.one["id"]))
        found = (("held", held), ("proposals", proposals), ("unmatched", unmatched), ("contradicted", contradicted))
        return Queue(
            held[:MOST],
            proposals[:MOST],
            [one.resource() for one in unmatched[:MOST]],
            [(one.resource(), persons.get(one.person or "")) for one in contradicted[:MOST]],
            frozenset(name for name, some in found if len(some) > MOST),
        )

    def replay(self, asking: Asking, id: str) -> tuple[int, int]:
        """Work a message through anew; how many items were tried, and are still held. NotFound, Conflict."""
        self._operator(asking)
        outcome = self._rooms.replay(id)
        return outcome.items, outcome.held

    def discard(self, asking: Asking, id: str, reason: str) -> int:
        """Set aside what a message holds, with the reason beside it; how many items. NotFound, Conflict.

        The bytes stay, and a replay tries them anew.
        """
        self._operator(asking)
        why = _reason(reason)
        issue = Issue("information", "informational", DISCARDED, f"Set aside by the operator: {why}")

        def work(uow: UnitOfWork) -> int:
            count = uow.inbox.discard(id, issue)
            if count is None:
                raise Conflict("The message holds nothing any more, or is being worked on.", rule="inbox-not-held")
            uow.audit.add_about(self.events(asking, Decision(True, "operator")))
            return count

        if self._rooms.store.read(lambda uow: uow.inbox.entry(id)) is None:
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown")
        return self._rooms.store.write(work, now=self._rooms.clock())

    def decide_link(self, asking: Asking, one: str, other: str, verdict: Verdict, reason: str) -> None:
        """Say that two Patients that were proposed to be one person are, or are not. NotFound, Conflict."""
        self._operator(asking)
        why = _reason(reason)

        def work(uow: UnitOfWork) -> None:
            self._hold(uow, one, other)
            if not any({link.from_id, link.to_id} == {one, other} for link in uow.links.proposed(limit=None)):
                raise Conflict("This pair is not proposed, or was decided on already.", rule="link-not-proposed")
            self._tie(uow, asking, Link("Patient", one, other, verdict, why, uow.now))

        self._rooms.store.write(work, now=self._rooms.clock())

    def match_person(self, asking: Asking, patient_id: str, number: str, reason: str) -> str:
        """Say that a Patient without a national number is the person who has this one; that person's Patient id."""
        self._operator(asking)
        why, digits = _reason(reason), "".join(one for one in number if one.isalnum())

        def work(uow: UnitOfWork) -> str:
            known = uow.identifiers.find([("Patient", system, digits) for system in PERSON_SYSTEMS])
            found = next(iter(sorted(set(known.values()))), None)
            if found is None or found == patient_id:
                raise BadRequest("Nobody else here has this number.", rule="number-unknown", where="number")
            self._hold(uow, patient_id, found)
            self._tie(uow, asking, Link("Patient", found, patient_id, "same", why, uow.now))
            return found

        return self._rooms.store.write(work, now=self._rooms.clock())

    def _hold(self, uow: UnitOfWork, *ids: str) -> None:
        """Lock both and their persons. NotFound where one of them is no Patient here."""
        uow.lock({*ids, *uow.persons.of_patients(ids).values()})
        stored = uow.resources.read_many([("Patient", id) for id in ids])
        if len(stored) < len(set(ids)) or any(one.deleted for one in stored.values()):
            raise NotFound(rule="resource-unknown")

    def _tie(self, uow: UnitOfWork, asking: Asking, link: Link) -> None:
        self._rooms.recorder.record(uow, [], links=[link])
        asked = replace(asking, interaction="update")
        for id in (link.from_id, link.to_id):
            uow.audit.add_about(self.events(asked, Decision(True, "operator"), person=id))

    def _proposals(self, uow: UnitOfWork) -> list[Proposal]:
        links = uow.links.proposed(limit=MOST + 1)
        ids = {id for link in links for id in (link.from_id, link.to_id)}
        stored = uow.resources.read_many([("Patient", id) for id in ids])
        known = {one.id: one.resource() for one in stored.values() if not one.deleted}
        named: Iterable[Link] = (link for link in links if link.from_id in known and link.to_id in known)
        return [Proposal(link, known[link.from_id], known[link.to_id]) for link in named]

    def _unmatched(self, uow: UnitOfWork) -> list[Stored]:
        """Patients whom no national number names, and whom nobody has tied to another."""
        nobody = ("identifier:not", ",".join(f"{system}|" for system in PERSON_SYSTEMS))
        found = self._page(uow, "Patient", nobody, ("active:not", "false"))
        tied = uow.persons.patients_of({one.person for one in found if one.person})
        return [one for one in found if len(tied.get(one.person or "", ())) < 2]

    def _contradicted(self, uow: UnitOfWork) -> list[Stored]:
        return [one for kind in _AGREED_ON for one in self._page(uow, kind, ("_tag", CONTRADICTED))]

    def _page(self, uow: UnitOfWork, kind: str, *params: tuple[str, str]) -> list[Stored]:
        query = criteria(kind, Matching(params), self._rooms)
        return list(uow.searches.page(replace(query, count=MOST + 1)).matches)


def _reason(text: str) -> str:
    said = " ".join(text.split())
    if not said:
        raise BadRequest("Give a reason: it stands beside the decision.", rule="reason-missing", where="reason")
    return said[:MOST_REASON]
