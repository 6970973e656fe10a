"""FHIR create: a new resource under an id of ours.

https://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.format import negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import written


async def create(request: Request, resource_type: str) -> Response:
    negotiate(request)
    who = asking(request, "create")
    made = await in_thread(door_of(request).create, who, resource_type, await body(request))
    return await written(request, made.version, 201)
