"""What needs a person, with its decisions as buttons. The operator's.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response

from gateway.access.caller import Asking
from gateway.access.queue import Proposal
from gateway.errors import BadRequest, GatewayError
from gateway.web import visitor
from gateway.web.answer import Person
from gateway.web.refusals import said
from gateway.web.render import page, see_other
from gateway.web.texts import TEXTS

REASONS = {
    "demographics contradict the number": "demographics",
    "two personnummer merged by a source": "merged",
}
"""Why a link was proposed, as it is kept, and the text that says so: `proposed-` and this."""
SHOWN_AGAIN = frozenset({400, 404, 409, 422})


async def queue(request: Request) -> Response:
    """Held items, proposed links, persons without a number, contradictions."""
    return await _shown(request, visitor.asking(request, "inbox"))


async def decide(request: Request) -> Response:
    """Do what a button says, then show what is left."""
    fields = await visitor.form(request)
    who, door = visitor.asking(request, "inbox"), visitor.door_of(request)
    await to_thread.run_sync(door.queue, who)  # Whom it is not for hears so first.
    visitor.check_token(request, fields, who.caller)
    try:
        done = await to_thread.run_sync(_decided, request, who, fields)
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        return await _shown(request, who, error)
    return see_other(f"/queue?done={done}")


def _decided(request: Request, who: Asking, fields: Mapping[str, str]) -> str:
    """What was done, as the page is told it."""
    door = visitor.door_of(request)
    do, reason = fields.get("do", ""), fields.get("reason", "")
    one, other = fields.get("one", ""), fields.get("other", "")
    match do:
        case "replay":
            _, held = door.replay(who, one)
            return "still-held" if held else do
        case "discard":
            door.discard(who, one, reason)
        case "same" | "undone":
            door.decide_link(who, one, other, "same" if do == "same" else "undone", reason)
        case "match":
            door.match_person(who, one, fields.get("number", ""), reason)
        case _:
            raise BadRequest("There is no decision of this name.", rule="decision-unknown")
    return do


async def _shown(request: Request, who: Asking, error: GatewayError | None = None) -> Response:
    found = await to_thread.run_sync(visitor.door_of(request).queue, who)
    language = visitor.language(request)
    done = request.query_params.get("done", "") if error is None else ""
    return page(
        request,
        "queue.html",
        caller=who.caller,
        status=error.status if error else 200,
        queue=found,
        pairs=[(one, *_people(one)) for one in found.proposals],
        unmatched=[Person.of(one) for one in found.unmatched],
        contradicted=[(one, Person.of(patient) if patient else None) for one, patient in found.contradicted],
        reasons=REASONS,
        token=visitor.token(request, who.caller),
        refusal=said(error, language) if error else "",
        done=done if f"decided-{done}" in TEXTS[language] else "",
        moment=datetime.fromisoformat,
    )


def _people(one: Proposal) -> tuple[Person, Person]:
    return Person.of(one.one), Person.of(one.other)
