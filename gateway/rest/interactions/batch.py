"""FHIR batch: the entries of a Bundle, each by itself, each with its own answer.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.commands import Body
from gateway.definitions import Definitions
from gateway.errors import GatewayError, Unprocessable
from gateway.fhir.entries import Entry, ordered, read, within
from gateway.fhir.links import renamed
from gateway.issues import Issue
from gateway.logs import logger
from gateway.records import Resource
from gateway.rest.bundles import Answer, of_refusal, of_response, prefer, responded
from gateway.rest.entries import respond
from gateway.rest.later import progress
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import base_of

log = logger(__name__)


async def batch(request: Request, came: Body, bundle: Resource) -> Response:
    who = asking(request, "batch")
    door, base = door_of(request), base_of(request)
    entries = await in_thread(read, bundle, door.definitions, base)
    kept = await in_thread(door.keep_whole, who, came)
    urls = {entry.full_url for entry in entries if entry.full_url and entry.method == "POST"}
    answers: dict[int, Answer] = {}
    for done, entry in enumerate(ordered(entries), start=1):
        try:
            _stands_alone(entry, urls, door.definitions)
            response = await respond(request, entry, prefer=prefer(request), kept=(kept, entry.index))
            answers[entry.index] = of_response(response, head=entry.method == "HEAD")
        except GatewayError as error:
            answers[entry.index] = of_refusal(within(error, entry))
        except Exception as error:  # The others are independent of it.
            log.error("unforeseen", error=type(error).__name__, request_id=request.state.request_id, exc_info=error)
            text = f"This is our fault. Quote request {request.state.request_id} to the operator."
            issue = Issue("fatal", "exception", "unforeseen", text, expression=entry.expression)
            answers[entry.index] = of_refusal(GatewayError(text, issues=[issue]))
        await progress(request, done, len(entries))
    return await responded(request, "batch-response", answers)


def _stands_alone(entry: Entry, urls: set[str], definitions: Definitions) -> None:
    """Unprocessable where an entry names another that the batch creates: only a transaction gives them their ids."""
    if entry.resource is None or not urls:
        return

    def look(text: str, kind: str, path: str) -> None:
        if text in urls and text != entry.full_url:
            raise Unprocessable(
                "The entries of a batch know nothing of each other: send a transaction.",
                rule="batch-entries-depend",
                expression=f"Resource{path}",
            )

    renamed(entry.resource, definitions, look)
