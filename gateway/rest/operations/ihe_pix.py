"""Patient/$ihe-pix: the other identifiers of a person, as IHE's PIXm has it.

https://profiles.ihe.net/ITI/PIXm/ITI-83.html
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered, base_of

SOURCE, TARGET = "sourceIdentifier", "targetSystem"


async def ihe_pix(request: Request) -> Response:
    negotiate(request)
    for name in request.query_params:
        if name not in (SOURCE, TARGET, *PRESENTATION):
            text = f"There is no parameter of this name. Parameters: {SOURCE}, {TARGET}."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    tokens = request.query_params.getlist(SOURCE)
    if len(tokens) != 1:
        rule = "parameter-repeated" if tokens else "parameter-missing"
        raise BadRequest(f"Give {SOURCE} once, as system|value.", rule=rule, where=SOURCE)
    system, _, value = tokens[0].partition("|")
    return await _answered(request, system, value, request.query_params.getlist(TARGET))


async def ihe_pix_by_post(request: Request) -> Response:
    negotiate(request)
    door = door_of(request)
    asking(request, "ihe-pix")
    op = parameters.operation(door.definitions, "Patient", "ihe-pix")
    given = await parameters.sent(request, op, door.definitions)
    source: dict[str, Any] = given.one(SOURCE)
    system, value = (str(source.get(name, "")) for name in ("system", "value"))
    return await _answered(request, system, value, [str(one) for one in given.all(TARGET)])


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/fhir/Patient/$ihe-pix", ihe_pix_by_post),
    ("GET", "/fhir/Patient/$ihe-pix", ihe_pix),
)


async def _answered(request: Request, system: str, value: str, targets: list[str]) -> Response:
    who, door = asking(request, "ihe-pix"), door_of(request)
    if not system or not value:
        text = "An identifier is told by its system and its value."
        raise BadRequest(text, rule="parameter-malformed", where=SOURCE)
    told = await in_thread(door.cross_references, who, (system, value), targets, base_of(request))
    return await answered(request, dump(told))
