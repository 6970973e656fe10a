"""What is known of a request, by name: what `request.state` holds, its headers, its parameters.

A request is asked for them a dozen times. An attribute of `request.state`, and a header of `request.headers`, is a call
or two each time, and one that is not there an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

HEADERS, QUERY = "headers", "query"


def known(request: Request) -> dict[str, Any]:
    """What `request.state` holds."""
    held: dict[str, Any] = request.scope.setdefault("state", {})
    return held


def headers(request: Request) -> Mapping[str, str]:
    """By their names in lower case; of several of a name the first one counts."""
    held = known(request)
    found: Mapping[str, str] | None = held.get(HEADERS)
    if found is None:
        raw = reversed(request.scope["headers"])
        found = held[HEADERS] = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return found


def query(request: Request) -> Sequence[tuple[str, str]]:
    """The parameters of the address, in their order."""
    held = known(request)
    found: Sequence[tuple[str, str]] | None = held.get(QUERY)
    if found is None:
        found = held[QUERY] = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return found
