"""The conditions of a request: versions by their ETags, times, and searches that say which resource is meant.

https://hl7.org/fhir/R4/http.html#versions, https://hl7.org/fhir/R4/http.html#cread
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from gateway.access.commands import ANY_VERSION, Matching, Versions, matching, versions
from gateway.rest.format import PRESENTATION
from gateway.rest.known import headers
from gateway.rest.response import base_of

if TYPE_CHECKING:
    from gateway.access.reading import Served


def if_match(request: Request) -> Versions | None:
    """The versions that If-Match names; BadRequest when one is not an ETag."""
    return _versions(request, "If-Match")


def if_none_match(request: Request) -> Versions | None:
    """The versions that If-None-Match names; BadRequest when one is not an ETag."""
    return _versions(request, "If-None-Match")


def if_none_exist(request: Request) -> Matching | None:
    """The search of If-None-Exist, with or without the type and the question mark before it."""
    value = headers(request).get("if-none-exist")
    return None if value is None else matching(value.rpartition("?")[2], base_of(request), but=PRESENTATION)


def meant(request: Request) -> Matching:
    """The search that says in the address which resource is meant."""
    return matching(request.url.query, base_of(request), but=PRESENTATION)


def unchanged(request: Request, found: Served) -> bool:
    """Whether the reader has this version already. If-None-Match goes before If-Modified-Since (RFC 9110, 13.2.2)."""
    known = if_none_match(request)
    if known is not None:
        return found.version_id in known or ANY_VERSION in known
    since = _time(headers(request).get("if-modified-since"))
    # HTTP has no fractions of a second: of the second that the reader names, he may have seen a part.
    return since is not None and found.last_updated - since < timedelta(seconds=1)


def _time(value: str | None) -> datetime | None:
    """A date that is none is passed over (RFC 9110, 13.1.3)."""
    try:
        time = None if value is None else parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def _versions(request: Request, header: str) -> Versions | None:
    value = headers(request).get(header.lower())
    return None if value is None else versions(value, header)
