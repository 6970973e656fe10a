"""FHIR history of one resource: every version of it, newest first.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.format import negotiate
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import answered, base_of


async def history_instance(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who = asking(request, "history-instance")
    params = list(request.query_params.multi_items())
    body = await in_thread(door_of(request).history, who, resource_type, id, params, base_of(request))
    return await answered(request, body)
