"""FHIR capabilities: what this server does, written from what it really serves.

https://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.rest.capability import statement
from gateway.rest.format import negotiate
from gateway.rest.request import asking, door_of
from gateway.rest.response import answered, base_of, dump_any


async def capabilities(request: Request) -> Response:
    negotiate(request)
    asking(request, "capabilities")
    door = door_of(request)
    settings = request.app.state.settings
    made = statement(
        door.definitions,
        base_of(request),
        request.app.state.offered,
        started=door.started,
        cors=bool(settings.cors_origins),
        versioning="versioned-update" if settings.require_if_match else "versioned",
    )
    return await answered(request, dump_any(made))
