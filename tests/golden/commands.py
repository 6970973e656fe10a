"""What a party writes over REST in a golden history: a file of requests, as editors know them (`.http`).

A request begins with method and path, says on the next line who asks, and holds its body after an empty line; `###`
stands between two. `{person}` is the id of the history's person, found by a search as a client does it.

    PUT CarePlan/sip-54
    Från: SE2321000131-T0400 Vårdcentralen Tanumshede (SE2321000131-T0000)

Further lines: `Svar: 422 sip-consent` where it is to be refused, by which rule; `Efter: FILE` names a message without
which the party would not write this; a line that begins with `#` is for the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.access.caller import Caller

SUFFIX = ".http"
IDEMPOTENT = frozenset({"PUT", "DELETE"})
"""What a client that has heard no answer may send again."""
_FIRST = re.compile(r"(PUT|POST|PATCH|DELETE) (\S+)")
_FROM = re.compile(r"(\S+) (.+) \((\S+)\)")
_TYPES = {"PATCH": "application/json-patch+json"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what is to come of it."""

    method: str
    path: str
    caller: Caller
    body: str
    status: int | None
    rule: str
    after: str

    def send(self, client: httpx.Client, token: str, person: str) -> None:
        """AssertionError unless it is answered as it says."""
        headers = {"authorization": f"Bearer {token}"}
        headers["content-type"] = _TYPES.get(self.method, "application/fhir+json")
        body = self.body.replace("{person}", person)
        path = self.path.replace("{person}", person)
        answer = client.request(self.method, f"/fhir/{path}", content=body, headers=headers)
        if self.status is None:
            assert answer.is_success, f"{self.method} {self.path}: {answer.status_code} {answer.text}"
            return
        assert answer.status_code == self.status, answer.text
        assert self.rule in {one["details"]["coding"][0]["code"] for one in answer.json()["issue"]}, answer.text


def read(path: Path) -> tuple[Request, ...]:
    """The requests of a file."""
    return tuple(map(_request, re.split(r"(?m)^###.*\n", path.read_text(encoding="utf-8"))))


def caller_of(text: str) -> Caller:
    """Who asks: HSA-id, name, and the care provider in brackets."""
    found = _FROM.fullmatch(text)
    assert found, f"Who asks is written as HSA-ID NAME (CARE PROVIDER): {text}"
    return Caller("organisation", found[1], found[2], found[3])


def _request(text: str) -> Request:
    head, _, body = text.strip().partition("\n\n")
    lines = [line for line in head.splitlines() if not line.startswith("#")]
    first = _FIRST.fullmatch(lines[0])
    assert first, f"A request begins with a method and a path: {lines[0]}"
    said = dict(line.split(": ", 1) for line in lines[1:])
    assert said.keys() <= {"Från", "Svar", "Efter"}, sorted(said)
    if body:
        json.loads(body)
    status, _, rule = said.get("Svar", "").partition(" ")
    number = int(status) if status else None
    return Request(first[1], first[2], caller_of(said["Från"]), body.strip(), number, rule, said.get("Efter", ""))


def needed(requests: tuple[Request, ...]) -> Iterator[str]:
    """The messages without which these would not be written."""
    return (one.after for one in requests if one.after)
