"""[type]/[id]/$explain: where each value of a resource comes from, down to the bytes of the source's message.

docs/api/explain.md; the OperationDefinition is `explain` in conformance/.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered


async def explain(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who = asking(request, "explain")
    for name in request.query_params:
        if name not in PRESENTATION:
            raise BadRequest("$explain takes no parameters.", rule="unknown-parameter", where=name[:64])
    return await answered(request, dump(await in_thread(door_of(request).explain, who, resource_type, id)))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("GET", "/fhir/{resource_type}/{id}/$explain", explain),)
