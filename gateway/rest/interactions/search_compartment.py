"""FHIR search within a compartment, in one type or (`*`) in all that it holds.

https://hl7.org/fhir/R4/http.html#vsearch
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.searching import Scope
from gateway.rest.searches import searched
from gateway.search.query import Compartment


async def search_compartment(request: Request, compartment: str, id: str, resource_type: str) -> Response:
    return await _search(request, compartment, id, resource_type)


async def search_compartment_by_post(request: Request, compartment: str, id: str, resource_type: str) -> Response:
    return await _search(request, compartment, id, resource_type, posted=True)


async def _search(request: Request, compartment: str, id: str, resource_type: str, *, posted: bool = False) -> Response:
    every = resource_type == "*"
    scope = Scope("" if every else resource_type, Compartment(compartment, id))
    return await searched(request, "search-system" if every else "search-type", scope, posted=posted)
