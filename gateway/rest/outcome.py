"""Every refusal as an OperationOutcome, once.

https://hl7.org/fhir/R4/http.html#Status-Codes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount

from gateway.errors import GatewayError, MethodNotAllowed, NotFound
from gateway.issues import Issue, operation_outcome
from gateway.logs import logger
from gateway.rest.format import shown, write
from gateway.rest.packed import GZIP

log = logger(__name__)

SAFE = ("GET", "HEAD")
"""What files have, which stand in no table."""
BY_STATUS: dict[int, type[GatewayError]] = {404: NotFound, 405: MethodNotAllowed}


def install(app: Starlette) -> None:
    """Register the handlers: ours, the framework's and the one that must never be needed."""
    app.add_exception_handler(GatewayError, _refused)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unforeseen)


def tell_unknown(error: GatewayError, request: Request) -> None:
    """Let the operator's log say that somebody tried who could not be told: there is nobody to record in the audit."""
    peer = request.client.host if request.client else ""
    log.warning("caller-unknown", rule=error.issues[0].rule, method=request.method, peer=peer)


def outcome_response(error: GatewayError, request: Request, more: Mapping[str, str] | None = None) -> Response:
    headers = dict(more or {})
    if hasattr(request.state, "request_id"):
        headers["X-Request-Id"] = request.state.request_id
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="samverka"'
    if error.issues[0].rule == "body-packed":  # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16
        headers["Accept-Encoding"] = GZIP[0]
    return _response(request, error.issues, error.status, headers)


async def refused(request: Request, error: GatewayError | HTTPException) -> Response:
    """The answer to what was refused."""
    return await (_refused if isinstance(error, GatewayError) else _framework)(request, error)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    if error.status == 401:
        tell_unknown(error, request)
    return outcome_response(error, request)


def _methods(request: Request) -> list[str]:
    """The methods of what is asked for: by the table of the API, else of every route at the address.

    https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
    """
    if found := request.app.state.allowed(request.url.path):
        return list(found)
    routes = [*request.app.routes, *getattr(request.app.state, "pages", ())]
    at = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    files = SAFE if any(isinstance(route, Mount) for route in at) else ()
    return sorted({*files, *(method for route in at for method in getattr(route, "methods", None) or ())})


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = BY_STATUS.get(error.status_code)
    if kind is MethodNotAllowed:
        return outcome_response(kind(), request, {"Allow": ", ".join(_methods(request))})
    if kind is NotFound and "/$" in request.url.path:
        unknown = NotFound("There is no operation of this name here.", rule="unknown-operation")
        return outcome_response(unknown, request)
    if kind:
        return outcome_response(kind(), request)
    issue = Issue("error", "processing", "http", str(error.detail))
    return _response(request, [issue], error.status_code)


async def _unforeseen(request: Request, error: Exception) -> Response:
    # The traceback goes to the log without its values; the caller gets the id to quote.
    request_id = getattr(request.state, "request_id", "-")
    log.error("unforeseen", error=type(error).__name__, request_id=request_id, exc_info=error)
    issue = Issue("fatal", "exception", "unforeseen", f"This is our fault. Quote request {request_id} to the operator.")
    return _response(request, [issue], 500)


def _response(
    request: Request, issues: Iterable[Issue], status: int, headers: Mapping[str, str] | None = None
) -> Response:
    content = write(request, operation_outcome(issues))
    return Response(
        content, status, headers={**(headers or {}), "Vary": "Accept"}, media_type=shown(request).media_type
    )
