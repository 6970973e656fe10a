"""What became of a request that was to be answered later: its progress, its answer; and to withdraw it.

https://hl7.org/fhir/R4/async.html; the answer is a Bundle of one entry, as R5 has settled what R4 leaves open:
https://hl7.org/fhir/R5/async-bundle.html
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.later import PROGRESS, Later
from gateway.fhir.json import dump, verbatim
from gateway.rest.format import negotiate
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import answered, told

RETRY_AFTER = "1"


async def asynchronous_status(request: Request, request_id: str) -> Response:
    negotiate(request)
    found = await in_thread(door_of(request).deferred, asking(request, "respond-async"), request_id)
    if found.status is None:
        begun = found.headers.get(PROGRESS, "being performed")
        headers = {"X-Progress": begun if found.begun else "waiting", "Retry-After": RETRY_AFTER}
        return await told(request, "There is no answer yet: ask again.", 202, headers)
    return await answered(request, dump(_bundle(found)), entries=True)


async def asynchronous_cancel(request: Request, request_id: str) -> Response:
    negotiate(request)
    await in_thread(door_of(request).withdraw, asking(request, "respond-async"), request_id)
    return await told(request, "The request is withdrawn, and what was answered is gone.", 202, {})


def _bundle(found: Later) -> dict[str, Any]:
    status = found.status or 500
    response: dict[str, Any] = {"status": f"{status} {HTTPStatus(status).phrase}"}
    for name, element in (("location", "location"), ("etag", "etag")):
        if name in found.headers:
            response[element] = found.headers[name]
    entry: dict[str, Any] = {"response": response}
    if found.body and status < 400:
        entry = {"resource": verbatim(found.body)} | entry
    elif found.body:
        response["outcome"] = verbatim(found.body)
    return {"resourceType": "Bundle", "type": "batch-response", "entry": [entry]}
