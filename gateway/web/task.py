"""One Task and what the caller may do with it, as buttons; and the form by which one unit asks another.

What is pressed is posted and answered with the way to the Task as it is then. A press that cannot be obeyed shows the
Task as it is now, with what was said and what was written kept.

docs/page.md
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.commands import Done
from gateway.access.moves import BY_CODE
from gateway.access.tasking import MOST_TEXT, PRIORITIES, Asked, Given, TaskView, missing
from gateway.errors import BadRequest, GatewayError
from gateway.fhir.datetime import parameter
from gateway.web import visitor
from gateway.web.answer import Person
from gateway.web.refusals import said
from gateway.web.render import page, see_other
from gateway.web.texts import TEXTS

MOST_FORM = 64 * 1024
SHOWN_AGAIN = frozenset({400, 403, 409, 412, 422})
"""Refusals after which the Task is shown as it is now, with what was said."""


async def task(request: Request, id: str) -> Response:
    """The Task, with the caller's moves."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    view = await to_thread.run_sync(door.task, who, id)
    return _shown(request, who, view, {})


async def act(request: Request, id: str) -> Response:
    """Do what a button says, by the rules that hold for every write; then show the Task."""
    fields = await visitor.form(request, most=MOST_FORM)
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    shown = await to_thread.run_sync(door.task, who, id)  # Whom it is not for hears so first.
    visitor.check_token(request, fields, who.caller)
    try:
        done = await to_thread.run_sync(_do, request, who, id, fields)
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        view = await to_thread.run_sync(door.task, who, id)
        return _shown(request, who, view, fields, error)
    do = fields.get("do", "")
    if do == "take" and "focus" in shown.task.resource:
        taken = await to_thread.run_sync(door.task, who, id)
        if taken.about is not None:  # What is to be worked on is what changed hands.
            return see_other(f"/task/{taken.about}?done=take-over")
    return see_other(f"/task/{id if done is None else done.version.id}?done={do}")


async def asking_form(request: Request, id: str) -> Response:
    """The form by which the caller's unit asks another for something for a person."""
    who = visitor.asking(request, "operation")
    return await _ask_page(request, who, id, {})


async def ask(request: Request, id: str) -> Response:
    """Ask, and show the Task that was made."""
    fields = await visitor.form(request, most=MOST_FORM)
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    await to_thread.run_sync(door.patient, who, id)
    visitor.check_token(request, fields, who.caller)
    try:
        asked = _asked(request, fields)
        done = await to_thread.run_sync(door.ask, who, id, asked)
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        return await _ask_page(request, who, id, fields, error)
    return see_other(f"/task/{done.version.id}?done={'ask' if done.what == 'created' else 'ask-before'}")


def _do(request: Request, who: Asking, id: str, fields: Mapping[str, str]) -> Done | None:
    """The new Task where one was made; None where it is the one that is shown."""
    door = visitor.door_of(request)
    do, version = fields.get("do", ""), fields.get("version", "")
    if do == "read":
        door.acknowledge(who, id)
        return None
    if do == "ask-anew":
        return door.ask_anew(who, id, fields.get("to", ""), version=version)
    if do == "hand-over":
        if not (why := _text(fields, "reason-hand-over")):
            raise BadRequest("Give a reason.", rule="reason-missing")
        door.hand_over(who, id, fields.get("to", ""), why, form=fields.get("form", ""))
        return None
    move = BY_CODE.get(do)
    if move is None:
        raise BadRequest("There is no button of this name.", rule="move-unknown")
    names = {code: words.in_language("sv") for code, words in door.concepts("decline-reason").items()}
    given = Given(
        _text(fields, f"reason-{do}"), _text(fields, "report"), code := fields.get("code", ""), names.get(code, "")
    )
    if what := missing(move, given):
        raise BadRequest(f"Give a {what}.", rule=f"{what}-missing")
    door.move(who, id, do, given, version=version)
    return None


def _asked(request: Request, fields: Mapping[str, str]) -> Asked:
    due = fields.get("due", "").strip()
    what = _text(fields, "what")
    if not what:
        raise BadRequest("Say what is to be done.", rule="what-missing")
    return Asked(
        fields.get("code", ""),
        fields.get("to", ""),
        what,
        fields.get("priority", "routine"),
        parameter("due", due, request.app.state.zone) if due else None,
        fields.get("next", ""),
        fields.get("form", ""),
    )


def _text(fields: Mapping[str, str], name: str) -> str:
    """What was written, line by line, without the spaces around the lines and the empty lines around the text."""
    lines = (" ".join(line.split()) for line in fields.get(name, "").splitlines())
    return "\n".join(lines).strip()[:MOST_TEXT]


def _shown(
    request: Request, who: Asking, view: TaskView, fields: Mapping[str, str], error: GatewayError | None = None
) -> Response:
    door, language = visitor.door_of(request), visitor.language(request)
    units = door.units() if view.may_ask_anew or view.may_hand_over else []
    done = request.query_params.get("done", "") if error is None else ""
    return page(
        request,
        "task.html",
        caller=who.caller,
        status=error.status if error else 200,
        view=view,
        task=view.task,
        person=Person.of(view.patient) if view.patient else None,
        token=visitor.token(request, who.caller),
        form=str(uuid.uuid4()),
        given=fields,
        refusal=said(error, language) if error else "",
        stale=bool(error and error.status in (409, 412)),
        done=done if f"done-{done}" in TEXTS[language] else "",
        reasons=door.concepts("decline-reason"),
        units=units,
    )


async def _ask_page(
    request: Request, who: Asking, id: str, fields: Mapping[str, str], error: GatewayError | None = None
) -> Response:
    door, language = visitor.door_of(request), visitor.language(request)
    patient = await to_thread.run_sync(door.patient, who, id)
    units = await to_thread.run_sync(door.units)
    facts: dict[str, Any] = {
        "person": Person.of(patient),
        "token": visitor.token(request, who.caller),
        "form": fields.get("form") or str(uuid.uuid4()),
        "given": fields,
        "refusal": said(error, language) if error else "",
        "missions": door.concepts("mission"),
        "units": [(hsa_id, name) for hsa_id, name in units if hsa_id != who.caller.hsa_id],
        "priorities": PRIORITIES,
        "operator": who.caller.operator,
    }
    return page(request, "ask.html", caller=who.caller, status=error.status if error else 200, **facts)
