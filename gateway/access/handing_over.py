"""Task/$handover: one organisation asks another to take a Task over, or to let it go; and how the other answers.

The hand-over is a Task like others, held to the same rules by whatever interaction it is written: this operation makes
it, and answers it, in one request. Until it is accepted the leaving owner is responsible (coordination.md C-80).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from gateway.access.caller import Asking, Caller
from gateway.access.commands import Body, Create, Done, Matching, Patch
from gateway.access.conditions import criteria, narrowing
from gateway.access.decision import Decision
from gateway.access.next_steps import TASK, NextSteps
from gateway.access.standing import Standings
from gateway.coordination.negotiation import handover
from gateway.coordination.values import written
from gateway.coordination.words import words
from gateway.definitions import CANONICAL
from gateway.errors import BusinessRule, Conflict, Gone, NotFound
from gateway.identity.systems import HSA_ID
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

T = TypeVar("T")
Answer = Literal["accept", "decline", "withdraw"]
BECOMES: Final[Mapping[str, str]] = {"accept": "accepted", "decline": "rejected", "withdraw": "cancelled"}
TASKS: Final = f"{CANONICAL}/CodeSystem/task"
_OPEN: Final = "draft,requested,received"
_MOST: Final = 50
"""Open hand-overs of one Task that are looked through."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Who is to take over, who stays and who is told, by when to answer, and why."""

    arriving: Resource
    remaining: Sequence[Resource] = ()
    informed: Sequence[Resource] = ()
    due: str | None = None
    reason: Resource | None = None
    note: str | None = None
    identifier: Resource | None = None
    """What it is known by to who offers: with the same one it is offered once."""


class HandingOver(NextSteps):
    """offer_handover and answer_handover."""

    def offer_handover(self, asking: Asking, id: str, offer: Offer, body: Body) -> Done:
        """The hand-over that is made. NotFound, Gone; Forbidden and BusinessRule where the rules are against it."""
        if not self._rules.profile.codes[handover.CODE]:
            text = "The rules that the parties have agreed know no hand-over between organisations."
            raise BusinessRule(text, rule="handover-not-agreed")

        def ask(uow: UnitOfWork, about: Stored) -> Resource:
            return self._made(asking.caller, Standings(self._rooms, uow, asking.caller), about, offer)

        made = self._of(asking, id, ask)
        self.whole(TASK, made)
        once = None
        if offer.identifier is not None:
            once = Matching((("identifier", f"{offer.identifier['system']}|{offer.identifier['value']}"),))
        return self.write(asking, Create(resource_type=TASK, resource=made, if_none_exist=once), body)

    def answer_handover(self, asking: Asking, id: str, answer: Answer, reason: Resource | None, body: Body) -> Done:
        """The hand-over that is answered, named by itself or by what it is about. NotFound, Gone, Conflict.

        BusinessRule where the operator would accept: nothing follows from his word, which is plain R4.
        """
        found = self._one_of(self._of(asking, id, lambda uow, about: self._open(asking, uow, about, answer)))
        if asking.caller.operator and answer == "accept":
            text = "A hand-over is accepted by the organisation that was asked: the operator takes nothing on for it."
            raise BusinessRule(text, rule="handover-of-parties", where="answer")

        def change(resource: Resource) -> Resource:
            becomes = {**resource, "status": BECOMES[answer]}
            becomes.pop("statusReason", None)
            return becomes if reason is None else {**becomes, "statusReason": reason}

        return self.write(asking, Patch(resource_type=TASK, target=found, change=change), body)

    def _made(self, caller: Caller, standings: Standings, about: Stored, offer: Offer) -> Resource:
        task = about.resource()
        leaving = task.get("owner", {})
        arriving = _party(offer.arriving, standings)
        invites_itself = not caller.operator and standings.own(standings.named(arriving))
        inviting = leaving if caller.operator or standings.own(standings.named(leaving)) else _own(caller)
        roles = [("inviting", inviting), (handover.ARRIVING, arriving), (handover.LEAVING, leaving)]
        roles += [("remaining", one) for one in offer.remaining] + [("informed", one) for one in offer.informed]
        given: dict[str, Any] = {
            "for": task.get("for"),
            "encounter": task.get("encounter"),
            "priority": task.get("priority"),
            "restriction": {"period": {"end": offer.due}} if offer.due else None,
            "reasonCode": offer.reason,
            "note": [{"text": offer.note}] if offer.note else None,
            "identifier": [offer.identifier] if offer.identifier else None,
        }
        now = written(self._rooms.clock())
        return {
            "resourceType": TASK,
            "status": "requested",
            "intent": "order",
            "code": {"coding": [{"system": TASKS, "code": handover.CODE, "display": "Hand-over"}]},
            "description": _called(task),
            "focus": {"reference": f"{TASK}/{about.id}"},
            "requester": inviting,
            "owner": leaving if invites_itself else arriving,
            "authoredOn": now,
            "input": [_input(role, party) for role, party in roles if party],
        } | {name: value for name, value in given.items() if value is not None}

    def _open(self, asking: Asking, uow: UnitOfWork, about: Stored, answer: Answer) -> list[str]:
        """The ids of the hand-overs that the caller can answer so."""
        if handover.is_handover(about.resource(), self._rules.profile):
            return [about.id]
        codes = ",".join(sorted(self._rules.profile.codes[handover.CODE])) or handover.CODE
        asked = Matching((("focus", f"{TASK}/{about.id}"), ("code", codes), ("status", _OPEN)))
        query = replace(criteria(TASK, asked, self._rooms), count=_MOST)
        standings = Standings(self._rooms, uow, asking.caller)
        side = "requester" if answer == "withdraw" else "owner"
        return [
            one.id
            for one in uow.searches.page(query, narrowing=narrowing(self, asking.caller)).matches
            if asking.caller.operator or standings.own(standings.named(one.resource().get(side)))
        ]

    def _of(self, asking: Asking, id: str, ask: Callable[[UnitOfWork, Stored], T]) -> T:
        """What follows from a Task that the caller may see; that he looked is recorded. NotFound, Gone."""

        def work(uow: UnitOfWork) -> tuple[Stored | None, Decision, T | None]:
            stored = uow.resources.read(TASK, id)
            decision = self.judge(uow, asking, stored)
            there = stored is not None and decision.allowed and not stored.deleted
            return stored, decision, ask(uow, stored) if stored is not None and there else None

        stored, decision, found = self._rooms.store.read(work)
        self.known(asking, stored, decision)
        if found is None:
            raise Gone()
        return found

    @staticmethod
    def _one_of(found: Sequence[str]) -> str:
        if not found:
            text = "There is no hand-over of this Task that waits for you to say so."
            raise NotFound(text, rule="handover-unknown")
        if len(found) > 1:
            text = "Several hand-overs of this Task are open: name the one that you mean, by its own id."
            raise Conflict(text, rule="handover-several")
        return found[0]


def _own(caller: Caller) -> Resource:
    made: Resource = {"type": "Organization", "identifier": {"system": HSA_ID, "value": caller.hsa_id}}
    return made | {"display": caller.name} if caller.name else made


def _party(reference: Resource, standings: Standings) -> Resource:
    """The party by its HSA-id, however it was named."""
    hsa_id = standings.named(reference)
    if hsa_id is None or "identifier" in reference:
        return reference
    return reference | {"identifier": {"system": HSA_ID, "value": hsa_id}}


def _input(role: str, party: Resource) -> Resource:
    coding = {"system": handover.ROLES, "code": role, "display": role.capitalize()}
    return {"type": {"coding": [coding]}, "valueReference": party}


def _called(task: Resource) -> str:
    """What is handed over, in Swedish, as people name it."""
    codes = [one.get("code", "") for one in task.get("code", {}).get("coding", ())]
    known = next((found for code in codes if (found := words("codes", code))), None)
    what = known.sv if known else task.get("code", {}).get("text") or "uppgift"
    return f"Överlämning: {what}"
