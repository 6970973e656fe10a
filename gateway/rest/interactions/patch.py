"""FHIR patch: a change of the resource as it is, in one of the three languages that R4 has for it.

https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway import patch as patches
from gateway.rest.format import PATCHES, negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import if_match, written


async def patch(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who = asking(request, "patch")
    door = door_of(request)
    door.known_type(resource_type)
    sent = await body(request, PATCHES)
    change = await in_thread(patches.read, sent.raw, sent.media_type, resource_type, door.definitions)
    made = await in_thread(door.patch, who, resource_type, id, sent, change, if_match=if_match(request))
    return await written(request, made.version)
