"""FHIR read: the current version of a resource; 304 for a reader who has it already.

https://hl7.org/fhir/R4/http.html#read, https://hl7.org/fhir/R4/http.html#cread
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.conditions import unchanged
from gateway.rest.format import negotiate
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import not_modified, served


async def read(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    found = await in_thread(door_of(request).read, asking(request, "read"), resource_type, id)
    return not_modified(request, found) if unchanged(request, found) else await served(request, found)
