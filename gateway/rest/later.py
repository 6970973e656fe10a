"""`Prefer: respond-async`: a request is kept and performed after its caller was told where the answer will be.

https://hl7.org/fhir/R4/async.html and https://www.rfc-editor.org/rfc/rfc7240#section-4.1

It is performed by the same application in the caller's name: whatever can be asked can be asked so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from gateway.access.door import Door
from gateway.access.later import Asked, Later
from gateway.errors import Unavailable
from gateway.fhir.json import MEDIA_TYPE, dump
from gateway.issues import operation_outcome
from gateway.rest.format import negotiate
from gateway.rest.prefer import preferences
from gateway.rest.request import PERFORMED_FOR, Handler, asking, bounded, door_of, in_thread
from gateway.rest.response import base_of, told

TELL: Final = "gateway.tell"
"""In a request that is performed later: takes how many percent of it are done."""

KEPT_HEADERS: Final = (
    "content-type",
    "host",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-none-exist",
    "x-care-plan",
)
ANSWERED_HEADERS: Final = ("etag", "last-modified", "location")
SAFE: Final = ("GET", "HEAD")
FOLDER: Final = "_async"


def deferrable(handler: Handler) -> Handler:
    """The same handler, for callers who would rather not wait too."""

    @wraps(handler)
    async def either(request: Request, **path: Any) -> Response:
        wanted = preferences(request)
        if "respond-async" not in wanted or PERFORMED_FOR in request.scope:
            return await handler(request, **path)
        negotiate(request)
        who = asking(request, "respond-async")
        id = await in_thread(door_of(request).defer, who, await _asked(request, wanted))
        request.app.state.deferred()
        headers = {"Content-Location": f"{base_of(request)}/{FOLDER}/{id}", "Preference-Applied": "respond-async"}
        return await told(request, "The answer will be found at the Content-Location.", 202, headers)

    return either


async def progress(request: Request, done: int, total: int) -> None:
    """Let who waits for the answer know, once for each percent, that so many parts of it are done."""
    tell: Callable[[int], None] | None = request.scope.get(TELL)
    percent = 100 * done // total
    if tell is not None and percent != 100 * (done - 1) // total and done < total:
        await in_thread(tell, percent)


async def _asked(request: Request, wanted: dict[str, str]) -> Asked:
    """What is kept of a request. It is answered in JSON; in which format it is given, the status says when asked."""
    headers = {name: value for name in KEPT_HEADERS if (value := request.headers.get(name)) is not None}
    others = [f"{name}={value}" if value else name for name, value in wanted.items() if name != "respond-async"]
    headers |= {"accept": MEDIA_TYPE, "x-request-id": request.state.request_id}
    if others:
        headers["prefer"] = ", ".join(others)
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    query = urlencode([pair for pair in pairs if pair[0] not in ("_format", "_pretty")])
    return Asked(request.method, request.url.path, query, headers, await bounded(request))


class Job(Protocol):
    """What is kept of the work to be done."""

    @property
    def input(self) -> Mapping[str, Any]: ...


class Performer:
    """Performs deferred requests, by the application itself."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    def perform(self, job: Job) -> None:
        """The request that a job names."""
        id = str(job.input["id"])
        found = self._door.take(id)
        if found is None or found.status is not None:  # Withdrawn, or answered by one who was slow.
            return
        safe = found.asked.method in SAFE or found.asked.path.endswith("/_search")
        if found.begun and not safe:
            # Whether it was done before its process ended is not known: it is not done twice.
            refusal = Unavailable("The gateway was interrupted: look what is done, ask again.", rule="interrupted")
            self._door.answer(id, status=503, headers={}, body=dump(operation_outcome(refusal.issues)))
            return
        status, headers, body = asyncio.run(_performed(self._app, found, partial(self._door.tell, id)))
        kept: dict[str, str] = {name: headers[name] for name in ANSWERED_HEADERS if name in headers}
        self._door.answer(id, status=status, headers=kept, body=body)


async def _performed(app: ASGIApp, found: Later, tell: Callable[[int], None]) -> tuple[int, dict[str, str], bytes]:
    """The answer of the application to a request that comes from nowhere but its own store."""
    asked = found.asked
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "root_path": "",
        "query_string": asked.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in asked.headers.items()],
        "client": None,
        "server": None,
        PERFORMED_FOR: found.caller,
        TELL: tell,
    }
    started: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:  # What nobody foresaw is answered and logged first, and then raised for the server to see.
        if not started:
            raise
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in started["headers"]}
    return started["status"], headers, b"".join(parts)
