"""Binary in its own form: content of any kind is sent and served as it is, where its resource is not asked for.

The resource itself is what `application/fhir+json` and `application/fhir+xml` name, and `_format`. `application/json`
and `application/xml` are the content's, unless what is sent is a Binary. https://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.commands import Body
from gateway.definitions import load
from gateway.errors import GatewayError, NotAcceptable, UnsupportedMediaType
from gateway.fhir import json
from gateway.fhir.binary import TYPE, Content, content_of
from gateway.rest.format import JSON, NAMES, PLAIN, XML, named, negotiate, ranges
from gateway.rest.request import body, bounded, in_thread
from gateway.rest.response import base_of, of_version, with_id

if TYPE_CHECKING:
    from gateway.access.reading import Served

CONTEXT = "X-Security-Context"
# Scripts of what somebody sent must not run as ours: https://hl7.org/fhir/R4/security.html#narrative
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


def native(request: Request, resource_type: str) -> bool:
    """Whether the answer is the content itself. Otherwise how the resource is shown is settled by this."""
    if resource_type == TYPE and "_format" not in request.query_params and not ranges(request) & {JSON, XML}:
        request.state.shown = PLAIN  # For a refusal.
        return True
    negotiate(request)
    return False


async def content(request: Request, found: Served) -> Response:
    """The content of one version."""
    held = await in_thread(lambda: content_of(json.parse(found.body, most_bytes=len(found.body))))
    headers = of_version(found) | {"Content-Type": held.media_type, "Content-Security-Policy": POLICY}
    headers["Vary"] = "Accept"
    if held.security_context is not None and held.security_context.isascii():
        headers[CONTEXT] = held.security_context
    return with_id(request, Response(held.raw, headers=headers))


async def sent(request: Request, resource_type: str) -> Body:
    """The body of a write: a resource; of a Binary also its content."""
    if resource_type != TYPE:
        return await body(request)
    told = request.headers.get("content-type", "")
    name = named(told)
    if not name:
        raise UnsupportedMediaType("Content-Type says what the content is, as type/subtype.", rule="media-type")
    if name in (JSON, XML):
        return await body(request)
    # In base64 it is a third larger, and must still be one that can be sent.
    raw = await bounded(request, request.app.state.settings.max_body * 3 // 4)
    kept = getattr(request.state, "kept", None)
    if name in NAMES and await in_thread(_is_resource, raw, NAMES[name]):
        return Body(raw, NAMES[name], kept=kept)
    context = request.headers.get(CONTEXT)
    if context is not None:
        context = context.removeprefix(base_of(request) + "/")
    return Body(raw, told, kept=kept, content=Content(raw, told, context))


def settle(request: Request, resource_type: str) -> None:
    """How the answer to a write is shown: the resource, whatever else a sender of content is content with."""
    try:
        negotiate(request)
    except NotAcceptable:
        if resource_type != TYPE or request.query_params.get("_format"):
            raise
        request.state.shown = PLAIN


def _is_resource(raw: bytes, media_type: str) -> bool:
    try:
        if media_type == XML:
            from gateway.fhir import xml

            found = xml.parse(raw, load())
        else:
            found = json.parse(raw)
    except GatewayError:
        return False
    return found.get("resourceType") == TYPE
