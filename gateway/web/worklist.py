"""The worklist of a party: what waits for us, what we wait for, what has changed.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.worklists import SINCE, Line, Listed
from gateway.fhir.datetime import parameter
from gateway.web import visitor
from gateway.web.answer import Person
from gateway.web.render import page

MOST = 50
"""Lines of each list on the page; what follows is said to be there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line with whom it is about."""

    line: Line
    person: Person | None


async def own(request: Request) -> Response:
    """The worklists of the caller's unit and its care provider; the operator chooses one."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    found = await to_thread.run_sync(door.worklists, who)
    if who.caller.operator or not found:
        return page(request, "worklist-choose.html", caller=who.caller, units=found)
    return await _shown(request, found[0][0], found)


async def of_unit(request: Request, id: str) -> Response:
    """The worklist of one organisation, for its own staff and the operator."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    found = [] if who.caller.operator else await to_thread.run_sync(door.worklists, who)
    return await _shown(request, id, found)


async def _shown(request: Request, id: str, own: Sequence[tuple[str, str]]) -> Response:
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    since = _since(request)
    listed = await to_thread.run_sync(lambda: door.worklist(who, id, since=since, most=MOST))
    people = {reference: Person.of(patient) for reference, patient in listed.patients.items()}
    return page(
        request,
        "worklist.html",
        caller=who.caller,
        unit=str(listed.organisation.get("name", "")),
        id=id,
        own=own,
        since=listed.worklist.since,
        days=SINCE.days,
        lists=_lists(listed, people),
        whole=listed.worklist.whole,
    )


def _lists(listed: Listed, people: Mapping[str, Person]) -> dict[str, tuple[list[Row], int]]:
    """Each list's rows, and how many more there are."""
    found = listed.worklist
    return {
        name: (
            [Row(line, people.get(line.patient or "")) for line in lines[:MOST]],
            max(len(lines) - MOST, 0),
        )
        for name, lines in (("waits", found.waits), ("awaited", found.awaited), ("changed", found.changed))
    }


def _since(request: Request) -> datetime | None:
    """From when on changes are shown, Swedish time where no zone is named."""
    value = request.query_params.get("since", "").strip()
    return parameter("since", value, request.app.state.zone) if value else None
