"""FHIR search over all types, or those of `_type`, by GET and by POST `_search`.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.searching import Scope
from gateway.rest.searches import searched


async def search_system(request: Request) -> Response:
    return await searched(request, "search-system", Scope())


async def search_system_by_post(request: Request) -> Response:
    return await searched(request, "search-system", Scope(), posted=True)
