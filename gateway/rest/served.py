"""In front of the framework: what the table of routes answers, and a read before the table is loaded.

The framework's own way to a handler costs more than a read. The table has every handler, and each what it needs: a
start that waited for them would take twice as long. They are loaded beside the first answers, and whoever asks for
something else than these meanwhile waits for them (ADR 60).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.rest import outcome
from gateway.rest.interactions.read import read
from gateway.rest.request import Handler

BESIDE: Final = ("/health", "/ready")
"""Answered by the application itself."""
FIRST: Final = re.compile(r"/fhir/(?P<resource_type>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9.-]{1,64})")
"""The addresses at which nothing in the table but a read answers."""
SAFE: Final = ("GET", "HEAD")
Answering = tuple[Mapping[str, Handler], dict[str, str]]
"""Who answers at an address, by method, and the parts of its path."""
Lookup = Callable[[str], Answering | None]


class Served:
    """Around the rest of the application: what stands in the table is answered here, by its handler alone."""

    def __init__(self, app: ASGIApp, load: Callable[[], Lookup]) -> None:
        self._app = app
        self._load = load
        self._look: Lookup | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in BESIDE and scope["method"] in SAFE):
            await self._app(scope, receive, send)
            return
        found = await self._answering(scope)
        if found is None:
            await self._elsewhere(scope, receive, send)
            return
        handlers, scope["path_params"] = found
        request = Request(scope, receive)
        try:
            handler = handlers.get(scope["method"])
            if handler is None:
                raise HTTPException(405)
            answer = await handler(request, **scope["path_params"])
        except (GatewayError, HTTPException) as error:
            answer = await outcome.refused(request, error)
        await answer(scope, receive, send)

    async def _answering(self, scope: Scope) -> Answering | None:
        if self._look is None:
            first = FIRST.fullmatch(scope["path"]) if scope["method"] in SAFE else None
            if first is not None:
                return dict.fromkeys(SAFE, read), first.groupdict()
            self._look = await asyncio.to_thread(self._load)
        return self._look(scope["path"])

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the same address without a slash at its end, where there is something; else to the framework."""
        bare = scope["path"].rstrip("/")
        if bare != scope["path"] and bare and self._look is not None and self._look(bare):
            address = Request(scope).url.replace(path=bare)
            await RedirectResponse(address)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
