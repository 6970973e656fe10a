"""Patient/$who-does-what: one answer to who is responsible, what comes next, and what is missing.

docs/who-does-what.md; the OperationDefinition is `Patient-who-does-what` in conformance/.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import asking, door_of, in_thread, moment
from gateway.rest.response import answered, base_of

PARAMETERS = ("at", "known-at", "since")


async def who_does_what(request: Request, id: str) -> Response:
    negotiate(request)
    who = asking(request, "operation")
    for name in request.query_params:
        if name not in (*PARAMETERS, *PRESENTATION):
            raise BadRequest(
                f"There is no parameter of this name. Parameters: {', '.join(PARAMETERS)}.",
                rule="unknown-parameter",
                where=name[:64],
            )
    at, known_at, since = (moment(request, name) for name in PARAMETERS)
    base = base_of(request)
    body = await in_thread(door_of(request).who_does_what, who, id, base=base, at=at, known_at=known_at, since=since)
    return await answered(request, body)
