"""FHIR update: a resource under an id the client names; it is created where there was none.

https://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.request import accept_json, asking, body, door_of, in_thread
from gateway.rest.response import if_match, served


async def update(request: Request, resource_type: str, id: str) -> Response:
    accept_json(request)
    who = asking(request, "update")
    raw = await body(request)
    made = await in_thread(door_of(request).update, who, resource_type, id, raw, if_match=if_match(request))
    return served(request, made, 201 if made.created else 200, location=True)
