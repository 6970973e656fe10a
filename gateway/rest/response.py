"""Stored bytes to an HTTP response: ETag, Last-Modified, Location, as R4 has them.

https://hl7.org/fhir/R4/http.html#versions
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import TYPE_CHECKING

import orjson
from fastapi import Request
from fastapi.responses import Response

from gateway.errors import BadRequest
from gateway.fhir.json import dump, parse
from gateway.rest.outcome import MEDIA_TYPE

if TYPE_CHECKING:
    from gateway.access.reading import Served

ETAG = re.compile(r'^(?:W/)?"([A-Za-z0-9.\-]{1,64})"$')
MEDIA = f"{MEDIA_TYPE}; fhirVersion=4.0"


def served(request: Request, found: Served, status: int = 200, *, location: bool = False) -> Response:
    """One resource version as the answer."""
    headers = {
        "ETag": f'W/"{found.version_id}"',
        "Last-Modified": format_datetime(found.last_updated, usegmt=True),
    }
    if location:
        headers["Location"] = f"{base_of(request)}/{found.type}/{found.id}/_history/{found.version_id}"
    if "return=minimal" in request.headers.get("prefer", ""):
        return _with_id(request, Response(b"", status, headers=headers, media_type=MEDIA))
    return _with_id(request, Response(pretty(request, found.body), status, headers=headers, media_type=MEDIA))


def json_response(request: Request, body: bytes, status: int = 200) -> Response:
    return _with_id(request, Response(pretty(request, body), status, media_type=MEDIA))


def _with_id(request: Request, response: Response) -> Response:
    response.headers["X-Request-Id"] = request.state.request_id
    response.headers["Cache-Control"] = "no-store"  # It is about a person, and for this caller.
    return response


def pretty(request: Request, body: bytes) -> bytes:
    """Indented when `_pretty=true`, with numbers as they were."""
    if request.query_params.get("_pretty") != "true":
        return body
    return dump(parse(body), pretty=True)


def base_of(request: Request) -> str:
    """The FHIR base as the client reached it: the setting, else the request's own scheme and host."""
    configured: str | None = request.app.state.settings.base_url
    return (configured or str(request.base_url)).rstrip("/") + "/fhir"


def if_match(request: Request) -> str | None:
    """The version named by If-Match; BadRequest when it is not an ETag."""
    value = request.headers.get("if-match")
    if value is None:
        return None
    match = ETAG.match(value.strip())
    if not match:
        raise BadRequest('If-Match must be an ETag as served: W/"…".', rule="etag-malformed")
    return match[1]


def dump_any(value: object) -> bytes:
    """Plain JSON (not a resource) as bytes."""
    return orjson.dumps(value)
