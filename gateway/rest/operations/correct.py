"""Task/$correct: what was said of a Task that has ended is put right, on the record.

The OperationDefinition is `Task-correct`. coordination.md C-15.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.rest import parameters
from gateway.rest.conditions import if_match
from gateway.rest.format import negotiate
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import written

TASK: Final = "Task"
CODE: Final = "correct"


async def correct(request: Request, id: str) -> Response:
    negotiate(request)
    who, door = asking(request, CODE), door_of(request)
    came = await body(request)
    op = parameters.operation(door.definitions, TASK, CODE)
    given = await parameters.sent(request, op, door.definitions, came=came)
    reason = str(given.one("reason")).strip()
    if not reason:
        raise BadRequest("Say why it is corrected.", rule="parameter-malformed", where="reason")
    done = await in_thread(door.correct, who, TASK, id, given.one("resource"), reason, came, if_match=if_match(request))
    return await written(request, done)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("POST", "/fhir/Task/{id}/$correct", correct),)
