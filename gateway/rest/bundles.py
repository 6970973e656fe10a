"""What batches and transactions have in common: the Bundle that comes, and the Bundle that goes.

https://hl7.org/fhir/R4/http.html#transaction-response
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.commands import Done
from gateway.errors import GatewayError
from gateway.fhir.bundle import full_url
from gateway.fhir.datetime import text
from gateway.fhir.json import dump, verbatim
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.rest.prefer import preferences
from gateway.rest.response import STATUS, answered

Answer = dict[str, Any]
"""An entry of the answer."""


def returning(request: Request) -> str:
    """What entries that write are answered with; without a preference, no more than what became of them."""
    wanted = preferences(request).get("return", "")
    return wanted if wanted in ("representation", "OperationOutcome") else "minimal"


def prefer(request: Request) -> str:
    """The preferences of each entry."""
    handling = preferences(request).get("handling")
    wanted = returning(request)
    return f"return={wanted}" + (f", handling={handling}" if handling else "")


async def responded(request: Request, kind: str, answers: Mapping[int, Answer]) -> Response:
    """The answers in the order of the request."""
    bundle: Resource = {"resourceType": "Bundle", "type": kind}
    if answers:
        bundle["entry"] = [answers[index] for index in sorted(answers)]
    return await answered(request, dump(bundle), entries=True)


def of_response(response: Response, *, head: bool = False) -> Answer:
    """The answer to a request as an entry."""
    headers, status = response.headers, response.status_code
    told: Answer = {"status": _status(status)}
    if "location" in headers:
        told["location"] = headers["location"]
    if "etag" in headers:
        told["etag"] = headers["etag"]
    if "last-modified" in headers:
        told["lastModified"] = text(parsedate_to_datetime(headers["last-modified"]))
    body = bytes(response.body)
    answer: Answer = {"response": told}
    if body and not head:
        if status >= 400 or body.startswith(b'{"resourceType":"OperationOutcome"'):
            told["outcome"] = verbatim(body)
        else:
            answer["resource"] = verbatim(body)
    if "location" in headers:
        answer["fullUrl"] = headers["location"].partition("/_history/")[0]
    return answer


def of_command(done: Done, base: str, wanted: str) -> Answer:
    """What became of a command, as an entry."""
    if done.what == "deleted":
        told: Answer = {"status": _status(204)}
        if len(done.versions) == 1:
            told["etag"] = f'W/"{done.version.version_id}"'
            told["lastModified"] = text(done.version.last_updated)
        answer: Answer = {"response": told}
    else:
        made = done.version
        told = {
            "status": _status(STATUS[done.what]),
            "location": f"{full_url(base, made.type, made.id)}/_history/{made.version_id}",
            "etag": f'W/"{made.version_id}"',
            "lastModified": text(made.last_updated),
        }
        answer = {"fullUrl": full_url(base, made.type, made.id), "response": told}
        if wanted == "representation":
            answer["resource"] = verbatim(made.body)
    if wanted == "OperationOutcome":
        told["outcome"] = outcome([Issue("information", "informational", "done", "It is done.")])
    return answer


def of_refusal(error: GatewayError) -> Answer:
    """A refusal as an entry."""
    return {"response": {"status": _status(error.status), "outcome": outcome(error.issues)}}


def outcome(issues: Iterable[Issue]) -> Resource:
    return operation_outcome(issues)


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"
