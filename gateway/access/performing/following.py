"""Further steps of a command about a Task: what its move leads on to in other Tasks, done in the same unit of work.

They are stated by the caller, by whose command they follow, and decided on as what was stored says (C-11, C-13, C-16,
C-80).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.access.commands import Create, Update
from gateway.access.decision import Decision
from gateway.access.performing.steps import Step, Thing
from gateway.access.standing import MOST, Standings
from gateway.coordination import consequences, tasks
from gateway.coordination.negotiation import Move, Role, Rules, handover
from gateway.coordination.negotiation.conditions import codes_of
from gateway.errors import BusinessRule
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

NOTHING: Final[Mapping[Thing, Resource]] = {}
FOLLOWS: Final = Decision(True, "follows-from-a-command")
_LOST: Final = "cancelled"
_UNANSWERED: Final = "draft,requested,received"


class Following:
    """Finds what follows from one command."""

    def __init__(self, standings: Standings, rules: Rules, uow: UnitOfWork) -> None:
        self._standings, self._rules, self._profile, self._uow = standings, rules, rules.profile, uow

    def bids(
        self, before: Resource | None, after: Resource | None, beside: Mapping[Thing, Resource] = NOTHING
    ) -> list[Stored]:
        """The other bids for what a bid that is selected is about, unless they have ended, or end by what is beside."""
        if after is None or not consequences.selects(before, after):
            return []
        kind, focus = after["resourceType"], after.get("focus", {}).get("reference")
        if not focus:
            return []
        requester = self._standings.named(after.get("requester"))
        aborts = self._profile.codes["abort"]
        return [
            one
            for one in self._all(kind, ("focus", focus))
            if one.id != after["id"]
            and (other := beside.get((kind, one.id)) or one.resource())["status"] not in self._profile.terminal
            and self._standings.named(other.get("requester")) == requester
            and not aborts & codes_of(other.get("code"))
        ]

    def bound(self, bids: list[Stored], beside: Mapping[Thing, Resource] = NOTHING) -> int:
        """How many of them can no longer be called off, or are left open by a command of their own beside this one."""
        return sum(
            (one.resource_type, one.id) in beside or not self._may_be_called_off(one.resource()["status"])
            for one in bids
        )

    def of(self, step: Step, before: Resource | None, after: Resource, bids: list[Stored]) -> Iterator[Step]:
        """The further steps, those of the parts of parts among them."""
        for bid in bids:
            yield self._changed(step, bid, consequences.passed_over(bid.resource()))
        if consequences.suspends(before, after):
            yield from self._parts(step, after, suspend=True)
        if consequences.resumes(before, after):
            yield from self._parts(step, after, suspend=False)
        if consequences.accepts_proposal(before, after):
            yield self._ordered(step, after)
        if (about := self.handed_over(before, after)) is not None:
            yield self._passed_on(step, after, about)
            yield from self._too_late(step, about.resource(), but=after["id"])
        elif before is not None and self._ends(before, after):
            yield from self._too_late(step, after)

    def handed_over(self, before: Resource | None, after: Resource | None) -> Stored | None:
        """The Task that changes hands by this answer (C-80)."""
        if after is None or not handover.takes(before, after, self._profile):
            return None
        return self._standings.stored(after.get("focus", {}).get("reference"))

    def settled(self, handing: Resource, about: Stored) -> Resource:
        """The hand-over that was accepted, as it is stored."""
        return handover.settled(handing, about.resource(), self._standings.named)

    def _passed_on(self, step: Step, handing: Resource, about: Stored) -> Step:
        was = about.resource()
        becomes = handover.passed_on(was, handing, self._standings.named)
        standing = self._standings.of(was, becomes, person=about.person, move=Move.HAND_OVER)
        if breaches := self._rules.decide(was, becomes, standing.roles, standing.circumstances):
            raise BusinessRule(breaches[0].text.en, rule=breaches[0].code, expression=breaches[0].path)
        return self._changed(step, about, becomes)

    def _too_late(self, step: Step, about: Resource, *, but: str = "") -> Iterator[Step]:
        """The other hand-overs of a Task that nobody has answered, once it has ended or is in other hands."""
        for code in sorted(self._profile.codes[handover.CODE]):
            address = f"{about['resourceType']}/{about['id']}"
            for one in self._all(about["resourceType"], ("focus", address), ("code", code), ("status", _UNANSWERED)):
                if one.id != but:
                    yield self._changed(step, one, consequences.overtaken(one.resource()))

    def _ends(self, before: Resource, after: Resource) -> bool:
        return before["status"] not in self._profile.terminal and after["status"] in self._profile.terminal

    def _parts(self, step: Step, whole: Resource, *, suspend: bool) -> Iterator[Step]:
        waiting, met = [whole], {whole["id"]}
        while waiting:
            above = waiting.pop()
            for part in self._all(whole["resourceType"], ("part-of", f"{above['resourceType']}/{above['id']}")):
                now = part.resource()
                becomes = consequences.suspended(now) if suspend else consequences.resumed(now)
                if part.id in met or becomes is None or part.person != step.person:
                    continue  # What is about another person is not held by this one's key, nor is it one's to move.
                if not self._profile.between(now["status"], becomes["status"], Move.CASCADE):
                    continue
                met.add(part.id)
                if len(met) > MOST:
                    raise _too_many()
                waiting.append(becomes)
                yield self._changed(step, part, becomes)

    def _ordered(self, step: Step, proposal: Resource) -> Step:
        id = str(uuid.uuid4())
        order = consequences.ordered(proposal, id, self._uow.now)
        command = Create(resource_type=order["resourceType"], resource=order)
        return Step(step.place, command, id, tasks.command(order, None), person=step.person, decision=FOLLOWS)

    @staticmethod
    def _changed(step: Step, stored: Stored, becomes: Resource) -> Step:
        command = Update(resource_type=stored.resource_type, target=stored.id, resource=becomes)
        stated = tasks.command(becomes, stored.resource())
        return Step(step.place, command, stored.id, stated, current=stored, person=stored.person, decision=FOLLOWS)

    def _may_be_called_off(self, status: str) -> bool:
        return any(
            Role.REQUESTER in row.by and not row.when for row in self._profile.between(status, _LOST, Move.COMMAND)
        )

    def _all(self, kind: str, *criteria: tuple[str, str]) -> list[Stored]:
        found = self._standings.find(kind, *criteria)
        if len(found) >= MOST:
            raise _too_many()
        return found


def _too_many() -> BusinessRule:
    return BusinessRule(f"{MOST} Tasks or more would follow: move them in parts.", rule="task-too-many-follow")
