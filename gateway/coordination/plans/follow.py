"""From the agreed plan and Tasks to the plan with its activities, and its team: one step behind the agreement.

https://hl7.org/fhir/R4/careplan.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.coordination.agreements import Steps
from gateway.coordination.layout import laid_out, marks_of
from gateway.coordination.plans.activities import activities
from gateway.coordination.plans.basis import basis
from gateway.coordination.plans.team import team
from gateway.records import Agreed


def follow(plan: Agreed, tasks: Iterable[Agreed], stated: Agreed | None, steps: Steps) -> tuple[Agreed, Agreed | None]:
    """The plan with its activities, and its team; no team where no Task counts for the plan.

    `stated` is what others say of the team. A plan on which no Task is based is as its sources have it.
    """
    counted = [] if plan.deleted else basis(plan, tasks)
    if not counted:
        return plan, stated
    resource = {name: value for name, value in plan.resource.items() if name not in ("resourceType", "id")}
    resource["activity"] = activities(plan.resource, counted)
    ours = {"reference": f"CareTeam/{plan.id}"}
    resource["careTeam"] = [
        ours,
        *(one for one in resource.get("careTeam", ()) if one.get("reference") != ours["reference"]),
    ]
    agreed = replace(plan, resource=laid_out("CarePlan", plan.id, resource, marks_of(plan.resource), {}))
    return agreed, team(plan, stated, counted, steps)
