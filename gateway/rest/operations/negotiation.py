"""Task/$next-steps and Task/$validate-transition: what the caller may do with a Task, by GET and by POST.

The OperationDefinitions are `Task-next-steps` and `Task-validate-transition`.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.next_steps import MOST, TASK, Proposed
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered

STEPS: Final = "next-steps"
DRY_RUN: Final = "validate-transition"
SHOWN: Final = 50
"""Tasks of a list where `_count` says nothing."""


async def next_steps(request: Request) -> Response:
    return await _all(request, await _given(request, STEPS, posted=False))


async def next_steps_by_post(request: Request) -> Response:
    return await _all(request, await _given(request, STEPS, posted=True))


async def next_steps_instance(request: Request, id: str) -> Response:
    return await _one(request, await _given(request, STEPS, posted=False), id)


async def next_steps_instance_by_post(request: Request, id: str) -> Response:
    return await _one(request, await _given(request, STEPS, posted=True), id)


async def validate_transition(request: Request) -> Response:
    return await _dry_run(request, await _given(request, DRY_RUN, posted=True))


async def validate_transition_instance(request: Request, id: str) -> Response:
    return await _dry_run(request, await _given(request, DRY_RUN, posted=False), id)


async def validate_transition_instance_by_post(request: Request, id: str) -> Response:
    return await _dry_run(request, await _given(request, DRY_RUN, posted=True), id)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/fhir/Task/$next-steps", next_steps),
    ("POST", "/fhir/Task/$next-steps", next_steps_by_post),
    ("GET", "/fhir/Task/{id}/$next-steps", next_steps_instance),
    ("POST", "/fhir/Task/{id}/$next-steps", next_steps_instance_by_post),
    ("POST", "/fhir/Task/$validate-transition", validate_transition),
    ("GET", "/fhir/Task/{id}/$validate-transition", validate_transition_instance),
    ("POST", "/fhir/Task/{id}/$validate-transition", validate_transition_instance_by_post),
)


async def _given(request: Request, code: str, *, posted: bool) -> Given:
    negotiate(request)
    definitions = door_of(request).definitions
    asking(request, code)
    op = parameters.operation(definitions, TASK, code)
    alone = "resource" if code == DRY_RUN else None
    return await parameters.sent(request, op, definitions, alone=alone) if posted else parameters.asked(request, op)


async def _all(request: Request, given: Given) -> Response:
    count = SHOWN if given.one("_count") is None else int(given.one("_count"))
    if not 0 < count <= MOST:
        raise BadRequest(f"_count is a number from 1 to {MOST}.", rule="parameter-malformed", where="_count")
    told = await in_thread(door_of(request).all_next_steps, asking(request, STEPS), count)
    return await answered(request, dump(told))


async def _one(request: Request, given: Given, id: str) -> Response:
    if "_count" in given:
        raise BadRequest("One Task is asked about: leave _count out.", rule="parameter-not-offered", where="_count")
    told = await in_thread(door_of(request).next_steps, asking(request, STEPS), id)
    return await answered(request, dump(told))


async def _dry_run(request: Request, given: Given, id: str | None = None) -> Response:
    proposed = Proposed(given.one("status"), given.one("resource"))
    told = await in_thread(door_of(request).validate_transition, asking(request, DRY_RUN), id, proposed)
    return await answered(request, dump(told))
