"""FHIR delete: the resource is gone for readers; its history stays.

https://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.rest.format import negotiate
from gateway.rest.prefer import returning
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import if_match, told


async def delete(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who = asking(request, "delete")
    done = await in_thread(door_of(request).delete, who, resource_type, id, if_match=if_match(request))
    headers = {"X-Request-Id": request.state.request_id}
    for gone in done.versions:
        headers["ETag"] = f'W/"{gone.version_id}"'
    if returning(request) == "OperationOutcome":
        return await told(request, "The resource is deleted.", 200, headers)
    return Response(status_code=204, headers=headers)
