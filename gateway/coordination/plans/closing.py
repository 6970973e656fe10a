"""Plans that are for their own team: plan, team and Tasks say so by a label, and others do not know of them.

Who answers for a plan labels it `plan-team-only`. What follows from it bears compartment labels: opaque names of the
plan, and for a Task also of the Task, so that who is asked sees what he is asked, and not the plan (C-34). They follow
from the plan as it is, and nobody states them. ADR 53

https://hl7.org/fhir/R4/security-labels.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from gateway.coordination.compartments import COMPARTMENT, compartment, compartments, unlabelled
from gateway.coordination.layout import laid_out, marks_of
from gateway.coordination.plans.basis import labelled, plans_of
from gateway.definitions import CANONICAL
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed

TEAM_ONLY: Final = (f"{CANONICAL}/CodeSystem/security-label", "plan-team-only")
_NAMING: Final[Mapping[str, tuple[str, ...]]] = {
    "CarePlan": ("extension", "author", "contributor"),
    "CareTeam": ("participant", "managingOrganization"),
    "Task": ("owner", "requester", "restriction", "extension"),
}
"""The elements that name who is within."""
CLOSED_WITH_A_PLAN: Final = frozenset(_NAMING)


def closed(agreed: Collection[Agreed], tasks: Iterable[Agreed]) -> Iterator[Agreed]:
    """Plans, teams and Tasks with the labels that follow, where they are others than these have.

    `agreed` are the plans and teams; `tasks` all that are based on one of the plans.
    """
    only = {one.id for one in agreed if one.resource_type == "CarePlan" and labelled(one.resource, TEAM_ONLY)}
    known = {one.id for one in agreed if one.resource_type == "CarePlan"}
    for one in agreed:
        names = {_own(one)} if one.id in only else set[str]()
        if not one.deleted and compartments(one.resource) != names:
            yield _with(one, names)
    for task in tasks:
        of = set(plans_of(task.resource))
        if task.deleted or (of and not of <= known):
            continue  # The labels are told from all of its plans, or not at all.
        names = {compartment(f"CarePlan/{id}") for id in of & only}
        names |= {_own(task)} if names else set()
        if compartments(task.resource) != names:
            yield _with(task, names)


def within(agreed: Iterable[Agreed]) -> Iterator[tuple[str, str]]:
    """Who is within which compartment, by HSA-id: the team and who answers for a plan; the sides of a Task."""
    for one in agreed:
        if one.deleted or one.resource_type not in _NAMING or not compartments(one.resource):
            continue
        named = {name: one.resource[name] for name in _NAMING[one.resource_type] if name in one.resource}
        for _, (_, system, value) in logical_references(named):
            if system == HSA_ID:
                yield value, _own(one)


def _with(one: Agreed, names: Collection[str]) -> Agreed:
    resource = unlabelled(one.resource)
    if names:
        labels = [{"system": COMPARTMENT, "code": name} for name in sorted(names)]
        meta = dict(resource.get("meta", {}))
        resource = resource | {"meta": meta | {"security": [*meta.get("security", ()), *labels]}}
    content = {name: value for name, value in resource.items() if name not in ("resourceType", "id")}
    return replace(one, resource=laid_out(one.resource_type, one.id, content, marks_of(resource), {}))


def _own(one: Agreed) -> str:
    """The compartment of a plan, which is its team's, or of a Task."""
    kind = "CarePlan" if one.resource_type == "CareTeam" else one.resource_type
    return compartment(f"{kind}/{one.id}")
