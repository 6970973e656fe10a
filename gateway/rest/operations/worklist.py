"""Organization/$worklist: what waits for an organisation, what it waits for, and what has changed.

docs/api/worklist.md; the OperationDefinition is `Organization-worklist` in conformance/.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import asking, door_of, in_thread, moment
from gateway.rest.response import answered, base_of

SINCE: Final = "since"
COUNT: Final = "_count"


async def worklist(request: Request, id: str) -> Response:
    negotiate(request)
    who = asking(request, "operation")
    for name in request.query_params:
        if name not in (SINCE, COUNT, *PRESENTATION):
            text = f"There is no parameter of this name. Parameters: {SINCE}, {COUNT}."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    since, count = moment(request, SINCE), _count(request)
    made = await in_thread(door_of(request).worklist_bundle, who, id, base=base_of(request), since=since, count=count)
    return await answered(request, made)


def _count(request: Request) -> int | None:
    given = request.query_params.get(COUNT)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given)):
        raise BadRequest("_count is a number, 1 or more.", rule="parameter-malformed", where=COUNT)
    return int(given)
