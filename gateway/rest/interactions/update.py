"""FHIR update: a resource under an id the client names; it is created where there was none.

https://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.format import negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import if_match, written


async def update(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who = asking(request, "update")
    sent = await body(request)
    made = await in_thread(door_of(request).update, who, resource_type, id, sent, if_match=if_match(request))
    return await written(request, made.version, 201 if made.what == "created" else 200)
