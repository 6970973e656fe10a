"""$validate: what is wrong with a resource, of a type, of one that is stored, and of any.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.validating import Question
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import answered, base_of

CODE: Final = "validate"
TAKEN: Final = ("profile", "mode")


async def validate_system(request: Request) -> Response:
    return await _answer(request, None, None, sends=True)


async def validate(request: Request, resource_type: str) -> Response:
    return await _answer(request, resource_type, None, sends=True)


async def validate_instance(request: Request, resource_type: str, id: str) -> Response:
    return await _answer(request, resource_type, id, sends=False)


async def validate_instance_by_post(request: Request, resource_type: str, id: str) -> Response:
    return await _answer(request, resource_type, id, sends=True)


async def _answer(request: Request, resource_type: str | None, id: str | None, *, sends: bool) -> Response:
    negotiate(request)
    who = asking(request, CODE)
    for name in request.query_params:
        if name not in (*TAKEN, *PRESENTATION):
            text = f"There is no parameter of this name. Parameters: {', '.join(TAKEN)}."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    modes = request.query_params.getlist("mode")
    if len(modes) > 1:
        raise BadRequest("mode is given once.", rule="parameter-repeated", where="mode")
    # A resource need not be sent where one is named: then there is no media type either.
    empty = (
        id is not None
        and request.headers.get("content-length", "0") == "0"
        and "transfer-encoding" not in (request.headers)
    )
    question = Question(
        resource_type=resource_type,
        id=id,
        body=await body(request) if sends and not empty else None,
        profiles=tuple(one for one in request.query_params.getlist("profile") if one),
        mode=next(iter(modes), None),
    )
    return await answered(request, dump(await in_thread(door_of(request).validate, who, question, base_of(request))))
