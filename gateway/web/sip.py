"""The SIP of a person as a form for who draws it up, as a page for who takes part, and as a print for the person.

Works without script: rows come by saving. Every press saves what is written first, so that nothing is lost by what
cannot be done yet.

docs/page.md
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.drawing_up import MOST_LINES, SipView
from gateway.access.sheets import Line, Sheet
from gateway.access.tasking import MOST_TEXT
from gateway.errors import BadRequest, GatewayError
from gateway.web import visitor
from gateway.web.answer import Person
from gateway.web.refusals import said
from gateway.web.render import page, see_other
from gateway.web.task import SHOWN_AGAIN
from gateway.web.texts import TEXTS

MOST_FORM = 256 * 1024
BLANKS, INVITED_BLANKS = 2, 2
"""Empty rows that are there to be written in."""
NEW = "new"
PRESSES = ("save", "more", "call", "settle", "end", "discard")


async def sip(request: Request, id: str) -> Response:
    """The plan: the one that is named, `new`, or the latest that goes on."""
    who = visitor.asking(request, "operation")
    return await _shown(request, who, id, request.query_params.get("plan") or None)


async def letter(request: Request, id: str) -> Response:
    """The plan as a print for the person."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    plan = request.query_params.get("plan") or None
    view = await to_thread.run_sync(lambda: door.sip(who, id, plan, fresh=str(uuid.uuid4())))
    return page(
        request,
        "sip-letter.html",
        caller=who.caller,
        person=Person.of(view.patient),
        view=view,
        at=request.app.state.clock(),
        day=lambda text: _day(request, text),
    )


async def act(request: Request, id: str) -> Response:
    """Do what a button says, after what was written is saved; then show the plan."""
    fields = await visitor.form(request, most=MOST_FORM)
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    await to_thread.run_sync(door.patient, who, id)  # Whom it is not for hears so first.
    visitor.check_token(request, fields, who.caller)
    do, plan = fields.get("do", ""), fields.get("plan", "")
    sheet = _sheet(fields)
    saved = False
    try:
        if do not in PRESSES:
            raise BadRequest("There is no button of this name.", rule="move-unknown")
        if do not in ("end", "discard"):
            await to_thread.run_sync(door.save_sip, who, id, sheet)
            saved = True
        further = {"call": door.call_sip, "settle": door.settle_sip, "end": door.end_sip, "discard": door.discard_sip}
        if do in further:
            await to_thread.run_sync(further[do], who, id, plan)
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        if saved:  # What was written is there; only the step could not be taken.
            return await _shown(request, who, id, plan, error=error)
        return await _shown(request, who, id, plan, given=sheet, error=error)
    if do == "discard":
        return see_other(f"/patient/{id}")
    return see_other(f"/patient/{id}/sip?plan={plan}&done={do}")


async def _shown(
    request: Request,
    who: Asking,
    id: str,
    plan: str | None,
    *,
    given: Sheet | None = None,
    error: GatewayError | None = None,
) -> Response:
    door, language = visitor.door_of(request), visitor.language(request)
    view = await to_thread.run_sync(_view, request, who, id, plan, given)
    done = request.query_params.get("done", "") if error is None else ""
    sheet = view.sheet if given is None else _renewed(given, view)
    units = [] if not view.editable else await to_thread.run_sync(door.units)
    return page(
        request,
        "sip.html",
        caller=who.caller,
        status=error.status if error else 200,
        person=Person.of(view.patient),
        view=view,
        sheet=replace(sheet, lines=(*sheet.lines, *(Line(str(uuid.uuid4())) for _ in range(BLANKS)))),
        invited=(*sheet.invited, *[""] * INVITED_BLANKS),
        meeting=_day(request, sheet.meeting),
        bodies=[] if not view.editable else await to_thread.run_sync(door.bodies),
        units=units,
        token=visitor.token(request, who.caller),
        refusal=said(error, language) if error else "",
        rule=error.issues[0].rule if error else "",
        stale=bool(error and error.status in (409, 412)),
        done=done if f"sip-done-{done}" in TEXTS[language] else "",
        day=lambda text: _day(request, text),
    )


def _view(request: Request, who: Asking, id: str, plan: str | None, given: Sheet | None) -> SipView:
    door = visitor.door_of(request)
    fresh = given.id if given is not None else str(uuid.uuid4())
    if plan == NEW or given is not None:
        found = door.sip(who, id, None, fresh=fresh)
        begun = any(one == fresh for one, _, _ in found.others)
        return door.sip(who, id, fresh, fresh=fresh) if begun else found.blank(fresh)
    return door.sip(who, id, plan, fresh=fresh)


def _renewed(given: Sheet, view: SipView) -> Sheet:
    """What was written, at the versions that are there now; without the rows that somebody has been asked for."""
    now = {one.id: one.version for one in view.sheet.lines}
    asked = {one.id for one in view.parts} - now.keys()
    lines = [replace(one, version=now.get(one.id, "")) for one in given.lines if one.id not in asked]
    return replace(
        given,
        version=view.sheet.version,
        consent_version=view.sheet.consent_version,
        lines=tuple(one for one in lines if not one.is_blank),
    )


def _sheet(fields: Mapping[str, str]) -> Sheet:
    """What was written. The rows are numbered from 1."""
    numbers = [number for number in range(1, MOST_LINES + BLANKS + 1) if f"id-{number}" in fields]
    invited = [fields.get(f"invited-{number}", "") for number in range(1, MOST_LINES) if f"invited-{number}" in fields]
    return Sheet(
        fields.get("plan", ""),
        fields.get("version", ""),
        goal=_text(fields, "goal"),
        consent=fields.get("consent", "") if fields.get("consent") in ("given", "refused") else "",
        consent_date=fields.get("consent-date", "").strip(),
        consent_version=fields.get("consent-version", ""),
        overall=fields.get("overall", ""),
        present=fields.get("present") == "yes",
        relatives=_text(fields, "relatives"),
        meeting=fields.get("meeting", "").strip(),
        place=_text(fields, "place"),
        invited=tuple(sorted({one for one in invited if one})),
        follow_up=fields.get("follow-up", "").strip(),
        lines=tuple(_line(fields, number) for number in numbers if f"remove-{number}" not in fields),
        removed=frozenset(fields[f"id-{number}"] for number in numbers if f"remove-{number}" in fields),
    )


def _line(fields: Mapping[str, str], number: int) -> Line:
    def field(name: str) -> str:
        return fields.get(f"{name}-{number}", "").strip()

    what, name = _text(fields, f"what-{number}"), _text(fields, f"name-{number}")
    return Line(field("id"), field("version"), what, field("body"), field("unit"), name, field("start"))


def _text(fields: Mapping[str, str], name: str) -> str:
    """What was written, line by line, without the spaces around the lines and the empty lines around the text."""
    lines = (" ".join(line.split()) for line in fields.get(name, "").splitlines())
    return "\n".join(lines).strip()[:MOST_TEXT]


def _day(request: Request, text: str) -> datetime | None:
    """A day, or a time, of the sheet."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=request.app.state.zone)
