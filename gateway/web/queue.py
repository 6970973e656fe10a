"""What needs a person, with its decisions as buttons. The operator's.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.queue import Alike, Disputed, Kind, Pair, Part
from gateway.access.queue import Verdict as Linked
from gateway.access.settling import Verdict
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
LINKS: Mapping[str, tuple[Linked, Linked | None]] = {
    "same": ("same", None),
    "undone": ("undone", None),
    "tie": ("same", "undone"),
    "untie": ("undone", "same"),
}
"""What a button decides of a pair, and what must have been decided before."""
SETTLING: Mapping[str, Verdict] = {"choose": "choose", "ask": "ask", "unsettle": "undo"}
"""What a button decides of a contradiction; `choose` is followed by the statement that is right."""


async def queue(request: Request) -> Response:
    """Held items, proposed links, persons without a number, contradictions; and what was decided."""
    return await _shown(request, visitor.asking(request, "inbox"), dict(request.query_params))


async def decide(request: Request) -> Response:
    """Do what a button says, then show what is left."""
    fields = await visitor.form(request)
    who, door = visitor.asking(request, "inbox"), visitor.door_of(request)
    await to_thread.run_sync(lambda: door.queue(who, "held"))  # Whom it is not for hears so first.
    visitor.check_token(request, fields, who.caller)
    try:
        done = await to_thread.run_sync(_decided, request, who, fields)
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        return await _shown(request, who, fields, error)
    return see_other(f"/queue?{urlencode({**_place(fields), 'done': done})}")


def _decided(request: Request, who: Asking, fields: Mapping[str, str]) -> str:
    """What was done, as the page is told it."""
    door = visitor.door_of(request)
    do, _, chosen = fields.get("do", "").partition(" ")
    one, other, reason = (fields.get(name, "") for name in ("one", "other", "reason"))
    if do in LINKS:
        verdict, before = LINKS[do]
        kind, _, one = one.rpartition("/")  # A person is known by the id alone.
        door.decide_link(who, one, other, verdict, reason, before=before, resource_type=kind or "Patient")
    elif do in SETTLING:
        kind, _, id = one.partition("/")
        element, between = fields.get("element", ""), other.split()
        door.settle(who, kind, id, element, between, SETTLING[do], chosen=chosen or None, reason=reason)
    elif do == "replay":
        _, held = door.replay(who, one)
        return "still-held" if held else do
    elif do == "discard":
        door.discard(who, one, reason)
    elif do == "match":
        door.match_person(who, one, fields.get("number", ""), reason)
    else:
        raise BadRequest("There is no decision of this name.", rule="decision-unknown")
    return do


def _place(fields: Mapping[str, str]) -> dict[str, str]:
    """Which kind is looked at, and from where on."""
    return {name: fields[name] for name in ("kind", "after") if fields.get(name)}


def _further(kind: Kind, after: str) -> str:
    return f"/queue?{urlencode({'kind': kind, 'after': after})}"


async def _shown(
    request: Request, who: Asking, fields: Mapping[str, str], error: GatewayError | None = None
) -> Response:
    door, place, language = visitor.door_of(request), _place(fields), visitor.language(request)
    found = await to_thread.run_sync(lambda: door.queue(who, place.get("kind"), place.get("after", "")))
    done = fields.get("done", "") if error is None else ""
    return page(
        request,
        "queue.html",
        caller=who.caller,
        status=error.status if error else 200,
        parts={kind: _rows(kind, part) for kind, part in found.items()},
        next={
            kind: f"/queue?{urlencode({'kind': kind, 'after': one.next})}" for kind, one in found.items() if one.next
        },
        place=place,
        reasons=REASONS,
        token=visitor.token(request, who.caller),
        refusal=said(error, language) if error else "",
        done=done if f"decided-{done}" in TEXTS[language] else "",
        moment=datetime.fromisoformat,
    )


def _rows(kind: Kind, part: Part) -> list[Any]:
    """With persons as the page names them."""
    if kind == "unmatched":
        return [Person.of(one) for one in part.rows]
    return [_row(one) for one in part.rows]


def _row(one: Any) -> Any:
    match one:
        case Pair():
            return one.link, Person.of(one.one), Person.of(one.other), None
        case Alike():
            return one.link, one.one, one.other, Person.of(one.patient) if one.patient else None
        case Disputed():
            return one.resource, Person.of(one.patient) if one.patient else None, one.contradictions
    return one
