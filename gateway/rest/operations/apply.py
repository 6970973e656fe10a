"""ActivityDefinition/$apply and PlanDefinition/$apply: the draft that a definition leads to for a subject.

https://hl7.org/fhir/R4/activitydefinition-operation-apply.html, plandefinition-operation-apply.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.applying import Apply
from gateway.errors import BadRequest, Unprocessable
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered

REFERENCES: Final = ("subject", "encounter", "practitioner", "organization")
CONCEPTS: Final = ("userType", "userLanguage", "userTaskContext", "setting", "settingContext")
SENT: Final[Mapping[str, str]] = {"ActivityDefinition": "activityDefinition", "PlanDefinition": "planDefinition"}


async def apply_activity(request: Request) -> Response:
    return await _applied(request, "ActivityDefinition")


async def apply_activity_instance(request: Request, id: str) -> Response:
    return await _applied(request, "ActivityDefinition", id)


async def apply_activity_instance_by_post(request: Request, id: str) -> Response:
    return await _applied(request, "ActivityDefinition", id)


async def apply_plan(request: Request) -> Response:
    return await _applied(request, "PlanDefinition")


async def apply_plan_instance(request: Request, id: str) -> Response:
    return await _applied(request, "PlanDefinition", id)


async def apply_plan_instance_by_post(request: Request, id: str) -> Response:
    return await _applied(request, "PlanDefinition", id)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/fhir/ActivityDefinition/$apply", apply_activity),
    ("GET", "/fhir/ActivityDefinition/{id}/$apply", apply_activity_instance),
    ("POST", "/fhir/ActivityDefinition/{id}/$apply", apply_activity_instance_by_post),
    ("POST", "/fhir/PlanDefinition/$apply", apply_plan),
    ("GET", "/fhir/PlanDefinition/{id}/$apply", apply_plan_instance),
    ("POST", "/fhir/PlanDefinition/{id}/$apply", apply_plan_instance_by_post),
)


async def _applied(request: Request, resource_type: str, id: str | None = None) -> Response:
    negotiate(request)
    who = asking(request, "apply")
    door = door_of(request)
    op = parameters.operation(door.definitions, resource_type, "apply")
    if request.method == "POST":
        given = await parameters.sent(request, op, door.definitions)
    else:
        given = parameters.asked(request, op)
    result = await in_thread(door.apply, who, _asked(given, resource_type, id))
    return await answered(request, dump(result))


def _asked(given: Given, resource_type: str, id: str | None) -> Apply:
    name = SENT[resource_type]
    sent = given.one(name)
    if (sent is None) is (id is None):
        text = f"Give {name}, or call the operation on a stored one."
        if id is not None:
            text = f"{name} is given where the operation is called on the type only."
        raise BadRequest(text, rule="parameter-missing" if id is None else "parameter-not-offered", where=name)
    if len(given.all("subject")) > 1:
        text = "A definition is applied to one subject at a time: call the operation for each."
        raise Unprocessable(text, rule="apply-several-subjects", where="subject")
    return Apply(
        resource_type=resource_type,
        id=id,
        sent=sent,
        references={one: str(given.one(one)) for one in REFERENCES if one in given},
        concepts={one: given.one(one) for one in CONCEPTS if one in given},
    )
