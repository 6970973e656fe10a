"""FHIR read: the current version of a resource; 304 for a reader who has it already.

https://hl7.org/fhir/R4/http.html#read, https://hl7.org/fhir/R4/http.html#cread
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.reading import Wanted
from gateway.rest.binary import content, native
from gateway.rest.conditions import unchanged
from gateway.rest.request import asking, current
from gateway.rest.response import not_modified, served


async def read(request: Request, resource_type: str, id: str) -> Response:
    own_form = native(request, resource_type)
    found = await current(request, Wanted(asking(request, "read"), resource_type, id))
    if unchanged(request, found):
        return not_modified(request, found)
    return await (content if own_form else served)(request, found)
