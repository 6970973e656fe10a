"""Dates and times: the moment that a date, dateTime or instant begins with, and a moment as an instant.

https://hl7.org/fhir/R4/datatypes.html#dateTime

A value without a zone is read in the zone that the caller names, so that a day in Sweden begins at Swedish midnight.
Searches need both ends of what a date means, for millions of values: see `gateway.search.dates`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

from gateway.errors import BadRequest

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)

PARTS: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


def instant(text: str, zone: tzinfo = UTC) -> datetime:
    """The first moment that the text means, in UTC; ValueError where it is no FHIR date or time.

    A leap second (`:60`) counts with the second before it; parts finer than a microsecond are cut.
    """
    found = PARTS.fullmatch(text)
    if not found:
        raise ValueError("not a FHIR date or time")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    moment = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),
        int((fraction or "0")[:6].ljust(6, "0")),
        tzinfo=_zone(offset) if offset else zone,
    )
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # At the ends of the calendar, the last moment that can be told.
        return FIRST if moment.year == 1 else LAST


def parameter(name: str, value: str, zone: tzinfo) -> datetime:
    """The moment that a request's parameter names; BadRequest, which names the parameter, where it is none."""
    try:
        # A plus that was not percent-encoded arrives as a blank.
        return instant(value.strip().replace(" ", "+"), zone)
    except ValueError as error:
        text = f"{name} must be a date or a time, like 2026-11-20T14:00:00+01:00."
        raise BadRequest(text, rule="parameter-malformed", where=name) from error


def text(moment: datetime) -> str:
    """A moment as a FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _zone(offset: str) -> tzinfo:
    return datetime.strptime(offset.replace("Z", "+00:00"), "%z").tzinfo or UTC
