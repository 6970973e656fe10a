"""FHIR patch: a change of the resource as it is, in one of the three languages that R4 has for it.

https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway import patch as patches
from gateway.access.commands import Target
from gateway.rest.conditions import if_match, meant
from gateway.rest.format import PATCHES, negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import written


async def patch(request: Request, resource_type: str, id: str) -> Response:
    return await _patch(request, resource_type, id)


async def patch_conditional(request: Request, resource_type: str) -> Response:
    return await _patch(request, resource_type, meant(request))


async def _patch(request: Request, resource_type: str, target: Target) -> Response:
    negotiate(request)
    who = asking(request, "patch")
    door = door_of(request)
    door.known_type(resource_type)
    sent = await body(request, PATCHES)
    change = await in_thread(patches.read, sent.raw, sent.media_type, resource_type, door.definitions)
    return await written(
        request, await in_thread(door.patch, who, resource_type, target, sent, change, if_match=if_match(request))
    )
