"""What a ward tells those who care for somebody at home, by a form: for a ward whose system cannot.

docs/page.md
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.discharging import ADMITTED, INFORMATION, NOTICES, READY, Notice
from gateway.access.tasking import MOST_TEXT
from gateway.errors import GatewayError
from gateway.web import visitor
from gateway.web.answer import Person
from gateway.web.refusals import said
from gateway.web.render import page, see_other
from gateway.web.task import MOST_FORM, SHOWN_AGAIN
from gateway.web.texts import TEXTS

ROWS = (("municipal-care", 1), ("social-services", 2), ("open-care", 3), ("other", 4), ("other", 5))
"""The rows of those who are told, with the role that each begins with."""
USUAL = 3
"""So many are open; the others are shown when somebody wants more."""


async def discharge(request: Request, id: str) -> Response:
    """The stay, what was told of it, and the form."""
    who = visitor.asking(request, "operation")
    return await _shown(request, who, id, {})


async def act(request: Request, id: str) -> Response:
    """Send the message, and show what was told."""
    fields = await visitor.form(request, most=MOST_FORM)
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    await to_thread.run_sync(door.patient, who, id)  # Whom it is not for hears so first.
    visitor.check_token(request, fields, who.caller)
    try:
        await to_thread.run_sync(door.notify, who, id, _notice(fields))
    except GatewayError as error:
        if error.status not in SHOWN_AGAIN:
            raise
        return await _shown(request, who, id, fields, error)
    return see_other(f"/patient/{id}/discharge?done={fields.get('code', '')}")


def _notice(fields: Mapping[str, str]) -> Notice:
    told = [(fields.get(f"to-{row}", ""), fields.get(f"role-{row}", "")) for _, row in ROWS]
    return Notice(
        fields.get("form", ""),
        fields.get("code", ""),
        tuple((hsa_id, role) for hsa_id, role in told if hsa_id),
        fields.get("estimated", "").strip(),
        "\n".join(" ".join(line.split()) for line in fields.get("information", "").splitlines()).strip()[:MOST_TEXT],
    )


async def _shown(
    request: Request, who: Asking, id: str, given: Mapping[str, str], error: GatewayError | None = None
) -> Response:
    door, language = visitor.door_of(request), visitor.language(request)
    view = await to_thread.run_sync(door.stay, who, id)
    units = await to_thread.run_sync(door.units)
    told = {one.code for one in view.sent}
    done = request.query_params.get("done", "") if error is None else ""
    return page(
        request,
        "discharge.html",
        caller=who.caller,
        status=error.status if error else 200,
        person=Person.of(view.patient),
        view=view,
        rows=ROWS,
        usual=USUAL,
        more=any(given.get(f"to-{row}") for _, row in ROWS[USUAL:]),
        notices=NOTICES,
        # What comes next in the law's order stands first.
        code=given.get("code") or (ADMITTED if ADMITTED not in told else READY if READY not in told else INFORMATION),
        given=given,
        units=[(hsa_id, name) for hsa_id, name in units if hsa_id != who.caller.hsa_id],
        token=visitor.token(request, who.caller),
        form=given.get("form") or str(uuid.uuid4()),
        refusal=said(error, language) if error else "",
        done=done if f"notice-done-{done}" in TEXTS[language] else "",
    )
