"""Task/$handover: offered, accepted, declined and withdrawn, by POST of Parameters.

The OperationDefinition is `Task-handover`.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.handing_over import BECOMES, Offer
from gateway.access.next_steps import TASK
from gateway.errors import BadRequest
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import answered, of_version

CODE: Final = "handover"
OFFERED: Final = ("arriving", "remaining", "informed", "due", "note")
"""What has a place in an offer, and none in an answer."""


async def handover(request: Request, id: str) -> Response:
    negotiate(request)
    who, door = asking(request, CODE), door_of(request)
    came = await body(request)
    given = await parameters.sent(
        request, parameters.operation(door.definitions, TASK, CODE), door.definitions, came=came
    )
    answer = given.one("answer")
    if answer is None:
        if "arriving" not in given:
            text = "Say who is to take over (arriving), or how a hand-over is answered (answer)."
            raise BadRequest(text, rule="parameter-missing", where="arriving")
        offer = Offer(
            arriving=given.one("arriving"),
            remaining=given.all("remaining"),
            informed=given.all("informed"),
            due=given.one("due"),
            reason=given.one("reason"),
            note=given.one("note"),
        )
        done = await in_thread(door.offer_handover, who, id, offer, came)
    else:
        if answer not in BECOMES:
            text = f"An answer is one of {', '.join(BECOMES)}."
            raise BadRequest(text, rule="parameter-malformed", where="answer")
        for name in OFFERED:
            if name in given:
                text = "This has its place in an offer: leave it out of an answer."
                raise BadRequest(text, rule="parameter-not-offered", where=name)
        done = await in_thread(door.answer_handover, who, id, answer, given.one("reason"), came)
    return await answered(request, done.version.body, headers=of_version(done.version))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("POST", "/fhir/Task/{id}/$handover", handover),)
