"""FHIR history of one resource: every version of it, newest first.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.request import accept_json, asking, door_of, in_thread
from gateway.rest.response import base_of, json_response


async def history_instance(request: Request, resource_type: str, id: str) -> Response:
    accept_json(request)
    who = asking(request, "history-instance")
    params = list(request.query_params.multi_items())
    body = await in_thread(door_of(request).history, who, resource_type, id, params, base_of(request))
    return json_response(request, body)
