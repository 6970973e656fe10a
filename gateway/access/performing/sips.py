"""A SIP that is written is held to the law: once it is settled it leaves nothing open, and its parties are asked.

While the person has not consented, what is drawn up is withheld from other providers, and nobody is asked. A plan that
is settled asks its parties: the drafts of its Tasks are requested in the same unit of work, so that each accepts or
declines its own. HSL (2017:30) 16 kap. 4 §, SoL (2025:400) 10 kap. 8 and 9 §§.

docs/sip.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.access.answers import with_those_above
from gateway.access.commands import Update
from gateway.access.performing.finding import persons_of
from gateway.access.performing.following import FOLLOWS, NOTHING
from gateway.access.performing.steps import Act, Step, Thing
from gateway.access.standing import Standings
from gateway.coordination import sip, tasks
from gateway.coordination.consenting import in_force, is_drawn_up, is_sip
from gateway.coordination.directory import Directory
from gateway.coordination.negotiation.conditions import kind_of
from gateway.coordination.plans import plans_of, rules
from gateway.coordination.plans.basis import WITHHELD, labelled
from gateway.coordination.plans.rules import PLAN
from gateway.coordination.sip import Question
from gateway.errors import BusinessRule
from gateway.fhir import reference
from gateway.identity.resolve import Key, logical_references
from gateway.issues import Issue, Severity
from gateway.records import Resource
from gateway.store import Stored

TASK: Final = "Task"
CONSENT: Final = "Consent"
_HAVE_NO_SYSTEM: Final = frozenset({"Patient", "RelatedPerson"})
_UNASKED: Final = frozenset({"draft", "cancelled", "entered-in-error"})


class Sips:
    """Holds the commands of one act to the law."""

    def __init__(self, act: Act) -> None:
        self._act = act

    def open_questions(
        self, plan: Resource, person: str | None, beside: Mapping[Thing, Resource] = NOTHING
    ) -> list[Question]:
        """What the plan leaves open, with the Tasks that are stored, or written `beside` it."""
        based = [one for one in self._based(plan, beside) if sip.is_activity(one)]
        overall = sip.overall_of(plan)
        directory = self._directory([overall, *(sip.accountable(one)[1] for one in based)])
        return list(
            sip.questions(
                based,
                consented=self._consented(plan, person, beside),
                overall=sip.huvudman(directory.unit(overall), directory) is not None,
                directory=directory,
            )
        )

    def told(self, plan: Resource) -> list[Issue]:
        """What a SIP leaves open, as $validate tells it: errors once it is settled, until then what is left to do."""
        if not is_sip(plan):
            return []
        severity: Severity = "error" if sip.is_settled(plan) else "warning"
        (person,) = persons_of(self._act.uow, [plan])
        return [told(one, severity) for one in self.open_questions(plan, person)]

    def plan(self, step: Step, before: Resource | None, after: Resource, beside: Mapping[Thing, Resource]) -> None:
        """Refusal where a settled plan leaves open what it did not before; else the labels, and whom it asks."""
        if not is_sip(after) or step.resource is None:
            return
        was_settled = before is not None and is_sip(before) and sip.is_settled(before)
        if sip.is_settled(after):
            found = self.open_questions(after, step.person, beside)
            # What a source left open may be mended step by step.
            known = self.open_questions(before, step.person) if found and was_settled and before else []
            if new := [one for one in found if _key(one) not in {_key(other) for other in known}]:
                raise _refusal(new)
        withheld = self._withheld(after, step.person, beside)
        step.resource = _with_label(step.resource, withheld=withheld)
        asks = sip.is_settled(after) and not was_settled
        step.following = (*step.following, *self._following(step, beside, withheld=withheld, asks=asks))

    def task(self, step: Step, before: Resource | None, beside: Mapping[Thing, Resource]) -> None:
        """Refusal where a Task of a SIP asks without consent, or leaves open who answers for it."""
        task = step.resource
        plan = self._plan_of(task, beside) if task is not None else None
        if task is None or plan is None:
            return
        withheld = self._withheld(plan, step.person, beside)
        begins = before is None or before.get("status") in _UNASKED
        asks = task.get("status") not in _UNASKED
        if withheld and begins and asks:
            raise _refusal_of([_issue("sip-asks-without-consent", "SIP-0", "Task.status")])
        said = sip.accountable(task)
        news = begins or (before is not None and sip.accountable(before) != said)
        if sip.is_settled(plan) and sip.is_activity(task) and asks and news:
            code = sip.unaccounted(task, self._directory([said[1]]))
            if code is not None:
                raise _refusal([Question(code, task)])
        if begins and task.get("status") == "requested" and self._is_nobody_here(task):
            task = task | {"status": "accepted"}
        # Who was asked goes on seeing it, and so does who asked him.
        step.resource = _with_label(task, withheld=withheld and not asks)

    def _following(self, step: Step, beside: Mapping[Thing, Resource], *, withheld: bool, asks: bool) -> Iterator[Step]:
        """The caller's own Tasks of the plan, which are withheld as long as it is, and asked once it is settled."""
        standings = Standings(self._act.rooms, self._act.uow, self._act.asking.caller)
        for stored in self._act.uow.resources.naming(TASK, ("based-on",), PLAN, [step.id]):
            now = stored.resource()
            if now.get("status") in sip.GONE:  # What was taken back, beside this even, is not said again.
                continue
            if (TASK, stored.id) in beside or not standings.own(standings.named(now.get("requester"))):
                continue
            becomes = _with_label(now, withheld=withheld and now.get("status") in _UNASKED)
            if asks and now.get("status") == "draft" and sip.is_activity(now):
                becomes = becomes | {"status": self._asked(now, standings)}
            if becomes != now:
                command = Update(resource_type=TASK, target=stored.id, resource=becomes)
                stated = tasks.command(becomes, now)
                yield Step(
                    step.place, command, stored.id, stated, current=stored, person=stored.person, decision=FOLLOWS
                )

    def _asked(self, task: Resource, standings: Standings) -> str:
        """Who settles the plan takes his own by that, and vouches for a relative, who has no system to answer in."""
        mine = standings.named(task.get("owner")) == self._act.asking.caller.hsa_id
        return "accepted" if mine or self._is_nobody_here(task) else "requested"

    @staticmethod
    def _is_nobody_here(task: Resource) -> bool:
        """Whether the person or a relative does it: who asks has asked him, and vouches for the answer."""
        return kind_of(task.get("owner")) in _HAVE_NO_SYSTEM

    def _withheld(self, plan: Resource, person: str | None, beside: Mapping[Thing, Resource]) -> bool:
        return is_drawn_up(plan) and not self._consented(plan, person, beside)

    def _consented(self, plan: Resource, person: str | None, beside: Mapping[Thing, Resource]) -> bool:
        """Whether the plan refers to a consent of the person that is in force, and that the caller may see."""
        return any(
            persons_of(self._act.uow, [one]) == [person] and in_force(one, self._act.uow.now)
            for named in plan.get("supportingInfo", ())
            if (one := self._resource(CONSENT, named, beside)) is not None
        )

    def _plan_of(self, task: Resource, beside: Mapping[Thing, Resource]) -> Resource | None:
        """The SIP that a Task is based on."""
        for id in plans_of(task):
            stored = None if (PLAN, id) in beside else self._stored((PLAN, id))
            plan = beside.get((PLAN, id)) or (stored.resource() if stored else None)
            if plan is not None and is_sip(plan):
                return plan
        return None

    def _based(self, plan: Resource, beside: Mapping[Thing, Resource]) -> Iterator[Resource]:
        id = plan.get("id")
        if not id:
            return
        for stored in self._act.uow.resources.naming(TASK, ("based-on",), PLAN, [id]):
            if (TASK, stored.id) not in beside:
                yield stored.resource()
        yield from (one for (kind, _), one in beside.items() if kind == TASK and id in plans_of(one))

    def _resource(self, kind: str, named: Mapping[str, Any], beside: Mapping[Thing, Resource]) -> Resource | None:
        """What a reference leads to, by its literal or by a known identifier, where the caller may see it."""
        target = reference.parse(str(named.get("reference", "")))
        id = target.id if target.kind == "relative" and target.type == kind else None
        if id is None:
            identifier = named.get("identifier", {})
            key = (kind, str(identifier.get("system")), str(identifier.get("value")))
            id = self._act.uow.identifiers.find([key]).get(key)
        if id is None or (kind, id) in beside:
            return beside.get((kind, id or ""))
        stored = self._stored((kind, id))
        seen = stored is not None and self._act.reading.may_see(self._act.uow, self._act.asking, stored).allowed
        return stored.resource() if stored is not None and seen else None

    def _stored(self, thing: Thing) -> Stored | None:
        found = self._act.uow.resources.read_many([thing]).get(thing)
        return None if found is None or found.deleted else found

    def _directory(self, named: Iterable[Mapping[str, Any] | None]) -> Directory:
        """The units that are named, with those above them."""
        given = [{"type": "Organization", **one} for one in named if one]
        keys: set[Key] = {key for one in given for _, key in logical_references({"of": one})}
        literals = [reference.parse(str(one.get("reference", ""))) for one in given]
        things = [("Organization", one.id) for one in literals if one.type == "Organization" and one.id]
        known = {
            one.id: one.resource() for one in self._act.uow.resources.read_many(things).values() if not one.deleted
        }
        keys |= {key for one in known.values() for _, key in logical_references(one)}
        above = with_those_above(self._act.uow, keys, self._act.uow.now)
        return Directory([*(known | {one["id"]: one for one in above}).values()])


def told(question: Question, severity: Severity) -> Issue:
    """A question that is left open, as it is told: with the Task that it is about."""
    where = None if question.task is None or "id" not in question.task else f"{TASK}/{question.task['id']}"
    return _issue(question.code, question.requirement, question.path, where, severity)


def _issue(code: str, requirement: str, path: str, where: str | None = None, severity: Severity = "error") -> Issue:
    text = rules.told(code)
    return Issue(
        severity,
        BusinessRule.code,
        code,
        text.en,
        where=where,
        expression=path,
        swedish=text.sv,
        requirement=requirement,
    )


def _refusal(found: Iterable[Question]) -> BusinessRule:
    return _refusal_of([told(one, "error") for one in found])


def _refusal_of(issues: list[Issue]) -> BusinessRule:
    return BusinessRule(issues[0].text, issues=issues)


def _key(question: Question) -> tuple[str, Any]:
    return question.code, (question.task or {}).get("id")


def _with_label(resource: Resource, *, withheld: bool) -> Resource:
    """The resource, kept from other providers or not."""
    if labelled(resource, WITHHELD) == withheld:
        return resource
    system, code = WITHHELD
    meta = dict(resource.get("meta", {}))
    others = [one for one in meta.pop("security", ()) if (one.get("system"), one.get("code")) != WITHHELD]
    labels = [*others, {"system": system, "code": code}] if withheld else others
    meta |= {"security": labels} if labels else {}
    bare = {name: value for name, value in resource.items() if name != "meta"}
    return bare | ({"meta": meta} if meta else {})
