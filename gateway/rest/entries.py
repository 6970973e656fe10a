"""An entry of a Bundle as a request of its own: the same routes, the same handlers, the same answers.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.door import Door
from gateway.errors import MethodNotAllowed, NotFound
from gateway.fhir import json
from gateway.fhir.entries import Entry, patch_in
from gateway.rest.request import INLINE, KNOWN

Handler = Callable[..., Coroutine[Any, Any, Response]]

HEADERS: Final[Mapping[str, str]] = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
WHOLE: Final = frozenset({*HEADERS.values(), "content-type", "content-length", "transfer-encoding", "accept", "prefer"})
"""Headers of the request that are about the whole of it."""
WRITTEN: Final = "!#$%&'()*+,/:;=?@[]~|"
"""What stays in a query as it is, beside letters and digits."""
SHOWN: Final = frozenset({"_format", "_pretty"})
"""What is settled for the whole Bundle."""


async def respond(request: Request, entry: Entry, *, prefer: str = "", kept: tuple[str, int] | None = None) -> Response:
    """The answer to one entry."""
    handler, parts = route(request, entry)
    return await handler(part(request, entry, parts, prefer=prefer, kept=kept), **parts)


def respond_inside(request: Request, entry: Entry, door: Door) -> Response:
    """The answer to one entry through a door within a unit of work, in the thread that this is called in."""
    handler, parts = route(request, entry)
    return copy_context().run(_at_once, handler(part(request, entry, parts, door=door), **parts))


def route(request: Request, entry: Entry) -> tuple[Handler, dict[str, str]]:
    """Who answers an entry, and the parts of its path. NotFound, MethodNotAllowed."""
    path = f"/fhir/{entry.path}" if entry.path else "/fhir"
    found = request.app.state.place_of(path)
    if found is None:
        raise NotFound("There is nothing at this url.", rule="entry-url-unknown")
    place, parts = found
    if entry.method not in place.handlers or (not entry.path and entry.method == "POST"):  # A Bundle holds none.
        raise MethodNotAllowed("This interaction is not offered at this url, within a Bundle.", rule="entry-method")
    handler: Handler = place.handlers[entry.method]
    return handler, parts


def part(
    request: Request,
    entry: Entry,
    parts: Mapping[str, str],
    *,
    door: Door | None = None,
    prefer: str = "",
    kept: tuple[str, int] | None = None,
) -> Request:
    """The request that an entry is."""
    body, content_type = sent(entry)
    headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in WHOLE]
    own = {HEADERS[name]: WRITE.get(name, str)(value) for name, value in entry.conditions.items()}
    own |= {"accept": json.MEDIA_TYPE, "content-type": content_type, "prefer": prefer}
    headers += [(name.encode(), value.encode()) for name, value in own.items() if value]
    scope = {
        **request.scope,
        "method": entry.method,
        "path": f"/fhir/{entry.path}",
        "raw_path": f"/fhir/{entry.path}".encode(),
        "query_string": query_of(entry).encode(),
        "headers": headers,
        "path_params": dict(parts),
        "state": {"door": door, "kept": kept} | {name: getattr(request.state, name) for name in KNOWN},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


def _ascii(query: str) -> str:
    """A query that was written as people read it, as a request has it."""
    return quote(query, safe=WRITTEN)


def _http(instant: str) -> str:
    """An instant as HTTP writes it; a header that says no time is passed over."""
    try:
        return format_datetime(datetime.fromisoformat(instant).astimezone(UTC), usegmt=True)
    except (ValueError, OverflowError):
        return ""


WRITE: Final[Mapping[str, Callable[[str], str]]] = {"ifModifiedSince": _http, "ifNoneExist": _ascii}
"""Conditions that HTTP writes otherwise than a Bundle."""


def query_of(entry: Entry) -> str:
    """The query without what is settled for the whole."""
    query = _ascii(entry.query or "")
    if not any(name in query for name in SHOWN):
        return query
    return urlencode([one for one in parse_qsl(query, keep_blank_values=True) if one[0] not in SHOWN])


def sent(entry: Entry) -> tuple[bytes, str]:
    """The body of an entry, and its media type: a patch that is no resource stands in a Binary."""
    resource = entry.resource
    if resource is None or entry.method in ("GET", "HEAD", "DELETE"):
        return b"", ""
    if entry.method == "PATCH" and resource.get("resourceType") == "Binary":
        return patch_in(entry)
    return json.dump(resource), json.MEDIA_TYPE


def _at_once(answer: Coroutine[Any, Any, Response]) -> Response:
    """What a handler returns. Whatever it waits for is done at once, and so it never waits."""
    INLINE.set(True)
    try:
        answer.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    answer.close()
    raise RuntimeError("a handler waited for something else than the store")
