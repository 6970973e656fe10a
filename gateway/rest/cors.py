"""Which other origins' pages may call the API, and which headers they may read: none, where no origin is configured.

https://fetch.spec.whatwg.org/#http-cors-protocol

A page of another origin is never the operator, on loopback neither (`gateway.access.bearer`): it brings a token.
"""

from __future__ import annotations

from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SENT: Final = (
    "Accept",
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Exist",
    "If-None-Match",
    "Prefer",
    "X-Care-Plan",
    "X-Request-Id",
    "X-Security-Context",
)
READ: Final = (
    "Allow",
    "Content-Location",
    "ETag",
    "Last-Modified",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "WWW-Authenticate",
    "X-Progress",
    "X-Request-Id",
    "X-Security-Context",
)
API: Final = "/fhir"


class Cors:
    """Around the application: the API is open to the origins, pages and ingest are not."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["type"] == "http" and (scope["path"] == API or scope["path"].startswith(f"{API}/"))
        await (self._open if is_api else self._app)(scope, receive, send)
