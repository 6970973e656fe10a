"""Patient/$everything and Encounter/$everything: the whole record, by GET and by POST.

https://hl7.org/fhir/R4/patient-operation-everything.html, https://hl7.org/fhir/R4/encounter-operation-everything.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.everything import Wanted
from gateway.access.searching import PAGE
from gateway.errors import BadRequest
from gateway.fhir.datetime import parameter
from gateway.rest import parameters
from gateway.rest.format import negotiate, parted
from gateway.rest.parameters import Given
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered, base_of
from gateway.search import dates
from gateway.search.everything import Span

CODE: Final = "everything"
SERVED: Final = (
    ("patient_everything", "Patient", False),
    ("encounter_everything", "Encounter", True),
    ("patient_everything_instance", "Patient", True),
)
"""What the handlers are called, of which type, and whether of one resource."""
ASKED: Final = ("start", "end", "_since", "_type", "_count")
"""What is repeated in the links to other pages."""


def _handler(resource_type: str, name: str, *, posted: bool, instance: bool) -> Handler:
    async def answer(request: Request, id: str | None = None) -> Response:
        negotiate(request)
        who, door = asking(request, CODE), door_of(request)
        op = parameters.operation(door.definitions, resource_type, CODE)
        if posted:
            given = await parameters.sent(request, op, door.definitions)
        else:
            given = parameters.asked(request, op, beside=(PAGE,))
        body = await in_thread(
            door.everything,
            who,
            resource_type,
            id,
            _wanted(request, given),
            base=base_of(request),
            params=tuple((name, str(value)) for name in ASKED for value in given.all(name)),
            page=request.query_params.get(PAGE),
            shown=parted(request.query_params.multi_items())[1],
        )
        return await answered(request, body, entries=True)

    async def of_all(request: Request) -> Response:
        return await answer(request)

    async def of_one(request: Request, id: str) -> Response:
        return await answer(request, id)

    handler = of_one if instance else of_all
    handler.__name__ = name
    return handler


def _routes() -> Iterator[tuple[str, str, Handler]]:
    for name, resource_type, instance in SERVED:
        path = f"/fhir/{resource_type}/{'{id}/' if instance else ''}${CODE}"
        yield "GET", path, _handler(resource_type, name, posted=False, instance=instance)
        yield "POST", path, _handler(resource_type, f"{name}_by_post", posted=True, instance=instance)


ROUTES: Final = tuple(_routes())


def _wanted(request: Request, given: Given) -> Wanted:
    since, count = given.one("_since"), given.one("_count")
    if count is not None and count < 0:
        raise BadRequest("_count is not negative.", rule="parameter-malformed", where="_count")
    return Wanted(
        care=_care(request, given),
        since=None if since is None else dates.micros(parameter("_since", since, request.app.state.zone)),
        types=tuple(dict.fromkeys(one for some in given.all("_type") for one in some.split(",") if one)),
        count=count,
    )


def _care(request: Request, given: Given) -> Span:
    """From the beginning of the first day to the end of the last one."""
    days = {}
    for name in ("start", "end"):
        if (text := given.one(name)) is not None:
            days[name] = dates.span(text, request.app.state.zone) if len(text) <= 10 else None
            if days[name] is None:
                raise BadRequest(f"{name} is a date, like 2026-11-20.", rule="parameter-malformed", where=name)
    low, high = days.get("start"), days.get("end")
    care = Span(low[0] if low else dates.LOWEST, high[1] if high else dates.HIGHEST)
    if care.low >= care.high:
        raise BadRequest("start must not be later than end.", rule="parameter-malformed", where="start")
    return care
