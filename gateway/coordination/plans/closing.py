"""Plans that are for their own team, or for who draws them up: plan, team and Tasks are closed, and others do not know.

Who answers for a plan labels it `plan-team-only`. What follows from it bears compartment labels: opaque names of the
plan, and for a Task also of the Task, so that who is asked sees what he is asked, and not the plan (C-34). They follow
from the plan as it is, and nobody states them. ADR 53

A draft that leans on a consent which does not hold is closed in the same way, under names of its own: those who were
in its team are not within. ADR 59

https://hl7.org/fhir/R4/security-labels.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.coordination.compartments import COMPARTMENT, compartment, compartments, unlabelled
from gateway.coordination.consenting import is_drawn_up, is_sip
from gateway.coordination.layout import laid_out, marks_of
from gateway.coordination.plans.basis import WITHHELD, labelled, plans_of
from gateway.coordination.plans.team import custodian
from gateway.coordination.shared import COMMANDS
from gateway.coordination.statements import OPERATOR_SOURCE
from gateway.definitions import CANONICAL
from gateway.fhir import reference
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Resource

TEAM_ONLY: Final = (f"{CANONICAL}/CodeSystem/security-label", "plan-team-only")
_NAMING: Final[Mapping[str, tuple[str, ...]]] = {
    "CarePlan": ("extension", "author", "contributor"),
    "CareTeam": ("participant", "managingOrganization"),
    "Task": ("owner", "requester", "restriction", "extension"),
}
"""The elements that name who is within."""
ACCOUNT: Final = "Provenance"
"""What tells of a version who made it and why: it is closed with what it is about."""
CLOSED_WITH_A_PLAN: Final = frozenset((*_NAMING, ACCOUNT))
_DRAFT: Final = "draft|"
"""How what a compartment of those who draw up a plan is named after begins."""
_UNASKED: Final = frozenset({"draft", "cancelled", "entered-in-error"})


def closed(
    agreed: Collection[Agreed], tasks: Iterable[Agreed], unconsented: Collection[str] = frozenset()
) -> Iterator[Agreed]:
    """Plans, teams and Tasks with the labels that follow, where they are others than these have.

    `agreed` are the plans and teams; `tasks` all that are based on one of the plans; `unconsented` the ids of the
    drafts whose consent does not hold.
    """
    plans = [one for one in agreed if one.resource_type == "CarePlan"]
    known = {one.id for one in plans}
    drafts = known.intersection(unconsented)
    drawn_up = {one.id for one in plans if is_sip(one.resource) and is_drawn_up(one.resource)}
    hidden = {one.id for one in plans if one.id in drawn_up and labelled(one.resource, WITHHELD) and not gives_way(one)}
    only = {one.id for one in plans if labelled(one.resource, TEAM_ONLY)} - drafts
    for one in agreed:
        names = {_own(one, _DRAFT)} if one.id in drafts else {_own(one)} if one.id in only else set[str]()
        opened = _without_label(one) if gives_way(one) else one
        if not one.deleted and (opened is not one or compartments(one.resource) != names):
            yield _with(opened, names)
    for task in tasks:
        of = set(plans_of(task.resource))
        if task.deleted or (of and not of <= known):
            continue  # The labels are told from all of its plans, or not at all.
        names = {compartment(f"{_DRAFT}CarePlan/{id}") for id in of & drafts}
        names |= {_own(task, _DRAFT)} if names else set()
        # Whoever is within another plan of the Task learns nothing of it while its consent is missing.
        names = names or {compartment(f"CarePlan/{id}") for id in of & only}
        names |= {_own(task)} if of & only and not of & drafts else set()
        opened = _without_label(task) if of & drawn_up and is_hidden_from_its_author(task) else task
        names = names or ({_own(task, _DRAFT)} if opened is not task and of & hidden else names)
        if opened is not task or compartments(task.resource) != names:
            yield _with(opened, names)


def closed_with(accounts: Iterable[Agreed], shut: Mapping[tuple[str, str], Collection[str]]) -> Iterator[Agreed]:
    """Provenances with the labels of what they are about, of which `shut` is in compartments."""
    for one in accounts:
        names = {name for thing in targets(one.resource) for name in shut.get(thing, ())}
        if compartments(one.resource) != names:
            yield _with(one, names)


def targets(account: Resource) -> set[tuple[str, str]]:
    """The plans, teams and Tasks that a Provenance is about."""
    named = (reference.parse(str(one.get("reference", ""))) for one in account.get("target", ()))
    return {(one.type, one.id) for one in named if one.type and one.type in _NAMING and one.id}


def may_be_closed(plan: Resource) -> bool:
    """Whether a plan may be closed by what is said of it."""
    return labelled(plan, TEAM_ONLY) or (is_sip(plan) and is_drawn_up(plan))


def within(agreed: Iterable[Agreed], hsa_ids: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Who is within which compartment, by HSA-id: the team and who answers for a plan; the sides of a Task.

    Within a draft whose consent is missing: who keeps it, who asks for a Task of it, and whom he has asked already.
    `hsa_ids` are those of the Organizations that are named by their literals there.
    """
    for one in agreed:
        if one.deleted or one.resource_type not in _NAMING or not (names := compartments(one.resource)):
            continue
        own = _own(one, _DRAFT)
        if own in names:
            drawing_up = _drawing_up(one)
            named = {"of": drawing_up}
            yield from ((hsa_id, own) for id in _ids(drawing_up) for hsa_id in hsa_ids.get(id, ()))
        else:
            own = _own(one)
            named = {name: one.resource[name] for name in _NAMING[one.resource_type] if name in one.resource}
        yield from ((value, own) for _, (_, system, value) in logical_references(named) if system == HSA_ID)


def literals(agreed: Iterable[Agreed]) -> set[str]:
    """The ids of the Organizations that closed drafts and their Tasks name by their literals."""
    shut = [(one, names) for one in agreed if not one.deleted and (names := compartments(one.resource))]
    closed_drafts = [one for one, names in shut if _own(one, _DRAFT) in names]
    return {id for one in closed_drafts for id in _ids(_drawing_up(one))}


def _ids(named: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    targets = (reference.parse(str(one.get("reference", ""))) for one in named)
    return (one.id for one in targets if one.type == "Organization" and one.id)


def _drawing_up(one: Agreed) -> list[Mapping[str, Any]]:
    """The references to those who draw up a plan, or to the sides of a Task of it: whom nobody has asked is none."""
    if one.resource_type == "CarePlan":
        return [keeper] if (keeper := custodian(one.resource)) else []
    asked = one.resource.get("status") not in _UNASKED
    recipients = one.resource.get("restriction", {}).get("recipient", ())
    sides = [one.resource.get("requester"), *([one.resource.get("owner"), *recipients] if asked else ())]
    return [side for side in sides if side] if one.resource_type == "Task" else []


def _with(one: Agreed, names: Collection[str]) -> Agreed:
    resource = unlabelled(one.resource)
    if names:
        labels = [{"system": COMPARTMENT, "code": name} for name in sorted(names)]
        meta = dict(resource.get("meta", {}))
        resource = resource | {"meta": meta | {"security": [*meta.get("security", ()), *labels]}}
    content = {name: value for name, value in resource.items() if name not in ("resourceType", "id")}
    return replace(one, resource=laid_out(one.resource_type, one.id, content, marks_of(resource), {}))


def gives_way(plan: Agreed) -> bool:
    """Whether a SIP that is drawn up has a label that hides it from its author, too."""
    return is_sip(plan.resource) and is_drawn_up(plan.resource) and is_hidden_from_its_author(plan)


def is_hidden_from_its_author(one: Agreed) -> bool:
    """Whether a label keeps from everybody what several, or the operator, wrote over REST, and no source told."""
    others = set(one.contributors) - {OPERATOR_SOURCE}
    several = len(others) > 1 or others != set(one.contributors)
    return several and labelled(one.resource, WITHHELD) and all(source.startswith(COMMANDS) for source in others)


def _without_label(one: Agreed) -> Agreed:
    """The same without the label that hides it from its author, too: compartments take its place (ADR 75)."""
    meta = one.resource["meta"]
    kept = [label for label in meta["security"] if (label.get("system"), label.get("code")) != WITHHELD]
    meta = {name: value for name, value in meta.items() if name != "security"} | ({"security": kept} if kept else {})
    bare = {name: value for name, value in one.resource.items() if name != "meta"}
    return replace(one, resource=bare | ({"meta": meta} if meta else {}))


def _own(one: Agreed, begins: str = "") -> str:
    """The compartment of a plan, which is its team's, or of a Task."""
    kind = "CarePlan" if one.resource_type == "CareTeam" else one.resource_type
    return compartment(f"{begins}{kind}/{one.id}")
