"""Plans held to the rules about them, and the plan that a Task comes to (C-22, C-23, C-25, C-26).

Rules bind callers with an organisation. What follows from the Tasks is the server's: it is taken out of what a caller
states of a plan or its team, so that it goes on following.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.access.commands import Create
from gateway.access.decision import source_of
from gateway.access.performing.finding import persons_of
from gateway.access.performing.following import FOLLOWS
from gateway.access.performing.negotiating import NEGOTIATED, refusal
from gateway.access.performing.sips import Sips
from gateway.access.performing.steps import Act, Step, Thing
from gateway.access.standing import Standings
from gateway.coordination.consenting import is_sip
from gateway.coordination.negotiation import Role
from gateway.coordination.plans import custodian, plans_of, rules
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.coordination.plans.team import CUSTODIAN
from gateway.coordination.statements import logical, order
from gateway.coordination.values import written
from gateway.errors import Conflict
from gateway.fhir import reference
from gateway.identity.systems import HSA_ID
from gateway.issues import Issue
from gateway.records import Resource
from gateway.store import Stored

MOST_OFFERED = 5


class Planner:
    """Holds the commands of one act to the rules about plans."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._sips = Sips(act)
        self._made: dict[str, Step] = {}
        """The plans that Tasks of this act come to, by id."""

    def judge(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        """Refusal where a rule is broken; else what the caller states of it, and the plan that it leads on to."""
        if self._act.asking.caller.operator or not step.states:
            return
        if step.thing[0] == PLAN:
            self._plan(step, beside)
        elif step.thing[0] == TEAM:
            self._team(step, beside)
        elif step.thing[0] in NEGOTIATED and step.resource is not None:
            self._come_to_plan(step, step.resource)
            self._sips.task(step, _before(step), beside)

    def _plan(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        before, after = _before(step), step.resource
        standings = self._standings()
        given = custodian(after or {})
        if before is None and after is not None:
            after = self._in_own_name(after)
        standing = rules.Standing(
            roles=self._roles(before if before is not None else after or {}, step.current, standings),
            names_own=given is None or standings.own(standings.named(given)),
            merged=frozenset(self._merged(before or {})),
            based=frozenset(f"{kind}/{id}" for (kind, id), one in beside.items() if step.id in plans_of(one)),
        )
        if breaches := rules.judge_plan(before, after, standing):
            if (said := self._said_before(step, after)) is None:
                raise refusal(breaches)
            step.resource = said
            return
        if before is None and after is not None:
            for number, one in enumerate(after.get("partOf", ())):
                if not self._is_whole(one, step, beside):
                    raise refusal([rules.whole_unknown(after, number)])
        if after is None and before is not None:
            after = rules.revoked(before)  # Its end is a change of its status: what was done within it stays.
        if after is not None:
            step.resource = rules.stated_plan(after, standing)
            self._sips.plan(step, before, after, beside)

    def _said_before(self, step: Step, after: Resource | None) -> Resource | None:
        """The caller's last word about the plan, if this is the same again: he has heard no answer.

        What the server added to it he does not know yet, any of it, and does not take away by that.
        """
        if after is None or step.current is None:
            return None
        own = source_of(self._act.asking.caller)
        said = [one for one in self._act.uow.statements.of_resources([step.thing]) if one.source == own]
        last = max(said, key=order, default=None)
        if last is None or last.kind != "assert":
            return None
        if logical(_without_meta(self._in_own_name(after))) != logical(_without_meta(last.body)):
            return None
        return {**last.body, "id": step.id}

    def _is_whole(self, named: Mapping[str, Any], step: Step, beside: Mapping[Thing, Resource]) -> bool:
        """Whether a plan may be part of another: of the same person, and seen by the caller."""
        id = self._id(named) or ""
        if (PLAN, id) in beside:
            return persons_of(self._act.uow, [beside[PLAN, id]]) == [step.person]
        stored = self._stored((PLAN, id))
        if stored is None or stored.person != step.person:
            return False
        return self._act.reading.may_see(self._act.uow, self._act.asking, stored).allowed

    def _merged(self, plan: Resource) -> Iterator[str]:
        """The plans that go on in this one, by their references."""
        named = [reference.parse(str(one.get("reference", ""))) for one in plan.get("replaces", ())]
        there = self._act.uow.resources.read_many({(PLAN, one.id) for one in named if one.type == PLAN and one.id})
        for (_, id), stored in there.items():
            said = [] if stored.deleted else stored.resource().get("extension", [])
            if any(one.get("url") == rules.REPLACED_BY for one in said):
                yield f"{PLAN}/{id}"

    def _team(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        stored = self._stored((PLAN, step.id))
        plan = beside.get((PLAN, step.id)) or (stored.resource() if stored else None)
        if plan is None:
            return
        standing = rules.Standing(self._roles(plan, stored, self._standings()))
        breaches = rules.judge_team(_before(step) or {}, step.resource, standing, profile=self._act.rooms.task_rules)
        if breaches:
            raise refusal(breaches)
        if step.resource is not None:
            step.resource = rules.stated_team(step.resource)

    def admit(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        """Refusal unless a Task is based on one plan at most, which it may belong to (C-26).

        Asked before all other rules: they look at the plan, whether the caller may see it or not.
        """
        before, task = _before(step), step.resource
        if self._act.asking.caller.operator or task is None or step.thing[0] not in NEGOTIATED or not step.states:
            return
        if before is not None and all(before.get(name) == task.get(name) for name in ("basedOn", "for")):
            return
        named = [(number, one) for number, one in enumerate(task.get("basedOn", ())) if _is_plan(one)]
        if len(named) > 1:
            raise refusal([rules.task_breach("task-plans-several", "C-26", "basedOn", task)])
        for number, one in named:
            self._belongs(step, task, f"basedOn[{number}]", self._id(one), beside, new=before is None)

    def _belongs(
        self, step: Step, task: Resource, path: str, id: str | None, beside: Mapping[Thing, Resource], *, new: bool
    ) -> None:
        """Refusal unless the plan is one that the caller may see, of the same person, and goes on (C-26)."""
        if id in self._made:  # It was made for this Task, when what it leads to was tried out.
            return
        uow = self._act.uow
        written_too = beside.get((PLAN, id or ""))
        stored = self._stored((PLAN, id)) if id and written_too is None else None
        if stored is not None and not self._act.reading.may_see(uow, self._act.asking, stored).allowed:
            stored = None
        if written_too is not None:
            plan, (person,) = written_too, persons_of(uow, [written_too])
        elif stored is not None:
            plan, person = stored.resource(), stored.person
        else:
            raise refusal([rules.task_breach("task-plan-unknown", "C-26", path, task)])
        if person != step.person:
            raise refusal([rules.task_breach("task-plan-of-another-person", "C-26", path, task)])
        if new and rules.has_ended(plan):
            raise refusal([rules.task_breach("task-plan-ended", "C-26", path, task)])

    def _come_to_plan(self, step: Step, task: Resource) -> None:
        """Let a Task that names no plan come to one, where that is asked for: one that is there is offered (C-25)."""
        if _before(step) is not None or task.get("partOf"):
            return
        named = [self._id(one) for one in task.get("basedOn", ()) if _is_plan(one)]
        if named:
            step.following = (*step.following, *(self._made[id] for id in named if id in self._made))
            return
        asked, rooms = self._act.asking.plan, self._act.rooms
        orders = rooms.care_plans == "orders" or rules.makes_plans(rooms.task_rules)
        is_order = task.get("intent") == "order" and task.get("status") != "draft"
        wanted = asked or ("offer" if orders and is_order and step.person else "none")
        if wanted == "none":
            return
        if step.person is None or "for" not in task:
            raise refusal([rules.task_breach("task-plan-needs-person", "C-25", "for", task)])
        if wanted == "offer" and (there := list(self._offered(step.person, task))):
            raise _exists(there)
        made = next((one for one in self._made.values() if _may_share(one, step, task)), None)
        made = made or self._new_plan(step, task)
        self._made[made.id] = made
        step.following = (*step.following, made)
        step.resource = task | {"basedOn": [*task.get("basedOn", ()), {"reference": f"{PLAN}/{made.id}"}]}

    def _offered(self, person: str, task: Resource) -> Iterator[Stored]:
        """The person's plans in the same context that go on, and that the caller may see."""
        for stored in self._act.uow.resources.of_person(person, resource_types=[PLAN]):
            plan = stored.resource()
            fits = rules.is_offered(plan) and rules.same_context(plan, task)
            if fits and self._act.reading.may_see(self._act.uow, self._act.asking, stored).allowed:
                yield stored

    def _new_plan(self, step: Step, task: Resource) -> Step:
        code: Mapping[str, Any] = task.get("code", {})
        title = code.get("text") or next((one["display"] for one in code.get("coding", ()) if "display" in one), None)
        plan: Resource = {
            "resourceType": PLAN,
            "id": str(uuid.uuid4()),
            "status": "active",
            "intent": "order",
            "subject": task["for"],
            "created": written(self._act.uow.now),
        }
        plan |= {"title": title} if title else {}
        plan |= {"encounter": task["encounter"]} if "encounter" in task else {}
        reason = task.get("reasonReference", {})
        if reason.get("reference", "").startswith("Condition/"):
            plan["addresses"] = [reason]
        plan = self._in_own_name(plan)
        command = Create(resource_type=PLAN, resource=plan)
        return Step(step.place, command, plan["id"], plan, person=step.person, decision=FOLLOWS)

    def _in_own_name(self, plan: Resource) -> Resource:
        """The plan with the caller as its custodian, and as its author where it names none (C-31).

        The author of a SIP is the body that has the overall responsibility: who writes it does not become that.
        """
        caller = self._act.asking.caller
        own: Resource = {"type": "Organization", "identifier": {"system": HSA_ID, "value": caller.hsa_id}}
        own |= {"display": caller.name} if caller.name else {}
        made: Resource = dict(plan) if is_sip(plan) else {"author": own} | plan
        if not any(one.get("url") == CUSTODIAN for one in plan.get("extension", ())):
            keeper = custodian(plan) or own
            made["extension"] = [*plan.get("extension", ()), {"url": CUSTODIAN, "valueReference": keeper}]
        return made

    def _roles(self, plan: Resource, stored: Stored | None, standings: Standings) -> frozenset[Role]:
        keeper = custodian(plan)
        found: set[Role] = set()
        if keeper is not None:
            found |= {Role.COORDINATOR} if standings.own(standings.named(keeper)) else set()
        elif stored is not None and set(stored.contributors) & self._act.reading.own(self._act.asking.caller):
            found.add(Role.COORDINATOR)  # Nobody is named: those who state it answer for it.
        if any(standings.own(one) for one in standings.members(plan)):
            found.add(Role.MEMBER)
        return frozenset(found or {Role.OTHER})

    def _standings(self) -> Standings:
        """By what is stored: what is written beside it makes nobody a member of what was there."""
        return Standings(self._act.rooms, self._act.uow, self._act.asking.caller)

    def _stored(self, thing: Thing) -> Stored | None:
        found = self._act.uow.resources.read_many([thing]).get(thing)
        return None if found is None or found.deleted else found

    def _id(self, named: Mapping[str, Any]) -> str | None:
        """The id of the plan that a reference leads to, by its literal or by a known identifier."""
        target = reference.parse(str(named.get("reference", "")))
        if target.kind == "relative" and target.type == PLAN:
            return target.id
        identifier = named.get("identifier", {})
        key = (PLAN, str(identifier.get("system")), str(identifier.get("value")))
        return self._act.uow.identifiers.find([key]).get(key)


def _before(step: Step) -> Resource | None:
    return None if step.current is None or step.current.deleted else step.current.resource()


def _without_meta(plan: Resource) -> Resource:
    return {name: value for name, value in plan.items() if name not in ("id", "meta")}


def _is_plan(named: Mapping[str, Any]) -> bool:
    return named.get("type") == PLAN or reference.parse(str(named.get("reference", ""))).type == PLAN


def _may_share(made: Step, step: Step, task: Resource) -> bool:
    return made.person == step.person and made.resource is not None and rules.same_context(made.resource, task)


def _exists(found: list[Stored]) -> Conflict:
    issues = []
    for one in found[:MOST_OFFERED]:
        text = rules.told("plan-exists", plan=f"{PLAN}/{one.id}")
        issues.append(
            Issue(
                "error",
                Conflict.code,
                "plan-exists",
                text.en,
                where=f"{PLAN}/{one.id}",
                expression="Task.basedOn",
                swedish=text.sv,
                requirement="C-25",
            )
        )
    return Conflict(issues[0].text, issues=issues)
