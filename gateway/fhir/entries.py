"""The entries of a batch or transaction: what each asks for, in the order in which they are dealt with.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from gateway.definitions import Definitions
from gateway.errors import BadRequest, GatewayError, Invalid, TooLarge
from gateway.fhir.check import check
from gateway.records import Resource

MOST: Final = 5000
"""Entries of one Bundle."""
PHASES: Final[Mapping[str, int]] = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
"""https://hl7.org/fhir/R4/http.html#trules"""
VERSIONED: Final = re.compile(r".*/_history/[^/]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the client's entry of this index asks for. `path` is below the base, `query` what stands behind the `?`."""

    index: int
    method: str
    path: str
    query: str | None
    full_url: str | None
    resource: Resource | None
    conditions: Mapping[str, str]
    """ifMatch, ifNoneMatch, ifModifiedSince, ifNoneExist, as they are given."""

    @property
    def expression(self) -> str:
        return f"Bundle.entry[{self.index}]"


def read(bundle: Resource, d: Definitions, base: str, *, most: int = MOST) -> list[Entry]:
    """The entries in the client's order. BadRequest, Invalid or TooLarge where they cannot be told.

    What the resources of the entries are is not looked at.
    """
    given = bundle.get("entry", [])
    listed = given if type(given) is list else []
    if len(listed) > most:
        raise TooLarge(f"A Bundle has at most {most} entries here: send it in parts.", rule="too-many-entries")
    for index, one in enumerate(listed):
        if type(one) is dict and "request" not in one:
            text = "Each entry of a batch or transaction says in request what is to be done (bdl-3)."
            raise BadRequest(text, rule="entry-request-missing", expression=f"Bundle.entry[{index}]")
    shell = {**bundle, "entry": [_without_resource(one) for one in listed]} if listed else bundle
    if found := [issue for issue in check(shell, d, base=base) if issue.severity in ("fatal", "error")]:
        raise Invalid(issues=found)
    entries = [_entry(index, one, base) for index, one in enumerate(listed)]
    _tell_full_urls_apart(entries)
    return entries


def ordered(entries: list[Entry]) -> list[Entry]:
    """In the order of R4: deletions, creations, changes, questions."""
    return sorted(entries, key=lambda entry: PHASES[entry.method])


def patch_in(entry: Entry) -> tuple[bytes, str]:
    """A patch that is no resource stands in a Binary: its body and media type. BadRequest.

    https://hl7.org/fhir/R4/http.html#patch, at its end.
    """
    resource = entry.resource or {}
    try:
        return b64decode(resource["data"], validate=True), str(resource["contentType"])
    except (KeyError, TypeError, ValueError, binascii.Error):
        text = "A patch in a Binary has a contentType, and the patch itself in data, as base64."
        raise BadRequest(text, rule="entry-patch", expression="Binary.data") from None


def within(error: GatewayError, entry: Entry) -> GatewayError:
    """A refusal of one entry, as it is told to the client: each issue names the entry by the client's index."""
    return error.told([replace(issue, expression=_place(issue.expression, entry)) for issue in error.issues])


def _place(expression: str | None, entry: Entry) -> str:
    if expression is None:
        return f"{entry.expression}.request"
    if expression.startswith("Bundle.entry["):
        return expression
    _, dot, path = expression.partition(".")
    return f"{entry.expression}.resource{dot}{path}"


def _without_resource(entry: Any) -> Any:
    return {name: value for name, value in entry.items() if name != "resource"} if type(entry) is dict else entry


def _entry(index: int, entry: Mapping[str, Any], base: str) -> Entry:
    here = f"Bundle.entry[{index}]"
    request: Mapping[str, str] = entry["request"]
    method = request["method"]
    url = request["url"].removeprefix(base.rstrip("/") + "/")
    if ":" in url.partition("?")[0].partition("/")[0]:
        text = "The url is one of this server: give it relative to the base, such as Patient/1."
        raise BadRequest(text, rule="entry-url", expression=f"{here}.request.url")
    path, mark, query = url.partition("?")
    resource = entry.get("resource")
    if resource is None and method in ("PUT", "PATCH"):
        raise _resource_missing(method, here)
    names = ("ifMatch", "ifNoneMatch", "ifModifiedSince", "ifNoneExist")
    return Entry(
        index=index,
        method=method,
        path=unquote(path).strip("/"),
        query=query if mark else None,
        full_url=entry.get("fullUrl"),
        resource=resource,
        conditions={name: request[name] for name in names if name in request},
    )


def _resource_missing(method: str, here: str) -> BadRequest:
    return BadRequest(
        f"{method} needs the entry's resource.", rule="entry-resource-missing", expression=f"{here}.resource"
    )


def _tell_full_urls_apart(entries: list[Entry]) -> None:
    """https://hl7.org/fhir/R4/bundle.html#bdl-7 and bdl-8"""
    seen: set[str] = set()
    for entry in entries:
        url = entry.full_url
        if url is None:
            continue
        if VERSIONED.fullmatch(url):
            text = "A fullUrl names a resource, not one version of it (bdl-8)."
            raise BadRequest(text, rule="full-url-versioned", expression=f"{entry.expression}.fullUrl")
        if url in seen:
            text = "Another entry has the same fullUrl (bdl-7): give each its own."
            raise BadRequest(text, rule="full-url-duplicate", expression=f"{entry.expression}.fullUrl")
        seen.add(url)
