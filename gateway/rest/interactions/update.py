"""FHIR update: a resource under an id the client names, or in the place of what meets a search; created where none was.

https://hl7.org/fhir/R4/http.html#update, https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.commands import Target
from gateway.access.together import Sent
from gateway.rest.binary import sent, settle
from gateway.rest.conditions import if_match, if_none_match, meant
from gateway.rest.request import asking, door_of, in_thread, stored
from gateway.rest.response import written


async def update(request: Request, resource_type: str, id: str) -> Response:
    return await _update(request, resource_type, id)


async def update_conditional(request: Request, resource_type: str) -> Response:
    return await _update(request, resource_type, meant(request))


async def _update(request: Request, resource_type: str, target: Target) -> Response:
    settle(request, resource_type)
    who = asking(request, "update")
    came = await sent(request, resource_type)
    versions = {"if_match": if_match(request), "if_none_match": if_none_match(request)}
    if isinstance(target, str):
        return await written(request, await stored(request, Sent(who, resource_type, came, target, **versions)))
    done = await in_thread(door_of(request).update, who, resource_type, target, came, **versions)
    return await written(request, done)
