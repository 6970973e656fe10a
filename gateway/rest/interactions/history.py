"""FHIR history: the versions of one resource, of a type, of everything, newest first.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.rest.format import negotiate, parted
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import answered, base_of


async def history_instance(request: Request, resource_type: str, id: str) -> Response:
    return await _history(request, "history-instance", resource_type, id)


async def history_type(request: Request, resource_type: str) -> Response:
    return await _history(request, "history-type", resource_type)


async def history_system(request: Request) -> Response:
    return await _history(request, "history-system")


async def _history(
    request: Request, interaction: str, resource_type: str | None = None, id: str | None = None
) -> Response:
    negotiate(request)
    who = asking(request, interaction)
    asked, shown = parted(request.query_params.multi_items())
    history, base = door_of(request).history, base_of(request)
    body = await in_thread(history, who, resource_type, id, asked, base, shown=shown)
    return await answered(request, body, entries=True)
