"""The pages for people, one handler each; nothing here decides what may be seen.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.errors import BadRequest
from gateway.fhir.datetime import parameter
from gateway.web import (
    discharge,
    lanes,
    letter,
    measures,
    queue,
    record,
    reference,
    sip,
    task,
    visitor,
    workbench,
    worklist,
)
from gateway.web.answer import Person, by_part, by_unit, tracks
from gateway.web.refusals import PageRoute
from gateway.web.render import STATIC, page, see_other
from gateway.web.texts import LANGUAGES

YEAR = 365 * 24 * 3600
HELD_MOST = 50


async def start(request: Request) -> Response:
    """Pick a person."""
    who = visitor.asking(request, "operation")
    persons = await to_thread.run_sync(visitor.door_of(request).persons, who)
    return page(request, "start.html", caller=who.caller, persons=persons, unknown=False)


async def find(request: Request) -> Response:
    """To the person of an identity number, which is posted: it must not stand in an address."""
    number = (await visitor.form(request)).get("number", "")
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    found = await to_thread.run_sync(door.find_person, who, number)
    if found is not None:
        return see_other(f"/patient/{found}")
    persons = await to_thread.run_sync(door.persons, who)
    return page(request, "start.html", caller=who.caller, status=404, persons=persons, unknown=True)


async def back_to_start(_: Request) -> Response:
    """An address that only forms go to, loaded anew."""
    return see_other("/")


async def patient(request: Request, id: str) -> Response:
    """Who does what for one person."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    at, known_at = _time(request, "at"), _time(request, "known-at")
    view = await to_thread.run_sync(lambda: door.view(who, id, at=at, known_at=known_at))
    zone = request.app.state.zone
    speaking, others = by_part(view.sources)
    window, placed = tracks(view.lanes, view.since, view.at, zone, visitor.language(request))
    given = {"at": view.at.isoformat()} if at else {}
    given |= {"known-at": view.known_at.isoformat()} if known_at else {}
    return page(
        request,
        "patient.html",
        caller=who.caller,
        person=Person.of(view.patient),
        view=view,
        own=who.caller.organisations,
        at_ward=door.is_at_ward(who, view),
        at=view.at,
        responsible=by_unit(view.now),
        speaking=speaking,
        others=others,
        window=window,
        tracks=placed,
        query=f"?{urlencode(given)}" if given else "",
        travelled=bool(given),
        chosen=set(given),
    )


async def source(request: Request, id: str, digest: str) -> Response:
    """The source record of one statement."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    found = await to_thread.run_sync(door.source_record, who, id, digest)
    times = {name: value for name in ("at", "known-at") if (value := request.query_params.get(name))}
    return page(
        request,
        "source.html",
        caller=who.caller,
        patient=id,
        record=found,
        table=record.table(found, visitor.language(request)),
        place=record.place,
        query=f"?{urlencode(times)}" if times else "",
    )


async def inbox(request: Request) -> Response:
    """Messages that hold an item which could not be used. The operator's."""
    who, door = visitor.asking(request, "inbox"), visitor.door_of(request)
    held = await to_thread.run_sync(lambda: door.inbox_list(who, state="held", limit=HELD_MOST))
    latest = await to_thread.run_sync(lambda: door.inbox_list(who, limit=HELD_MOST))
    return page(request, "inbox.html", caller=who.caller, held=held, latest=latest, moment=datetime.fromisoformat)


async def message(request: Request, id: str) -> Response:
    """One message with its items and their issues."""
    who, door = visitor.asking(request, "inbox"), visitor.door_of(request)
    found = await to_thread.run_sync(door.inbox_show, who, id)
    package = door.package_of(found["source"])
    return page(
        request, "message.html", caller=who.caller, message=found, package=package, moment=datetime.fromisoformat
    )


async def api(request: Request) -> Response:
    """The OpenAPI document to look through, of everything or of one resource type."""
    who = visitor.asking(request, "capabilities")
    chosen = request.query_params.get("type") or None
    document = request.app.state.openapi(chosen)
    return page(
        request,
        "api.html",
        caller=who.caller,
        chosen=chosen,
        types=visitor.door_of(request).definitions.resource_types,
        operations=reference.operations(document),
        schemas=reference.schemas(document, chosen),
    )


async def choose_identity(request: Request) -> Response:
    """Become another test identity, or the operator again."""
    fields = await visitor.form(request)
    response = see_other("/")
    wanted = fields.get("identity", "")
    token = next((one.token for one in visitor.test_identities(request) if one.hsa_id == wanted), None)
    if token is None:
        response.delete_cookie(IDENTITY_COOKIE, httponly=True, samesite="strict")
    else:
        secure = request.url.scheme == "https"
        response.set_cookie(IDENTITY_COOKIE, token, httponly=True, samesite="strict", secure=secure)
    return response


async def choose_language(request: Request) -> Response:
    """Swedish or English from now on."""
    fields = await visitor.form(request)
    response = see_other(visitor.way_back(fields))
    if (chosen := fields.get("language")) in LANGUAGES:
        response.set_cookie(visitor.LANGUAGE_COOKIE, chosen, max_age=YEAR, httponly=True, samesite="lax")
    return response


ROUTES: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
    ("GET", "/", start, ()),
    ("POST", "/find", find, ()),
    ("GET", "/find", back_to_start, ()),
    ("GET", "/patient/{id}", patient, ("at", "known-at")),
    ("GET", "/patient/{id}/source/{digest}", source, ("at", "known-at")),
    ("GET", "/patient/{id}/ask", task.asking_form, ()),
    ("POST", "/patient/{id}/ask", task.ask, ()),
    ("GET", "/patient/{id}/letter", letter.letter, ()),
    ("GET", "/patient/{id}/sip", sip.sip, ("plan", "done")),
    ("POST", "/patient/{id}/sip", sip.act, ()),
    ("GET", "/patient/{id}/sip/letter", sip.letter, ("plan",)),
    ("GET", "/patient/{id}/discharge", discharge.discharge, ("done",)),
    ("POST", "/patient/{id}/discharge", discharge.act, ()),
    ("GET", "/task/{id}", task.task, ("done",)),
    ("POST", "/task/{id}", task.act, ()),
    ("GET", "/worklist", worklist.own, ("since",)),
    ("GET", "/worklist/{id}", worklist.of_unit, ("since",)),
    ("GET", "/queue", queue.queue, ("kind", "after", "done")),
    ("POST", "/queue", queue.decide, ()),
    ("GET", "/measures", measures.measures, ("first", "last", "month")),
    ("GET", "/capacity", measures.capacity, ()),
    ("GET", "/inbox", inbox, ()),
    ("GET", "/inbox/{id}", message, ()),
    ("GET", "/api", api, ("type",)),
    ("GET", "/workbench", workbench.packages, ()),
    ("GET", "/workbench/{package}", workbench.workbench, ("case", "message")),
    ("POST", "/workbench/{package}", workbench.work, ()),
    ("POST", "/identity", choose_identity, ()),
    ("POST", "/language", choose_language, ()),
)
"""Method, path, handler, and the parameters that the address may have: another could be taken to have been heeded."""


@cache
def router() -> APIRouter:
    """The table as routes, whose refusals are pages too."""
    routes = APIRouter(route_class=PageRoute)
    for method, path, handler, known in ROUTES:
        only = [Depends(_only(known))]
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        routes.add_api_route(
            path, handler, methods=methods, include_in_schema=False, response_model=None, dependencies=only
        )
    return routes


def static() -> Starlette:
    """Style sheets and the typeface; their addresses change when they do."""

    async def places(_: Request) -> Response:
        return Response(lanes.stylesheet(), media_type="text/css", headers={"Cache-Control": "max-age=86400"})

    return Starlette(routes=[Route("/lanes.css", places), Mount("/", _Kept(directory=STATIC))])


class _Kept(StaticFiles):
    """Browsers may keep these for a day; the style sheets' addresses change when they do."""

    def file_response(self, *given: Any, **more: Any) -> Response:
        response = super().file_response(*given, **more)
        response.headers["Cache-Control"] = "max-age=86400"
        return response


def _only(known: Collection[str]) -> Callable[[Request], Awaitable[None]]:
    """Lets pass what has these parameters alone, each once."""

    async def check(request: Request) -> None:
        names = [name for name, _ in request.query_params.multi_items()]
        if wrong := next((name for name in names if name not in known or names.count(name) > 1), None):
            rule = "parameter-repeated" if wrong in known else "unknown-parameter"
            text = f"Parameters of this page: {', '.join(known) or 'none'}; each at most once."
            raise BadRequest(text, rule=rule, where=wrong[:64])

    return check


def _time(request: Request, name: str) -> datetime | None:
    """A time of the form, Swedish where it names no zone; None where the field was left empty."""
    value = request.query_params.get(name, "").strip()
    return parameter(name, value, request.app.state.zone) if value else None
