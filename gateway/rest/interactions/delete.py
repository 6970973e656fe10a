"""FHIR delete: the resource is gone for readers; its history stays.

https://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import if_match


async def delete(request: Request, resource_type: str, id: str) -> Response:
    who = asking(request, "delete")
    done = await in_thread(door_of(request).delete, who, resource_type, id, if_match=if_match(request))
    headers = {"X-Request-Id": request.state.request_id}
    for gone in done.versions:
        headers["ETag"] = f'W/"{gone.version_id}"'
    return Response(status_code=204, headers=headers)
