"""Patient/$who-does-what: one answer to who is responsible, what comes next, and what is missing.

docs/who-does-what.md; the OperationDefinition is `Patient-who-does-what` in conformance/.
"""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from fastapi.responses import Response

from gateway.errors import BadRequest
from gateway.rest.request import accept_json, asking, door_of, in_thread
from gateway.rest.response import base_of, json_response

PARAMETERS = ("at", "known-at", "since")


async def who_does_what(request: Request, id: str) -> Response:
    accept_json(request)
    who = asking(request, "operation")
    for name in request.query_params:
        if name not in (*PARAMETERS, "_format", "_pretty"):
            raise BadRequest(
                f"There is no parameter of this name. Parameters: {', '.join(PARAMETERS)}.",
                rule="unknown-parameter",
                where=name[:64],
            )
    at, known_at, since = (_time(request, name) for name in PARAMETERS)
    base = base_of(request)
    body = await in_thread(door_of(request).who_does_what, who, id, base=base, at=at, known_at=known_at, since=since)
    return json_response(request, body)


def _time(request: Request, name: str) -> datetime | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        # A plus that was not percent-encoded arrives as a blank.
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError as error:
        raise BadRequest(
            f"{name} must be a dateTime, like 2026-11-20T14:00:00+01:00.", rule="parameter-malformed", where=name
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=request.app.state.zone)
