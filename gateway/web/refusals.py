"""Refusals as pages: what to do next, and never how the program looks inside."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.access.caller import Caller
from gateway.errors import GatewayError, NotFound, Unauthenticated
from gateway.logs import logger
from gateway.web import visitor
from gateway.web.render import page
from gateway.web.texts import TEXTS, Language

log = logger(__name__)
APIS = ("/fhir", "/ingest", "/static", "/health", "/ready", "/openapi.json")
KNOWN: dict[int | str, str] = {
    400: "bad-request",
    401: "who-are-you",
    403: "forbidden",
    404: "not-found",
    410: "not-found",
    413: "too-large",
    "worklist-of-another": "not-your-worklist",
}
"""By rule, else by status, the text that says what happened; its help has the same name with `-help`."""


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except GatewayError as error:
                if error.status == 401:
                    peer = request.client.host if request.client else ""
                    log.warning("caller-unknown", rule=error.issues[0].rule, method=request.method, peer=peer)
                return refused(request, error)
            except Exception as error:
                # The traceback goes to the log; the visitor is told that it is our fault.
                log.error("page-failed", error=type(error).__name__, exc_info=error)
                return page(request, "refusal.html", caller=None, status=500, what="unforeseen", detail="")

        return handler


def install(app: FastAPI) -> None:
    """Answer a browser that asks for an address that is none with a page; everybody else as before."""
    before: Any = app.exception_handlers[HTTPException]

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        is_browser = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(APIS)
        if error.status_code == 404 and is_browser:
            return refused(request, NotFound())
        response: Response = await before(request, error)
        return response

    app.add_exception_handler(HTTPException, missing)


def refused(request: Request, error: GatewayError) -> Response:
    """The page of a refusal."""
    by_status = KNOWN.get(error.status, "unavailable" if error.status == 503 else "bad-request")
    what = KNOWN.get(error.issues[0].rule, by_status)
    response = page(
        request,
        "refusal.html",
        caller=_caller(request),
        status=error.status,
        what=what,
        detail=error.text if error.status == 400 else "",
    )
    if isinstance(error, Unauthenticated):  # A cookie of another installation would be refused for ever.
        response.delete_cookie(IDENTITY_COOKIE, httponly=True, samesite="strict")
    return response


def said(error: GatewayError, language: Language) -> str:
    """What was refused and why: in the page's words where it has any (`refused-` and the rule), else in the rules'."""
    issue = error.issues[0]
    own = TEXTS[language].get(f"refused-{issue.rule}")
    return own or (issue.swedish if language == "sv" else None) or issue.text


def _caller(request: Request) -> Caller | None:
    try:
        return visitor.asking(request, "operation").caller
    except Unauthenticated:
        return None
