"""Dates and times: what stretch of time a date, dateTime or instant means.

https://hl7.org/fhir/R4/datatypes.html#dateTime and https://hl7.org/fhir/R4/search.html#date

`2024-03` means all of March. A value without a zone is read in the zone that the caller names, so that a day in
Sweden begins at Swedish midnight. Ends are exclusive.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)

PARTS: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


def span(text: str, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """The stretch [start, end) in UTC that the text means; ValueError where it is no FHIR date or time.

    A leap second (`:60`) counts with the second before it; parts finer than a microsecond are cut.
    """
    found = PARTS.fullmatch(text)
    if not found:
        raise ValueError("not a FHIR date or time")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    first = date(int(year), int(month or 1), int(day or 1))
    if hour is None:
        return _utc(datetime(first.year, first.month, first.day, tzinfo=zone)), _end_of(first, month, day, zone)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    start = datetime(
        first.year,
        first.month,
        first.day,
        int(hour),
        int(minute),
        min(int(second or 0), 59),
        micros,
        tzinfo=_zone(offset) if offset else zone,
    )
    if second is None:
        step = timedelta(minutes=1)
    elif fraction is None:
        step = timedelta(seconds=1)
    else:
        step = timedelta(microseconds=10 ** max(0, 6 - len(fraction)))
    begin = _utc(start)
    return begin, begin + step if begin < LAST - step else LAST


def instant(text: str, zone: tzinfo = UTC) -> datetime:
    """The first moment that the text means."""
    return span(text, zone)[0]


def text(moment: datetime) -> str:
    """A moment as a FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end_of(first: date, month: str | None, day: str | None, zone: tzinfo) -> datetime:
    """Where the day, month or year ends: at the next one's local midnight; a day may have 23 or 25 hours."""
    try:
        if day:
            following = first + timedelta(days=1)
        elif month:
            following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        else:
            following = date(first.year + 1, 1, 1)
    except (OverflowError, ValueError):
        return LAST
    return _utc(datetime(following.year, following.month, following.day, tzinfo=zone))


def _zone(offset: str) -> tzinfo:
    return datetime.strptime(offset.replace("Z", "+00:00"), "%z").tzinfo or UTC


def _utc(moment: datetime) -> datetime:
    """The moment in UTC, at the ends of the calendar the last one that can be told."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return FIRST if moment.year == 1 else LAST
