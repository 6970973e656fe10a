"""FHIR vread: one stored version of a resource.

https://hl7.org/fhir/R4/http.html#vread
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.rest.binary import content, native
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import served


async def vread(request: Request, resource_type: str, id: str, version_id: str) -> Response:
    own_form = native(request, resource_type)
    found = await in_thread(door_of(request).vread, asking(request, "vread"), resource_type, id, version_id)
    return await (content if own_form else served)(request, found)
