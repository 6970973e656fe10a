"""What every interaction needs of an HTTP request: who asks, under which id, with which body.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.access.bearer import IDENTITY_COOKIE, Trust
from gateway.access.caller import PLANS, Asking, Caller, Plan
from gateway.access.commands import Body
from gateway.errors import BadRequest, TooLarge, UnsupportedMediaType
from gateway.fhir.datetime import parameter
from gateway.rest.format import NAMES, sent
from gateway.rest.known import headers, known
from gateway.rest.packed import GZIP, PLAIN, unpacked
from gateway.rest.rounds import Rounds

if TYPE_CHECKING:
    from gateway.access.commands import Done
    from gateway.access.door import Door
    from gateway.access.reading import Served, Wanted
    from gateway.access.together import Sent

T = TypeVar("T")
Handler = Callable[..., Awaitable[Response]]
"""Answers a request; the parts of its path are given by their names."""

INLINE: ContextVar[bool] = ContextVar("INLINE", default=False)
"""Whether this is a thread that may block: a handler there answers without waiting for another one."""
PERFORMED_FOR = "gateway.performed_for"
"""In a request that was kept, and is performed now: who asked then. Nothing from outside can put it there."""
CARE_PLAN = "X-Care-Plan"
"""Says to which plan new Tasks come that name none."""
KNOWN = ("request_id", "caller", "plan")
"""What is known of a request once it is known who asks; it holds for the entries of a Bundle, too."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def door_of(request: Request) -> Door:
    """The one door, put there by the app; within a transaction, the door to what the transaction sees."""
    door: Door = getattr(request.state, "door", None) or request.app.state.door
    return door


def asking(request: Request, interaction: str) -> Asking:
    """Who asks for what; the caller's X-Request-Id is kept where it is one, else a new one is made."""
    held = known(request)
    caller: Caller | None = held.get("caller")
    if caller is not None:  # An entry of a Bundle: whose it is was told from the whole.
        return Asking(caller, interaction, held["request_id"], plan=held["plan"])
    told = headers(request)
    caller = request.scope.get(PERFORMED_FOR)
    if caller is None:
        trust: Trust = request.app.state.trust
        cookie = request.cookies.get(IDENTITY_COOKIE) if "cookie" in told else None
        client = request.scope.get("client")
        caller = trust.caller(told, client[0] if client else "", cookie)
    given = told.get("x-request-id", "")
    request_id = given if given and REQUEST_ID.fullmatch(given) else token_hex(16)
    plan = _plan(told.get(CARE_PLAN.lower(), ""))
    held.update(request_id=request_id, caller=caller, plan=plan)
    return Asking(caller, interaction, request_id, plan=plan)


def _plan(given: str) -> Plan:
    """What is asked about the plan of new Tasks. BadRequest."""
    for one in PLANS:
        if one == given:
            return one
    known = ", ".join(PLANS[1:])
    raise BadRequest(f"{CARE_PLAN} is one of: {known}.", rule="header-malformed", where=CARE_PLAN)


async def body(request: Request, names: Mapping[str, str] = NAMES, *, packed: bool = False) -> Body:
    """The body, bounded by the setting `max_body`; UnsupportedMediaType where it is of none of the names."""
    media_type = sent(request, names)
    return Body(await bounded(request, packed=packed), media_type, kept=getattr(request.state, "kept", None))


async def bounded(request: Request, most: int | None = None, *, packed: bool = False) -> bytes:
    """The body's bytes; what gzip packed is unpacked, unless it is wanted `packed`. UnsupportedMediaType of others.

    TooLarge as soon as it is said, or seen, to pass the limit, which is the setting's where none is named: who asks
    before he sends (100-continue) sends nothing. https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    """
    told = headers(request)
    coding = told.get("content-encoding", "").strip().lower()
    if coding not in PLAIN + GZIP:
        raise UnsupportedMediaType("Send the body unpacked, or packed by gzip alone.", rule="body-packed")
    limit = most or request.app.state.settings.max_body
    too_large = TooLarge(f"At most {limit} bytes are accepted.", rule="body-too-large")
    if int(told.get("content-length", 0)) > limit:  # The connection takes nothing but a number.
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
    except ClientDisconnect:  # Nobody hears it.
        raise BadRequest("The connection ended before the body did.", rule="body-cut") from None
    whole = b"".join(parts)
    return whole if packed or coding in PLAIN else await in_thread(unpacked, whole, limit)


def moment(request: Request, name: str) -> datetime | None:
    """The time that a parameter names, in the server's zone where it names none; None where it is not given."""
    value = request.query_params.get(name)
    return None if value is None else parameter(name, value, request.app.state.zone)


async def current(request: Request, wanted: Wanted) -> Served:
    """The current version of a resource, read with whatever else is read in this moment. NotFound, Gone."""
    if INLINE.get():
        return door_of(request).read(wanted.asking, wanted.resource_type, wanted.id)
    reads: Rounds[Wanted, Served] = request.app.state.reads
    return await reads.ask(wanted)


async def stored(request: Request, sent: Sent) -> Done:
    """A resource, created or updated with whatever else is in this moment. What the write refuses."""
    if not INLINE.get() and sent.joins:
        writes: Rounds[Sent, Done] = request.app.state.writes
        return await writes.ask(sent)
    (answer,) = await in_thread(door_of(request).store_all, [sent])
    if isinstance(answer, Exception):
        raise answer
    return answer


async def in_thread(work: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Blocking work (the store) off the event loop; where that is where we are, at once."""
    if INLINE.get():
        return work(*args, **kwargs)
    return await to_thread.run_sync(partial(work, *args, **kwargs))
