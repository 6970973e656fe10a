"""Observation/$lastn: the last few observations of each code, by GET with search parameters, or by form.

https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.rest.format import negotiate, parted
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered, base_of
from gateway.rest.searches import form

MAX: Final = "max"


async def lastn(request: Request) -> Response:
    return await _answered(request, request.query_params.multi_items())


async def lastn_by_post(request: Request) -> Response:
    return await _answered(request, [*request.query_params.multi_items(), *await form(request)])


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/fhir/Observation/$lastn", lastn_by_post),
    ("GET", "/fhir/Observation/$lastn", lastn),
)


async def _answered(request: Request, params: list[tuple[str, str]]) -> Response:
    negotiate(request, params)
    who = asking(request, "lastn")
    asked, shown = parted(params)
    most = [value for name, value in asked if name == MAX]
    if len(most) > 1:
        raise BadRequest(f"{MAX} may be given once.", rule="parameter-repeated", where=MAX)
    if most and not (most[0].isdecimal() and 0 < int(most[0]) <= 1000):
        raise BadRequest(f"{MAX} is a number from 1 to 1000.", rule="parameter-malformed", where=MAX)
    criteria = [one for one in asked if one[0] != MAX]
    number = int(most[0]) if most else 1
    body = await in_thread(door_of(request).lastn, who, criteria, most=number, base=base_of(request), shown=shown)
    return await answered(request, body, entries=True)
