"""Where a caller stands to a Task: his roles, and what the rules ask for besides the Task, looked up and handed in.

Roles come of the stored Task and the caller's own unit and care provider. That two units belong to one body, as their
HSA-ids tell, makes neither of them owner or requester of what is the other's (coordination.md C-4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.access.caller import Caller
from gateway.access.commands import Matching
from gateway.access.conditions import criteria
from gateway.access.reading import Rooms
from gateway.coordination.negotiation import Circumstances, Move, Role, hsa_id_of, roles
from gateway.coordination.plans import active_members, custodian
from gateway.identity.systems import HSA_ID
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

Thing = tuple[str, str]
"""Resource type and id."""

MOST: Final = 1000
"""Tasks that one change may lead on to, or that are looked at for it."""
_ABOVE: Final = 10
"""Steps from a unit up to its care provider, or from a Task up to what it is part of."""
BY: Final = {"PractitionerRole": "organization", "HealthcareService": "providedBy"}
"""The element by which what is no organisation itself names the one it belongs to."""
_LED_BY: Final = ("partOf", "focus", "basedOn")
"""The elements whose targets the rules look at."""
ACCEPTED: Final = "accepted,in-progress,completed"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision by the rules starts from."""

    roles: frozenset[Role]
    circumstances: Circumstances


class Standings:
    """Looks up, within one unit of work. `written` is what the caller's other commands there make, by type and id.

    `sees` says what the caller may see of what a new Task names as its whole, its focus and its plan: of what he may
    not see, the answer tells nothing. What a stored Task names counts for whoever moves it.
    """

    def __init__(
        self,
        rooms: Rooms,
        uow: UnitOfWork,
        caller: Caller,
        written: Mapping[Thing, Resource] | None = None,
        *,
        sees: Callable[[Stored], bool] | None = None,
    ) -> None:
        self._rooms, self._uow, self._caller, self._written = rooms, uow, caller, written or {}
        self._sees = sees
        self._read: dict[Thing, Resource | None] = {}
        self._bodies = {one.controller.partition("-")[0]: one.controller for one in rooms.sources.values()}

    def of(
        self,
        before: Resource | None,
        after: Resource | None,
        *,
        person: str | None = None,
        move: Move = Move.COMMAND,
        rivals: int = 0,
    ) -> Standing:
        """The caller's, in a change of what is stored, or to something new."""
        task = before if before is not None else after or {}
        plan = self._plan(task)
        members: frozenset[str] | None = None
        keeper = None
        if plan is not None:
            keeper = self.named(custodian(plan)) or (self._caller.hsa_id if self._is_made(plan) else None)
            members = frozenset(self.members(plan)) | ({keeper} if keeper else frozenset())
        elif before is not None and "owner" not in before and person is not None:
            # Without a plan, whoever takes part in the person's care may take what is open to all.
            members = frozenset(self._uow.persons.parties(person))
        elif before is None and (whole := self._whole(task)) is not None:
            # Without a plan, those take part in a whole who asked for it and who has it in hand.
            members = frozenset(self._sides(whole))
        return Standing(
            roles(task, self._caller.organisations, members=members, custodian=keeper, named=self.named),
            Circumstances(
                move=move,
                organisations=self._caller.organisations,
                members=members,
                abort_accepted=before is not None and self._abort_accepted(before),
                rivals=rivals,
                stored=dict(self._led_to(before or {}, after or {})),
                named=self.named,
                organisation_of=self.organisation_of,
            ),
        )

    def _is_made(self, plan: Resource) -> bool:
        """Whether the caller makes the plan by another of these commands: he is its custodian, though it names none."""
        thing = (plan["resourceType"], plan["id"])
        return thing in self._written and self._uow.resources.read_many([thing]).get(thing) is None

    def named(self, reference: Any) -> str | None:
        """The HSA-id of the organisation that a Reference leads to, by its identifier or over what is stored."""
        for _ in range(_ABOVE):
            found = hsa_id_of(reference)
            target = None if found or not isinstance(reference, Mapping) else self._at(reference.get("reference"))
            if target is None:
                return found
            kind = target["resourceType"]
            if kind not in BY:
                return next((one["value"] for one in _identifiers(target) if one.get("system") == HSA_ID), None)
            reference = target.get(BY[kind])
        return None

    def organisation_of(self, hsa_id: str) -> str:
        """The care provider that a unit belongs to: the top of what it is part of; without any word, itself."""
        if hsa_id == self._caller.hsa_id:
            return self._caller.controller or hsa_id
        top = hsa_id
        for _ in range(_ABOVE):
            id = self._uow.identifiers.find([("Organization", HSA_ID, top)]).get(("Organization", HSA_ID, top))
            unit = self._stored(("Organization", id)) if id else None
            above = self.named((unit or {}).get("partOf"))
            if above is None or above == top:
                break
            top = above
        return top if top != hsa_id else self._bodies.get(hsa_id.partition("-")[0], hsa_id)

    @staticmethod
    def party(reference: Resource, hsa_id: str) -> Resource:
        """A Reference to a unit that says which it is, to whoever knows nothing but its words."""
        literal = str(reference.get("reference", ""))
        if literal and not literal.startswith("Organization/"):
            return reference
        return {"identifier": {"system": HSA_ID, "value": hsa_id}, "type": "Organization"} | reference

    def own(self, hsa_id: str | None) -> bool:
        """Whether it is the caller's unit or its care provider."""
        return hsa_id in self._caller.organisations

    def ties(self, task: Resource) -> Iterator[str]:
        """The ids of what a Task is part of, all the way up, and the address of what it is about."""
        if literal := task.get("focus", {}).get("reference"):
            yield str(literal)
        for _ in range(_ABOVE):
            whole = self._whole(task)
            if whole is None:
                return
            yield str(whole["id"])
            task = whole

    def find(self, resource_type: str, *params: tuple[str, str]) -> list[Stored]:
        """What meets these criteria, whoever may see it; no more than MOST."""
        query = criteria(resource_type, Matching(params), self._rooms)
        return list(self._uow.searches.page(replace(query, count=MOST)).matches)

    def stored(self, literal: Any) -> Stored | None:
        """What a relative reference leads to, with its version, as it is in the store."""
        parts = str(literal or "").split("/")
        thing = (parts[0], parts[-1])
        found = self._uow.resources.read_many([thing]).get(thing) if len(parts) == 2 else None
        return None if found is None or found.deleted else found

    def _abort_accepted(self, task: Resource) -> bool:
        """Whether one side has asked to give the Task up, and the other has agreed (C-14)."""
        sides = {self.named(task.get("requester")), self.named(task.get("owner"))} - {None}
        about = f"{task['resourceType']}/{task['id']}"
        for found in self.find(task["resourceType"], ("focus", about), ("code", "abort"), ("status", ACCEPTED)):
            abort = found.resource()
            asks, agrees = self.named(abort.get("requester")), self.named(abort.get("owner"))
            if asks != agrees and {asks, agrees} <= sides:
                return True
        return False

    def _led_to(self, *tasks: Resource) -> Iterator[tuple[str, Resource]]:
        for task in tasks:
            for element in _LED_BY:
                given = task.get(element) or []
                for one in given if isinstance(given, list) else [given]:
                    literal = one.get("reference")
                    if literal and (found := self._seen(literal)) is not None:
                        yield literal, found

    def _whole(self, task: Resource) -> Resource | None:
        """What a Task is part of."""
        parts = task.get("partOf", ())
        return self._seen(parts[0].get("reference")) if parts else None

    def _sides(self, task: Resource) -> Iterator[str]:
        steps = self._rooms.recorder.authority.steps[task["resourceType"]]
        names = ("requester", "owner") if task["status"] in steps.stays else ("requester",)
        yield from (who for name in names if (who := self.named(task.get(name))))

    def _plan(self, task: Resource) -> Resource | None:
        """The plan that a Task is based on."""
        for one in task.get("basedOn", ()):
            found = self._seen(one.get("reference"))
            if found is not None and found["resourceType"] == "CarePlan":
                return found
        return None

    def members(self, plan: Resource) -> Iterator[str]:
        """Who takes part in the plan now: by its teams, the one that follows from its Tasks among them (C-27)."""
        contained = {f"#{one.get('id')}": one for one in plan.get("contained", ())}
        named = {str(one.get("reference")) for one in plan.get("careTeam", ())}
        for literal in sorted(named | {f"CareTeam/{plan['id']}"}):
            team = contained.get(literal) or self._at(literal)
            for member in active_members(team or {}, self._uow.now):
                if who := self.named(member):
                    yield who

    def _seen(self, literal: Any) -> Resource | None:
        """What a relative reference leads to, unless that is not for the caller to know."""
        found = self._at(literal)
        if found is None or self._sees is None or (thing := (found["resourceType"], found["id"])) in self._written:
            return found
        stored = self._uow.resources.read_many([thing]).get(thing)
        return found if stored is not None and self._sees(stored) else None

    def _at(self, literal: Any) -> Resource | None:
        """What a relative reference leads to."""
        parts = str(literal or "").partition("/_history/")[0].split("/")
        return self._stored((parts[0], parts[1])) if len(parts) == 2 else None

    def _stored(self, thing: Thing) -> Resource | None:
        if thing in self._written:
            return self._written[thing]
        if thing not in self._read:
            found = self._uow.resources.read_many([thing]).get(thing)
            self._read[thing] = None if found is None or found.deleted else found.resource()
        return self._read[thing]


def _identifiers(resource: Resource) -> Collection[Resource]:
    found: Collection[Resource] = resource.get("identifier", ())
    return found
