"""What is known of a request, by name: what `request.state` holds, and its headers.

A request is asked a dozen times for both. An attribute of `request.state`, and a header of `request.headers`, is a call
or two each time, and one that is not there an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

HEADERS = "headers"


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
