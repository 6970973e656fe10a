"""A plan's activities are its Tasks: references, never details of its own, with what came of them (C-32).

https://hl7.org/fhir/R4/careplan-definitions.html#CarePlan.activity
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.coordination.plans.basis import Basis
from gateway.coordination.values import unite
from gateway.records import Resource


def activities(plan: Resource, tasks: Sequence[Basis]) -> list[dict[str, Any]]:
    """What sources list as activities, in their order, then the Tasks that they do not list; each with its outcomes."""
    found: list[dict[str, Any]] = [dict(one) for one in plan.get("activity", ())]
    listed = {one.get("reference", {}).get("reference") for one in found}
    found += [{"reference": {"reference": one.reference}} for one in tasks if one.reference not in listed]
    outcomes = {one.reference: _outcomes(one.resource) for one in tasks}
    for activity in found:
        told = outcomes.get(str(activity.get("reference", {}).get("reference")))
        if told:
            activity["outcomeReference"] = unite([activity.get("outcomeReference", []), told])
    return found


def _outcomes(task: Resource) -> list[dict[str, Any]]:
    return [one["valueReference"] for one in task.get("output", ()) if "valueReference" in one]
