"""Stored bytes to an HTTP response: ETag, Last-Modified, Location, as R4 has them.

https://hl7.org/fhir/R4/http.html#versions
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.definitions import load
from gateway.errors import BadRequest
from gateway.fhir.json import DEEPEST, parse
from gateway.issues import Issue, operation_outcome
from gateway.rest.format import PLAIN, shown, write
from gateway.rest.known import headers, known
from gateway.rest.prefer import returning
from gateway.rest.request import in_thread

if TYPE_CHECKING:
    from gateway.access.commands import Done
    from gateway.access.reading import Served

PRIVATE: Final = "no-store"
"""An answer is about a person, and for this caller."""
STATUS: Final = {"created": 201, "found": 200, "updated": 200}


async def served(request: Request, found: Served) -> Response:
    """One resource version as the answer."""
    return await answered(request, found.body, headers=of_version(found))


async def written(request: Request, done: Done) -> Response:
    """What a write made, or found, as the answer that the client prefers."""
    made, status = done.version, STATUS[done.what]
    headers = of_version(made)
    headers["Location"] = f"{base_of(request)}/{made.type}/{made.id}/_history/{made.version_id}"
    match returning(request):
        case "minimal":
            return _response(request, b"", status, headers | {"Preference-Applied": "return=minimal"})
        case "OperationOutcome":
            headers["Preference-Applied"] = "return=OperationOutcome"
            return await told(request, "The resource is stored as it was sent.", status, headers)
    return await answered(request, made.body, status, headers)


def not_modified(request: Request, found: Served) -> Response:
    """The reader has this version already."""
    return with_id(request, Response(status_code=304, headers=of_version(found) | {"Vary": "Accept"}))


async def told(request: Request, text: str, status: int, headers: Mapping[str, str]) -> Response:
    """That it was done, as an OperationOutcome."""
    issue = Issue("information", "informational", "done", text)
    return _response(request, write(request, operation_outcome([issue])), status, headers)


async def answered(
    request: Request,
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    entries: bool = False,
) -> Response:
    """A resource, which is at hand as compact JSON, in the format that was asked for, and as much of it.

    `entries`: of a Bundle that is made for the answer each entry is looked at by itself.
    """
    if shown(request) != PLAIN:
        body = await in_thread(_rendered, request, body, entries=entries)
    return _response(request, body, status, headers or {})


def _rendered(request: Request, body: bytes, *, entries: bool) -> bytes:
    resource, view = parse(body, most_bytes=len(body), deepest=2 * DEEPEST), shown(request).view
    if entries:
        return write(request, view.of_entries(resource, load()))
    if view.summary == "count":
        raise BadRequest("There is nothing to count: _summary=count is for searches and histories.", rule="summary")
    return write(request, view.of(resource, load()))


def of_version(one: Served) -> dict[str, str]:
    """The headers that tell which version it is."""
    return {"ETag": f'W/"{one.version_id}"', "Last-Modified": _http_date(one.last_updated.replace(microsecond=0))}


@lru_cache(maxsize=4096)
def _http_date(second: datetime) -> str:
    """Much is written in one second, and the same is read again and again."""
    return format_datetime(second, usegmt=True)


def _response(request: Request, content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    media_type = f"{shown(request).media_type}; fhirVersion=4.0"
    told = {**headers, "Vary": "Accept", "X-Request-Id": known(request)["request_id"], "Cache-Control": PRIVATE}
    return Response(content, status, headers=told, media_type=media_type)


def with_id(request: Request, response: Response) -> Response:
    """The answer with what stands on every one."""
    response.headers["X-Request-Id"] = request.state.request_id
    response.headers["Cache-Control"] = PRIVATE
    return response


def base_of(request: Request) -> str:
    """The FHIR base as the client reached it: the setting, else the request's own scheme and host."""
    configured: str | None = request.app.state.settings.base_url
    if configured:
        return configured.rstrip("/") + "/fhir"
    scope = request.scope
    host = headers(request).get("host", "")
    return _reached(scope["scheme"], host, scope.get("server"), scope.get("app_root_path", scope.get("root_path", "")))


@lru_cache(maxsize=256)
def _reached(scheme: str, host: str, server: tuple[str, int | None] | None, root: str) -> str:
    """Few names lead here."""
    told = [(b"host", host.encode("latin-1"))] if host else []
    scope = {"type": "http", "scheme": scheme, "server": server, "root_path": root, "path": "/", "headers": told}
    return str(Request(scope).base_url).rstrip("/") + "/fhir"


def dump_any(value: object) -> bytes:
    """Plain JSON (not a resource) as bytes."""
    return orjson.dumps(value)
