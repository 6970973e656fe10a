"""POST /ingest/{source}: a message of a configured source instance, kept before it is acknowledged.

202 with the inbox id, after commit. The message is tried afterwards; `GET /ingest/{source}/{id}` says what became
of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.door import Door
from gateway.records import Incoming, Source
from gateway.rest.request import asking, bounded, door_of, in_thread, moment
from gateway.rest.response import dump_any
from gateway.rest.rounds import Rounds


async def push(request: Request, source: str) -> Response:
    who = asking(request, "ingest")
    as_of = moment(request, "as-of")
    door = door_of(request)
    origin = await _source(door, who, source)
    raw = await bounded(request)
    media_type = request.headers.get("content-type", "application/octet-stream")
    incoming: Rounds[Callable[[], Incoming], str] = request.app.state.incoming
    kept = await incoming.ask(partial(door.sent, who, origin, raw, media_type, as_of=as_of))
    return Response(
        dump_any({"id": kept, "source": source, "state": "received", "size": len(raw)}),
        202,
        headers={"Location": f"/ingest/{source}/{kept}", "X-Request-Id": request.state.request_id},
        media_type="application/json",
    )


async def _source(door: Door, who: Asking, source: str) -> Source:
    """Whom the caller sends as. NotFound, which is recorded first: only that may take a while."""
    if found := door.may_send_as(who.caller, source):
        return found
    return await in_thread(door.source, who, source)


async def status(request: Request, source: str, id: str) -> Response:
    who = asking(request, "inbox")
    shown = await in_thread(door_of(request).inbox_show, who, id, source)
    return Response(dump_any(shown), headers={"X-Request-Id": request.state.request_id}, media_type="application/json")
