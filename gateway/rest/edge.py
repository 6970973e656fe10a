"""What holds for every answer, whoever gives it: nobody else may keep, frame, sniff or embed it.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BadRequest
from gateway.rest.outcome import outcome_response

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
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)


class Edge:
    """Around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        may_be_kept = scope["path"].startswith(PUBLIC)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if not (name == "Cache-Control" and may_be_kept):
                        headers.setdefault(name, value)
            await send(message)

        host = Headers(scope=scope).get("host")
        if host and not _HOST.fullmatch(host):
            refusal = BadRequest("The Host header names no host.", rule="host-malformed")
            await outcome_response(refusal, Request(scope))(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
