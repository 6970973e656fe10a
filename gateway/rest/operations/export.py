"""$export of the system, of patients and of a group: kick-off, status and manifest, files, deletion.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from gateway.access.commands import Body
from gateway.access.export_files import ISSUES, issues, line, named_file
from gateway.access.export_files import manifest as manifest_of
from gateway.access.exporting import Exported, File, Level, Wanted
from gateway.errors import BadRequest, GatewayError, NotAcceptable, NotFound
from gateway.fhir import json
from gateway.fhir.datetime import parameter
from gateway.fhir.view import WHOLE, view
from gateway.issues import Issue
from gateway.logs import logger
from gateway.rest import parameters
from gateway.rest.format import JSON, named, negotiate, quality
from gateway.rest.openapi import NDJSON
from gateway.rest.parameters import PARAMETERS, Given
from gateway.rest.prefer import preferences
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import base_of, dump_any, told, with_id

log = logger(__name__)

FOLDER: Final = "_export"
FORMATS: Final = (NDJSON, "application/ndjson", "ndjson")
NOT_SERVED: Final = ("organizeOutputBy", "allowPartialManifests")
"""What the guide has in a later version, and this server has not."""
SHOWN: Final = ("_format", "_pretty", "_summary")
RETRY_AFTER: Final = "1"
_FILTERS = re.compile(r",(?=[A-Z][A-Za-z]*\?)")
_LEVELS: Final[tuple[tuple[Level, str, str, str], ...]] = (
    ("system", "export", "export", "/fhir/$export"),
    ("patient", "export_patient", "patient-export", "/fhir/Patient/$export"),
    ("group", "export_group", "group-export", "/fhir/Group/{id}/$export"),
)
"""What is exported, the handler's name, the OperationDefinition's id, the address."""


def _handler(level: Level, name: str, definition: str, *, posted: bool) -> Handler:
    async def begun(request: Request, id: str | None = None) -> Response:
        negotiate(request)
        who, door = asking(request, "export"), door_of(request)
        if "respond-async" not in preferences(request):
            text = "A bulk export is fetched later: ask with the header Prefer: respond-async."
            raise BadRequest(text, rule="respond-async-missing", where="Prefer")
        lenient = preferences(request).get("handling") == "lenient"
        op = door.definitions.operations[definition]
        names = {one.name for one in op.parameters if one.use == "in"} - {*NOT_SERVED}
        ignored = [_unserved(name, names) for name in _asked(request) if name not in names]
        if ignored and not lenient:
            raise BadRequest(ignored[0].text, issues=[replace(one, severity="error") for one in ignored])
        if posted:
            came, dropped = _served(await body(request), names, lenient=lenient)
            ignored += dropped
            given = await parameters.sent(request, op, door.definitions, came=came)
        else:
            given = parameters.asked(request, op, beside=[name for name in _asked(request) if name not in names])
        wanted = replace(_wanted(request, given), level=level, group=id, lenient=lenient)
        view([("_elements", ",".join(wanted.elements))], door.definitions, lenient=lenient)
        base = base_of(request)
        query = "" if posted or not request.url.query else f"?{request.url.query}"
        url = f"{base}{request.url.path.removeprefix('/fhir')}{query}"
        made = await in_thread(door.export, who, wanted, url=url, base=base, ignored=ignored)
        request.app.state.deferred()
        headers = {"Content-Location": f"{base}/{FOLDER}/{made}", "Preference-Applied": "respond-async"}
        return await told(request, "What becomes of the export is told at the Content-Location.", 202, headers)

    async def of_all(request: Request) -> Response:
        return await begun(request)

    async def of_one(request: Request, id: str) -> Response:
        return await begun(request, id)

    handler = of_one if level == "group" else of_all
    handler.__name__ = f"{name}_by_post" if posted else name
    return handler


async def export_status(request: Request, request_id: str) -> Response:
    negotiate(request)
    who = asking(request, "export")
    found = await in_thread(door_of(request).exported, who, request_id)
    if found.files is None or found.settled is None:
        headers = {"X-Progress": "finding resources" if found.begun else "waiting", "Retry-After": RETRY_AFTER}
        return await told(request, "The export is not ready yet: ask again.", 202, headers)
    headers = {"Expires": format_datetime(found.expires, usegmt=True)}
    manifest = manifest_of(found, f"{base_of(request)}/{FOLDER}/{found.id}/")
    return with_id(request, Response(dump_any(manifest), headers=headers, media_type="application/json"))


async def export_delete(request: Request, request_id: str) -> Response:
    negotiate(request)
    await in_thread(door_of(request).drop_export, asking(request, "export"), request_id)
    return await told(request, "The export is deleted, and its files are gone.", 202, {})


async def export_file(request: Request, request_id: str, file: str) -> Response:
    who, door = asking(request, "export"), door_of(request)
    found = await in_thread(door.exported, who, request_id)
    _accepted(request)
    if file == ISSUES and found.ignored:
        lines: Iterator[bytes] = iter([issues(found)])
    else:
        one = _file(found, file)
        wanted = [("_elements", ",".join(found.wanted.elements))] if found.wanted.elements else []
        seen = view(wanted, door.definitions, lenient=True) if wanted else WHOLE
        lines = (
            b"".join(line(version, seen, door.definitions) for version in batch)
            for batch in door.exported_lines(who, found, one)
        )
    codings = request.headers.get("accept-encoding", "").split(",")
    zipped = any(named(one) == "gzip" and quality(one) > 0 for one in codings)
    headers = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if zipped else {})
    if request.method == "HEAD":
        return with_id(request, Response(headers=headers, media_type=NDJSON))
    sent = _zipped(lines) if zipped else lines
    return with_id(request, _Unbroken(_threaded(sent), headers=headers, media_type=NDJSON))


def _routes() -> Iterator[tuple[str, str, Handler]]:
    for level, name, definition, path in _LEVELS:
        yield "GET", path, _handler(level, name, definition, posted=False)
        yield "POST", path, _handler(level, name, definition, posted=True)
    yield "GET", f"/fhir/{FOLDER}/{{request_id}}", export_status
    yield "DELETE", f"/fhir/{FOLDER}/{{request_id}}", export_delete
    yield "GET", f"/fhir/{FOLDER}/{{request_id}}/{{file}}", export_file


ROUTES: Final = tuple(_routes())


# --- What is asked for


def _asked(request: Request) -> list[str]:
    return [name for name in request.query_params if name not in SHOWN]


def _unserved(name: str, names: set[str]) -> Issue:
    known = ", ".join(sorted(names))
    if name in NOT_SERVED:
        text = f"{name} is not served here. Parameters: {known}."
        return Issue("warning", "not-supported", "parameter-not-served", text, where=name)
    text = f"There is no parameter of this name. Parameters: {known}."
    return Issue("warning", "not-supported", "unknown-parameter", text, where=name[:64])


def _served(came: Body, names: set[str], *, lenient: bool) -> tuple[Body, list[Issue]]:
    """The Parameters without what is not served, and what that was. BadRequest, unless they are taken leniently."""
    if came.media_type != JSON:
        return came, []
    resource = json.parse(came.raw)
    given = resource.get("parameter")
    if resource.get("resourceType") != PARAMETERS or not isinstance(given, list):
        return came, []
    kept = [one for one in given if not isinstance(one, dict) or one.get("name") in names]
    dropped = [_unserved(str(one.get("name")), names) for one in given if isinstance(one, dict) and one not in kept]
    if dropped and not lenient:
        raise BadRequest(dropped[0].text, issues=[replace(one, severity="error") for one in dropped])
    return replace(came, raw=json.dump({"resourceType": PARAMETERS, "parameter": kept})) if dropped else came, dropped


def _wanted(request: Request, given: Given) -> Wanted:
    zone = request.app.state.zone
    since, until = (
        None if (moment := given.one(name)) is None else parameter(name, moment, zone) for name in ("_since", "_until")
    )
    form = given.one("_outputFormat")
    if form is not None and form.replace(" ", "+") not in FORMATS:
        raise BadRequest(f"Files are {NDJSON}.", rule="format-not-offered", where="_outputFormat")
    elements = [*given.all("_elements"), *request.query_params.getlist("_elements")]
    return Wanted(
        "system",
        types=_parted(given.all("_type")),
        since=since,
        until=until,
        associated=_parted(given.all("includeAssociatedData")),
        filters=tuple(_filter(one) for some in given.all("_typeFilter") for one in _FILTERS.split(some) if one),
        patients=tuple(_reference(one) for one in given.all("patient")),
        elements=_parted(elements),
    )


def _parted(given: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for some in given for one in str(some).split(",") if one.strip()))


def _filter(given: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    kind, asks, query = given.partition("?")
    if not asks or not kind.isalpha():
        text = "A filter is a type and a search, like Task?status=accepted, encoded as a part of the address."
        raise BadRequest(text, rule="parameter-malformed", where="_typeFilter")
    return kind, tuple(parse_qsl(query, keep_blank_values=True))


def _reference(given: Any) -> str:
    reference = given.get("reference") if isinstance(given, dict) else given
    return reference if isinstance(reference, str) else ""


# --- What is answered


def _file(found: Exported, name: str) -> File:
    for one in found.files or ():
        if named_file(one) == name:
            return one
    raise NotFound("The export has no file of this name: take them from its manifest.", rule="file-unknown")


def _accepted(request: Request) -> None:
    accepts = [one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "*/*").split(",")]
    known = {NDJSON, "application/ndjson", "application/x-ndjson", "application/*", "*/*", JSON, "application/json"}
    if not known & {*accepts}:
        raise NotAcceptable(f"Files are {NDJSON}.", rule="format-not-offered")


def _zipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for part in parts:
        yield packing.compress(part)
    yield packing.flush()


class _Unbroken(StreamingResponse):
    """An answer that is whole, or else has no end: the connection breaks, so that nobody takes a part for the file."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except GatewayError as error:
            log.warning("answer-broken-off", rule=error.issues[0].rule)


async def _threaded(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each part as it is made, off the event loop."""
    while (part := await in_thread(next, parts, None)) is not None:
        yield part
