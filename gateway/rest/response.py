"""Stored bytes to an HTTP response: ETag, Last-Modified, Location, as R4 has them.

https://hl7.org/fhir/R4/http.html#versions
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING

import orjson
from fastapi import Request
from fastapi.responses import Response

from gateway.access.commands import ANY_VERSION, Versions
from gateway.errors import BadRequest
from gateway.fhir.json import DEEPEST, parse
from gateway.rest.format import JSON, Shown, shown, write
from gateway.rest.request import in_thread

if TYPE_CHECKING:
    from gateway.access.reading import Served

ETAG = re.compile(r'^(?:(?:W/)?"([A-Za-z0-9.\-]{1,64})"|\*)$')


async def served(request: Request, found: Served, status: int = 200, *, location: bool = False) -> Response:
    """One resource version as the answer."""
    headers = {
        "ETag": f'W/"{found.version_id}"',
        "Last-Modified": format_datetime(found.last_updated, usegmt=True),
    }
    if location:
        headers["Location"] = f"{base_of(request)}/{found.type}/{found.id}/_history/{found.version_id}"
    if "return=minimal" in request.headers.get("prefer", ""):
        return _response(request, b"", status, headers)
    return await answered(request, found.body, status, headers)


async def answered(
    request: Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A resource, which is at hand as compact JSON, in the format that was asked for."""
    if shown(request) != Shown(JSON, False):
        body = await in_thread(lambda: write(request, parse(body, most_bytes=len(body), deepest=2 * DEEPEST)))
    return _response(request, body, status, headers or {})


def _response(request: Request, content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    media_type = f"{shown(request).media_type}; fhirVersion=4.0"
    response = _with_id(request, Response(content, status, headers=dict(headers), media_type=media_type))
    response.headers["Vary"] = "Accept"
    return response


def _with_id(request: Request, response: Response) -> Response:
    response.headers["X-Request-Id"] = request.state.request_id
    response.headers["Cache-Control"] = "no-store"  # It is about a person, and for this caller.
    return response


def base_of(request: Request) -> str:
    """The FHIR base as the client reached it: the setting, else the request's own scheme and host."""
    configured: str | None = request.app.state.settings.base_url
    return (configured or str(request.base_url)).rstrip("/") + "/fhir"


def if_match(request: Request) -> Versions | None:
    """The versions that If-Match names; BadRequest when one is not an ETag."""
    value = request.headers.get("if-match")
    if value is None:
        return None
    found = []
    for one in value.split(","):
        match = ETAG.match(one.strip())
        if not match:
            raise BadRequest('If-Match must be an ETag as served: W/"…".', rule="etag-malformed")
        found.append(match[1] or ANY_VERSION)
    return tuple(found)


def dump_any(value: object) -> bytes:
    """Plain JSON (not a resource) as bytes."""
    return orjson.dumps(value)
