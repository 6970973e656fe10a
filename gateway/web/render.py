"""A template with its facts, as a response that browsers may not store, frame, or mix with anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.access.caller import Caller
from gateway.access.worklists import status_words
from gateway.web import visitor
from gateway.web.lanes import stylesheet
from gateway.web.texts import TEXTS
from gateway.web.times import Times

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC = Path(__file__).parent / "static"
HEADERS: Mapping[str, str] = {
    # No script at all, ours neither: what a source wrote could not act even if it became markup.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers then send the Origin of our own forms as "null", and no form could be checked by it.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def page(request: Request, template: str, *, caller: Caller | None, status: int = 200, **facts: Any) -> Response:
    """The template in the visitor's language; `caller` is None where nobody could be told."""
    language = visitor.language(request)
    state = request.app.state
    now: datetime = state.clock()
    context = {
        "language": language,
        "text": TEXTS[language],
        "times": Times(state.zone, language, facts.get("at", now)),
        "now": now,
        "caller": caller,
        "identities": visitor.test_identities(request),
        "may_operate": visitor.may_operate(request),
        "path": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "demo_network": state.settings.demo_network,
        "fixed_now": state.settings.now is not None,
        "version": _version(),
    }
    body = _environment().get_template(template).render({**context, **facts})
    return HTMLResponse(body, status, headers=dict(HEADERS))


def see_other(path: str) -> Response:
    """The way on after a form: to load what follows anew presses nothing."""
    return RedirectResponse(path, 303, headers=dict(HEADERS))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("gateway.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["started"] = started
    environment.globals["status"] = status_words
    environment.filters["tel"] = tel
    environment.filters["number"] = identity_number
    return environment


@cache
def _version() -> str:
    """Changes with the style sheets, so that browsers may keep them."""
    sheets = b"".join(path.read_bytes() for path in sorted(STATIC.glob("*.css")))
    return sha256(sheets + stylesheet().encode()).hexdigest()[:12]


def started(text: str) -> str:
    """With a capital, to begin a line; the rest as it is, unlike `capitalize`."""
    return text[:1].upper() + text[1:]


def tel(phone: str) -> str:
    """What a telephone dials: `0980-319 201` becomes `+46980319201`."""
    digits = "".join(character for character in phone if character.isdigit())
    if phone.lstrip().startswith("+"):
        return f"+{digits}"
    return f"+46{digits[1:]}" if digits.startswith("0") else digits


def identity_number(value: str) -> str:
    """`19410714-2384`, as people read it; anything else as it stands."""
    return f"{value[:8]}-{value[8:]}" if len(value) == 12 and value[:8].isdigit() else value
