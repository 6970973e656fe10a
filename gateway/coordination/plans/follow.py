"""From the agreed plans and Tasks to the plans with their activities, and their teams: one step behind the agreement.

https://hl7.org/fhir/R4/careplan.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.coordination.agreements import Steps
from gateway.coordination.layout import laid_out, marks_of
from gateway.coordination.plans.activities import activities
from gateway.coordination.plans.basis import basis
from gateway.coordination.plans.merging import Merger, absorbed, mergers
from gateway.coordination.plans.rules import CONTAINED, PLAN, REPLACED_BY, TEAM, revoked
from gateway.coordination.plans.team import team
from gateway.coordination.values import reference_key
from gateway.records import Agreed, Resource

Following = tuple[Agreed, Agreed | None]
"""A plan, and its team."""


def follow_all(
    plans: Mapping[str, Agreed],
    tasks: Iterable[Agreed],
    stated: Mapping[str, Agreed],
    steps: Steps,
    *,
    contained: bool = False,
) -> dict[str, Following]:
    """The plans with their activities, and their teams, by id; no team where no Task counts for the plan.

    `stated` is what others say of the teams. `contained`: each plan holds its team within itself, too (C-30).
    """
    given = list(tasks)
    held = mergers(plans, given)
    found: dict[str, Following] = {}
    for id, plan in plans.items():
        found[id] = _follow(plan, given, stated.get(id), steps, held, contained=contained)
    return found


def follow(plan: Agreed, tasks: Iterable[Agreed], stated: Agreed | None, steps: Steps) -> Following:
    """One plan by itself."""
    return follow_all({plan.id: plan}, tasks, {plan.id: stated} if stated else {}, steps)[plan.id]


def _follow(
    plan: Agreed,
    tasks: Iterable[Agreed],
    stated: Agreed | None,
    steps: Steps,
    held: Collection[Merger],
    *,
    contained: bool,
) -> Following:
    into = next((one for one in held if one.plan == plan.id), None)
    others = absorbed(plan.id, held)
    counted = [] if plan.deleted else basis(plan, tasks, [one.plan for one in others])
    if not (counted or others or into):  # A plan on which no Task is based is as its sources have it.
        return plan, stated
    resource = {name: value for name, value in plan.resource.items() if name not in ("resourceType", "id")}
    if into is not None:
        resource = _gone_on(resource, into)
    if others:
        resource["replaces"] = _replacing(resource, others)
    if counted:
        resource["activity"] = activities(plan.resource, counted)
    ours = f"{TEAM}/{plan.id}"
    teams = [one for one in resource.get("careTeam", ()) if one.get("reference") not in (ours, f"#{CONTAINED}")]
    resource["careTeam"] = [{"reference": ours}, *teams]
    made = team(replace(plan, resource=plan.resource | resource), stated, counted, steps, [one.task for one in others])
    if contained:
        resource["careTeam"].insert(0, {"reference": f"#{CONTAINED}"})
        kept = [one for one in resource.get("contained", ()) if one.get("id") != CONTAINED]
        resource["contained"] = [_within(made.resource), *kept]
    laid = laid_out(PLAN, plan.id, resource, marks_of(plan.resource), {})
    return replace(plan, resource=laid), made


def _gone_on(plan: Resource, merger: Merger) -> Resource:
    """A plan that goes on in another: it has ended, and says where."""
    said = [one for one in plan.get("extension", ()) if one.get("url") != REPLACED_BY]
    other = {"url": REPLACED_BY, "valueReference": {"reference": f"{PLAN}/{merger.into}"}}
    return revoked(plan) | {"extension": [*said, other]}


def _replacing(plan: Resource, others: Sequence[Merger]) -> list[dict[str, Any]]:
    before = list(plan.get("replaces", ()))
    known = {reference_key(one) for one in before}
    new = [f"{PLAN}/{one.plan}" for one in others]
    return [*before, *({"reference": one} for one in new if one not in known)]


def _within(team: Resource) -> Resource:
    """A team as it is contained: under an id of its own, and by the labels of the plan."""
    return {name: value for name, value in team.items() if name != "meta"} | {"id": CONTAINED}
