"""What callers may change of a plan and of its team, by tables: decisions that are values (C-22, C-23, C-31, C-32).

Rules refuse commands, never facts: what a source reports of a plan does not come here, nor what the operator writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.coordination import agreements
from gateway.coordination.compartments import unlabelled
from gateway.coordination.negotiation import Breach, Kind, Role
from gateway.coordination.plans.team import CUSTODIAN, follows
from gateway.coordination.words import Part, Words, both
from gateway.definitions import CANONICAL
from gateway.records import Resource

PLAN: Final = "CarePlan"
TEAM: Final = "CareTeam"
CONTAINED: Final = "care-team"
"""The id of a team within its plan."""
REPLACED_BY: Final = f"{CANONICAL}/StructureDefinition/plan-replaced-by"
_NO_CONTENT: Final = ("resourceType", "id", "meta", "contained")
_NEEDED: Final = ("resourceType", "id", "meta", "contained", "status", "intent", "subject", "identifier")
"""What a resource says of itself in every statement: who it is, what its type demands, what others refer to in it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the caller is to a plan, and the words of it that the rules compare."""

    roles: frozenset[Role]
    names_own: bool = True
    """Whether the custodian that a new plan names is the caller's own organisation."""
    merged: frozenset[str] = frozenset()
    """The plans (`CarePlan/1`) that go on in this one."""
    based: frozenset[str] = frozenset()
    """The Tasks (`Task/1`) that are based on the plan, or are written beside it and will be."""

    @property
    def takes_part(self) -> bool:
        return bool(self.roles & {Role.COORDINATOR, Role.MEMBER})


def judge_plan(before: Resource | None, after: Resource | None, standing: Standing) -> tuple[Breach, ...]:
    """The rules that a change of a plan breaks; `before` None: it is created, `after` None: it is deleted."""
    if before is None:
        return tuple(_created(after or {}, standing))
    if any(one.get("url") == REPLACED_BY for one in before.get("extension", ())):
        return (_breach("plan-goes-on-elsewhere", Kind.NOT_ALLOWED, "C-35", PLAN, before, after, standing),)
    if after is None:
        if Role.COORDINATOR in standing.roles:
            return ()
        return (_breach("plan-deleted-by-another", Kind.WRONG_ROLE, "C-22", PLAN, before, None, standing),)
    if not standing.takes_part:
        return (_breach("plan-not-yours", Kind.WRONG_ROLE, "C-22", PLAN, before, after, standing),)
    return tuple(_changed(before, after, standing))


def judge_team(before: Resource, after: Resource | None, standing: Standing, *, profile: str) -> tuple[Breach, ...]:
    """The rules that a change of the team of a plan breaks; where nobody has written it yet, `before` is empty."""
    table = _table(TEAM)
    if profile in table["read-only"]:
        return (_breach("team-read-only", Kind.NOT_ALLOWED, "C-23", TEAM, before, after, standing),)
    if after is None:
        return (_breach("team-not-deleted", Kind.NOT_ALLOWED, "C-23", TEAM, before, after, standing),)
    if not standing.takes_part:
        return (_breach("plan-not-yours", Kind.WRONG_ROLE, "C-23", TEAM, before, after, standing),)
    return tuple(_team_changed(before, after, standing, table["fixed"]))


def stated_plan(after: Resource, standing: Standing) -> Resource:
    """What a caller states of a plan: the coordinator all but what follows, a member what members share."""
    table, after = _table(PLAN), unlabelled(after)
    stated = {name: value for name, value in after.items() if name not in table["follows"]}
    ours = (f"{TEAM}/{after.get('id')}", f"#{CONTAINED}")
    others = [one for one in after.get("careTeam", ()) if one.get("reference") not in ours]
    within = [one for one in after.get("contained", ()) if one.get("id") != CONTAINED]
    stated = {name: value for name, value in stated.items() if name != "contained"}
    if within:
        stated["contained"] = within
    replacing = [one for one in after.get("replaces", ()) if one.get("reference") not in standing.merged]
    if Role.COORDINATOR in standing.roles:
        return stated | {name: some for name, some in (("careTeam", others), ("replaces", replacing)) if some}
    shared = agreements.authority().shared[PLAN]
    return {name: value for name, value in stated.items() if name in shared or name in _NEEDED}


def stated_team(after: Resource) -> Resource:
    """What a caller states of the team of a plan: what members share, without those who follow from the Tasks."""
    kept, after = agreements.authority().shared[TEAM], unlabelled(after)
    stated = {name: value for name, value in after.items() if name in kept or name in _NEEDED}
    own = [one for one in after.get("participant", ()) if not follows(one)]
    return {name: value for name, value in stated.items() if name != "participant"} | (
        {"participant": own} if own else {}
    )


def revoked(plan: Resource) -> Resource:
    """What a plan is when its coordinator has deleted it: a change of its status."""
    row = _table(PLAN)["deleted"]
    return plan if plan.get("status") in row["unless"] else plan | {"status": row["to"]}


def has_ended(plan: Resource) -> bool:
    return plan.get("status") in _table(PLAN)["ended"]


def is_offered(plan: Resource) -> bool:
    """Whether it is a plan that further Tasks are asked for within."""
    table = agreements.read("plans")["offered"]
    return plan.get("status") in table["status"] and plan.get("intent") in table["intent"]


def makes_plans(profile: str) -> bool:
    """Whether a profile of the Task rules makes a plan for each order that names none."""
    return profile in agreements.read("plans")["planned"]


def contains_team(profile: str) -> bool:
    """Whether by a profile of the Task rules a plan holds its team within itself, beside the team that stands alone."""
    return profile in agreements.read("plans")["contained"]


def same_context(plan: Resource, task: Resource) -> bool:
    """Whether a Task may belong to a plan: not of another encounter, and not for another condition."""
    stays = [one.get("encounter", {}).get("reference") for one in (plan, task)]
    reason = task.get("reasonReference", {}).get("reference", "")
    conditions = [one.get("reference") for one in plan.get("addresses", ())]
    other_stay = None not in stays and stays[0] != stays[1]
    return not other_stay and not (reason.startswith("Condition/") and conditions and reason not in conditions)


def whole_unknown(plan: Resource, place: int) -> Breach:
    """A plan that would be part of one that is not there (C-34)."""
    text = told("plan-whole-unknown")
    return Breach("C-34", "plan-whole-unknown", Kind.BUSINESS_RULE, f"{PLAN}.partOf[{place}]", "new", "", (), (), text)


def told(code: str, **parts: Part) -> Words:
    """The text of a refusal with its blanks filled."""
    row = agreements.read("plans")["refusals"][code]
    return Words(row["sv"], row["en"]).fill(**parts)


def task_breach(code: str, rule: str, path: str, task: Resource, **parts: Part) -> Breach:
    """A rule about the plan of a Task, broken."""
    return Breach(
        rule, code, Kind.BUSINESS_RULE, f"Task.{path}", "", task.get("status", ""), (), (), told(code, **parts)
    )


def _created(after: Resource, standing: Standing) -> Iterator[Breach]:
    if not standing.names_own:
        path = "extension" if any(one.get("url") == CUSTODIAN for one in after.get("extension", ())) else "author"
        yield _breach("plan-of-another-custodian", Kind.WRONG_ROLE, "C-31", f"{PLAN}.{path}", None, after, standing)
    yield from _activities({}, after, standing)
    yield from _contained({}, after, standing)


def _changed(before: Resource, after: Resource, standing: Standing) -> Iterator[Breach]:
    table, shared = _table(PLAN), agreements.authority().shared[PLAN]
    yield from _activities(before, after, standing)
    yield from _contained(before, after, standing)
    if _custodian(before) != _custodian(after):
        yield _breach("plan-custodian-fixed", Kind.NOT_ALLOWED, "C-22", f"{PLAN}.extension", before, after, standing)
    if _security(before) != _security(after) and Role.COORDINATOR not in standing.roles:
        yield _element("plan-element-of-coordinator", Kind.WRONG_ROLE, PLAN, "meta.security", before, after, standing)
    for name in _differing(before, after):
        if name in table["fixed"]:
            yield _element("plan-element-fixed", Kind.NOT_ALLOWED, PLAN, name, before, after, standing)
        elif name in table["follows"]:
            if name != "activity":
                yield _element("plan-element-follows", Kind.NOT_ALLOWED, PLAN, name, before, after, standing)
        elif name not in shared and Role.COORDINATOR not in standing.roles:
            yield _element("plan-element-of-coordinator", Kind.WRONG_ROLE, PLAN, name, before, after, standing)


def _activities(before: Resource, after: Resource, standing: Standing) -> Iterator[Breach]:
    """Activities are as they were; a new plan may name the Tasks that are written beside it."""
    was = before.get("activity", [])
    for number, one in enumerate(after.get("activity", ())):
        if one in was:
            continue
        path = f"{PLAN}.activity[{number}]"
        if "detail" in one:
            yield _breach("plan-activity-detail", Kind.NOT_ALLOWED, "C-32", f"{path}.detail", before, after, standing)
        elif before or one.get("reference", {}).get("reference") not in standing.based:
            element = both("activity")
            yield _breach(
                "plan-element-follows",
                Kind.NOT_ALLOWED,
                "C-22",
                f"{path}.reference",
                before,
                after,
                standing,
                element=element,
            )
    if any(one not in after.get("activity", ()) for one in was):
        yield _element("plan-element-follows", Kind.NOT_ALLOWED, PLAN, "activity", before, after, standing)


def _contained(before: Resource, after: Resource, standing: Standing) -> Iterator[Breach]:
    """A team within the plan is the server's, too."""
    was = [one for one in before.get("contained", ()) if one.get("resourceType") == TEAM]
    for number, one in enumerate(after.get("contained", ())):
        if one.get("resourceType") == TEAM and one not in was:
            path = f"{PLAN}.contained[{number}]"
            yield _breach(
                "plan-element-follows",
                Kind.NOT_ALLOWED,
                "C-22",
                path,
                before,
                after,
                standing,
                element=both("contained"),
            )


def _team_changed(before: Resource, after: Resource, standing: Standing, fixed: Collection[str]) -> Iterator[Breach]:
    """What members share is theirs, but for who follows from the Tasks; who begins a team says more of it."""
    shared = agreements.authority().shared[TEAM]
    if _security(before) != _security(after):
        yield _element("team-follows", Kind.NOT_ALLOWED, TEAM, "meta.security", before, after, standing)
    for name in _differing(before, after):
        if name not in shared and (before or name not in fixed):
            yield _element("team-follows", Kind.NOT_ALLOWED, TEAM, name, before, after, standing)
    following = [[one for one in team.get("participant", ()) if follows(one)] for team in (before, after)]
    if following[0] != following[1]:
        yield _element("team-follows", Kind.NOT_ALLOWED, TEAM, "participant", before, after, standing)


def _differing(before: Resource, after: Resource) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        if name.lstrip("_") not in _NO_CONTENT and before.get(name) != after.get(name):
            yield name


def _security(resource: Resource) -> list[Any]:
    found: list[Any] = resource.get("meta", {}).get("security", [])
    return found


def _custodian(plan: Resource) -> list[Any]:
    return [one.get("valueReference") for one in plan.get("extension", ()) if one.get("url") == CUSTODIAN]


def _element(
    code: str, kind: Kind, of: str, name: str, before: Resource, after: Resource, standing: Standing
) -> Breach:
    rule = "C-22" if of == PLAN else "C-23"
    shared = ", ".join(sorted(agreements.authority().shared[of]))
    return _breach(code, kind, rule, f"{of}.{name}", before, after, standing, element=both(name), shared=both(shared))


def _breach(
    code: str,
    kind: Kind,
    rule: str,
    path: str,
    before: Resource | None,
    after: Resource | None,
    standing: Standing,
    **parts: Part,
) -> Breach:
    start = (before or {}).get("status", "new")
    to = "deleted" if after is None else after.get("status", "")
    order = list(Role).index
    return Breach(rule, code, kind, path, start, to, tuple(sorted(standing.roles, key=order)), (), told(code, **parts))


def _table(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = agreements.read("plans")[name]
    return found
