"""FHIR search over one type, by GET and by POST `_search`.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.searching import Scope
from gateway.rest.searches import searched


async def search_type(request: Request, resource_type: str) -> Response:
    return await searched(request, "search-type", Scope(resource_type))


async def search_type_by_post(request: Request, resource_type: str) -> Response:
    return await searched(request, "search-type", Scope(resource_type), posted=True)
