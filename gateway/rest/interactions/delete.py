"""FHIR delete: the resource is gone for readers; its history stays. By a search, everything that meets it is.

https://hl7.org/fhir/R4/http.html#delete, https://hl7.org/fhir/R4/http.html#3.1.0.7.1
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.commands import Target
from gateway.rest.conditions import if_match, meant
from gateway.rest.format import negotiate
from gateway.rest.prefer import returning
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import told


async def delete(request: Request, resource_type: str, id: str) -> Response:
    return await _delete(request, resource_type, id)


async def delete_conditional(request: Request, resource_type: str) -> Response:
    return await _delete(request, resource_type, meant(request))


async def _delete(request: Request, resource_type: str, target: Target) -> Response:
    negotiate(request)
    who = asking(request, "delete")
    done = await in_thread(door_of(request).delete, who, resource_type, target, if_match=if_match(request))
    headers = {"X-Request-Id": request.state.request_id}
    if len(done.versions) == 1:
        headers["ETag"] = f'W/"{done.version.version_id}"'
    if returning(request) == "OperationOutcome":
        return await told(request, f"Deleted: {len(done.versions)}.", 200, headers)
    return Response(status_code=204, headers=headers)
