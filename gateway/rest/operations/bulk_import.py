"""$import: files that are fetched or sent, written line by line in the caller's name; told, and deleted, like exports.

https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import takewhile
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.access.importing import Held, Imported, Input
from gateway.errors import BadRequest, NotFound
from gateway.fhir import json
from gateway.fhir.datetime import text
from gateway.issues import operation_outcome
from gateway.rest import parameters
from gateway.rest.format import NAMES, named, negotiate
from gateway.rest.openapi import NDJSON
from gateway.rest.parameters import PARAMETERS
from gateway.rest.prefer import preferences
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import base_of, dump_any, told, with_id

FOLDER: Final = "_import"
SENT: Final = dict.fromkeys((NDJSON, "application/ndjson", "application/x-ndjson"), NDJSON)
FORMATS: Final = (NDJSON, "application/ndjson", "ndjson")
MOST_INPUTS: Final = 1000
LINES_TOLD: Final = 100
RETRY_AFTER: Final = "1"


async def bulk_import(request: Request) -> Response:
    negotiate(request)
    who, door = asking(request, "import"), door_of(request)
    if "respond-async" not in preferences(request):
        text = "A bulk import is done in the background: ask with the header Prefer: respond-async."
        raise BadRequest(text, rule="respond-async-missing", where="Prefer")
    # Its lines are read as they are unpacked, and kept as they came; a manifest is a body as any.
    lines = named(request.headers.get("content-type", "")) in SENT
    came = await body(request, NAMES | SENT, packed=lines)
    sent = came.raw if came.media_type == NDJSON else None
    inputs = [Input("the body")] if sent is not None else await _inputs(request, came)
    base = base_of(request)
    url, most = f"{base}/$import", request.app.state.settings.max_body
    made = await in_thread(door.order_import, who, inputs, url=url, base=base, body=sent, most=most)
    request.app.state.ordered()
    headers = {"Content-Location": f"{base}/{FOLDER}/{made}", "Preference-Applied": "respond-async"}
    return await told(request, "What becomes of the import is told at the Content-Location.", 202, headers)


async def bulk_import_status(request: Request, request_id: str) -> Response:
    negotiate(request)
    found = await in_thread(door_of(request).imported, asking(request, "import"), request_id)
    if found.ended is None:
        done = found.total.done
        headers = {"X-Progress": f"{done} lines done" if done else "waiting", "Retry-After": RETRY_AFTER}
        return await told(request, "The import is not done yet: ask again.", 202, headers)
    manifest = _manifest(found, f"{base_of(request)}/{FOLDER}/{found.id}/")
    return with_id(request, Response(dump_any(manifest), media_type="application/json"))


async def bulk_import_delete(request: Request, request_id: str) -> Response:
    negotiate(request)
    await in_thread(door_of(request).drop_import, asking(request, "import"), request_id)
    return await told(request, "The import is ended and forgotten; what it has written stays.", 202, {})


async def bulk_import_errors(request: Request, request_id: str, file: str) -> Response:
    door = door_of(request)
    found = await in_thread(door.imported, asking(request, "import"), request_id)
    number = next((one.file for one, _ in found.files if _errors(one.file) == file), None)
    if number is None:
        raise NotFound("The import has no file of this name: take them from its manifest.", rule="file-unknown")
    if request.method == "HEAD":
        return with_id(request, Response(media_type=NDJSON))
    issues = found.files[number][0].issues
    whole = [json.dump(operation_outcome(issues)) + b"\n"] if issues else []
    held = takewhile(lambda one: one.file == number, door.held_of_import(found.id, file=number))
    return with_id(request, StreamingResponse(_threaded(whole, held), media_type=NDJSON))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/fhir/$import", bulk_import),
    ("GET", f"/fhir/{FOLDER}/{{request_id}}", bulk_import_status),
    ("DELETE", f"/fhir/{FOLDER}/{{request_id}}", bulk_import_delete),
    ("GET", f"/fhir/{FOLDER}/{{request_id}}/{{file}}", bulk_import_errors),
)


async def _inputs(request: Request, came: Any) -> list[Input]:
    """The files that the manifest names, as Parameters or as plain JSON. BadRequest."""
    manifest = await in_thread(json.parse, came.raw) if came.media_type == json.MEDIA_TYPE else {}
    if came.media_type == json.MEDIA_TYPE and manifest.get("resourceType") != PARAMETERS:
        form, given = manifest.get("inputFormat"), manifest.get("input")
        listed = [one if isinstance(one, dict) else {} for one in given] if isinstance(given, list) else []
        found = [(one.get("type", ""), one.get("url")) for one in listed]
    else:
        definitions = door_of(request).definitions
        asked = await parameters.sent(request, definitions.operations["import"], definitions, came=came)
        form = asked.one("inputFormat")
        found = [(one.one("type") or "", one.one("url")) for one in asked.all("input")]
    if form is not None and form not in FORMATS:
        raise BadRequest(f"Files are {NDJSON}.", rule="format-not-offered", where="inputFormat")
    if not 0 < len(found) <= MOST_INPUTS:
        text = f"Name 1 to {MOST_INPUTS} files, each as an input with its url; or send one, as {NDJSON}."
        raise BadRequest(text, rule="input-missing", where="input")
    types = door_of(request).definitions.resource_types
    for kind, url in found:
        if kind and kind not in types:
            raise BadRequest("Name R4's resource types.", rule="unknown-resource-type", where="input.type")
        if type(url) is not str or not url:
            raise BadRequest("Each input has a url.", rule="parameter-malformed", where="input.url")
    return [Input(str(url), str(kind)) for kind, url in found]


def _manifest(found: Imported, address: str) -> dict[str, Any]:
    """https://github.com/smart-on-fhir/bulk-import: what was imported of each file, and where the refusals are."""
    assert found.ended is not None
    refused = [(one, counts) for one, counts in found.files if counts.held or one.issues]
    return {
        "transactionTime": text(found.ended),
        "request": found.one.request["url"],
        "requiresAccessToken": True,
        "output": [
            {**({"type": one.type} if one.type else {}), "inputUrl": one.name, "count": counts.stored}
            for one, counts in found.files
        ],
        "error": [
            {
                "type": "OperationOutcome",
                "inputUrl": one.name,
                "count": counts.held + bool(one.issues),
                "url": address + _errors(one.file),
            }
            for one, counts in refused
        ],
    }


def _errors(file: int) -> str:
    return f"errors.{file + 1}.ndjson"


async def _threaded(whole: list[bytes], held: Iterator[Held]) -> AsyncIterator[bytes]:
    """The file's own issues, then an OperationOutcome for each line that was refused."""
    for one in whole:
        yield one

    def some() -> bytes:
        return b"".join(
            json.dump(operation_outcome(one.issues)) + b"\n" for one, _ in zip(held, range(LINES_TOLD), strict=False)
        )

    while part := await in_thread(some):
        yield part
