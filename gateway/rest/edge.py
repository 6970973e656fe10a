"""What holds for every answer, whoever gives it: nobody else may keep, frame, sniff or embed it; for every request,
that its body comes.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BadRequest, RequestTimeout, Unavailable
from gateway.rest.outcome import outcome_response
from gateway.rest.patience import Pace, Patient

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Where the answer does not say otherwise, as pages do."""
PUBLIC = "/static/"
"""What stands here is about nobody, and browsers may keep it."""
_RAW = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
_KEPT = tuple(one for one in _RAW if one[0] != b"cache-control")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


class Edge:
    """Around the whole application."""

    def __init__(self, app: ASGIApp, *, pace: Pace) -> None:
        self._app = app
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        may_be_kept = scope["path"].startswith(PUBLIC)

        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                said = {name.lower() for name, _ in headers}
                headers += [one for one in (_KEPT if may_be_kept else _RAW) if one[0] not in said]
                if message["status"] == RequestTimeout.status:  # What is still to come is no request.
                    headers.append((b"connection", b"close"))
            await send(message)

        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if host and not _HOST.fullmatch(host):
            refusal = BadRequest("The Host header names no host.", rule="host-malformed")
            await outcome_response(refusal, Request(scope))(scope, receive, guarded)
            return
        try:
            await self._app(scope, Patient(receive, self._pace), guarded)
        except asyncio.CancelledError:  # The gateway stops, and has waited as long as it does.
            if begun:
                raise
            stopping = Unavailable("The gateway is being stopped: send this again.", rule="stopping")
            await outcome_response(stopping, Request(scope))(scope, receive, guarded)
