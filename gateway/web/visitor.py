"""Who looks at the page, in which language, and whether a form was really sent from it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from gateway.access.bearer import IDENTITY_COOKIE, Trust
from gateway.access.caller import Asking, Caller
from gateway.access.door import Door
from gateway.access.identities import Identity
from gateway.errors import BadRequest, Forbidden, TooLarge, Unauthenticated
from gateway.web.forms import FormTokens
from gateway.web.texts import Language, language_of

LANGUAGE_COOKIE = "samverka-language"
MOST_FORM = 16 * 1024


def door_of(request: Request) -> Door:
    """The one door, put there by the app."""
    door: Door = request.app.state.door
    return door


def asking(request: Request, interaction: str) -> Asking:
    """Who asks; Unauthenticated when nothing says so."""
    return Asking(_caller(request, request.cookies.get(IDENTITY_COOKIE)), interaction, str(uuid.uuid4()))


def may_operate(request: Request) -> bool:
    """Whether, without an identity, this would be the operator's request."""
    try:
        return _caller(request, None).operator
    except Unauthenticated:
        return False


def _caller(request: Request, token: str | None) -> Caller:
    trust: Trust = request.app.state.trust
    return trust.caller(request.headers, _peer(request), token)


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def language(request: Request) -> Language:
    """The language chosen before, else the browser's, else Swedish."""
    return language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def test_identities(request: Request) -> list[Identity]:
    """The identities that can be tried from here; none where real issuers rule, nor for a page of another site."""
    state = request.app.state
    may_try = state.trust.may_try(request.headers, _peer(request))
    return list(state.test_identities()) if may_try else []


async def form(request: Request, *, most: int = MOST_FORM) -> Mapping[str, str]:
    """The fields of a form. Forbidden unless a page of ours sent it: a cookie alone must not be enough."""
    if request.headers.get("origin") != f"{request.url.scheme}://{request.headers.get('host')}":
        raise Forbidden("Send the form from the page itself.", rule="foreign-origin")
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise TooLarge("A form is not that long.", rule="body-too-large")
    except ClientDisconnect:  # Nobody hears it.
        raise BadRequest("The connection ended before the form did.", rule="body-cut") from None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def token(request: Request, caller: Caller) -> str:
    """What a form that changes something holds: made for this caller."""
    forms: FormTokens = request.app.state.forms
    return forms.token(caller, request.app.state.clock())


def check_token(request: Request, fields: Mapping[str, str], caller: Caller) -> None:
    """Forbidden unless the form was made for this caller, not long ago."""
    forms: FormTokens = request.app.state.forms
    forms.check(fields.get("token", ""), caller, request.app.state.clock())


def way_back(fields: Mapping[str, str]) -> str:
    """Where a form came from: a path of ours, never another site."""
    path = fields.get("back", "/")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
