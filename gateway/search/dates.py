"""A date of any precision as the range of microseconds that it stands for.

What has no zone is read in the server's: https://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

Range = tuple[int, int]
"""The first microsecond, and the first one after the range."""

LOWEST, HIGHEST = -(2**62), 2**62
"""Where a Period has no start, or no end."""

_SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?")
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def span(text: str, zone: tzinfo) -> Range | None:
    """The range that a date, dateTime or instant stands for; None where the text is none of them."""
    return _days(text, zone) if len(text) <= 10 else _moment(text, zone)


@lru_cache(maxsize=8192)
def _days(text: str, zone: tzinfo) -> Range | None:
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    try:
        first = date(year, month, day)
        if match[3]:
            after = first + timedelta(days=1)
        elif match[2]:
            after = date(year + month // 12, month % 12 + 1, 1)
        else:
            after = date(year + 1, 1, 1)
    except (ValueError, OverflowError):
        return None
    return _midnight(first, zone), _midnight(after, zone)


def _midnight(day: date, zone: tzinfo) -> int:
    return micros(datetime(day.year, day.month, day.day, tzinfo=zone))


def micros(moment: datetime) -> int:
    """An aware moment in microseconds since 1970."""
    offset = moment.utcoffset() or timedelta()
    days = moment.toordinal() - _EPOCH_DAY - offset.days
    seconds = days * 86400 + moment.hour * 3600 + moment.minute * 60 + moment.second - offset.seconds
    return seconds * _SECOND + moment.microsecond - offset.microseconds


def moment_of(micros: int) -> datetime:
    """The moment so many microseconds after 1970. OverflowError outside the calendar."""
    return _EPOCH + timedelta(microseconds=micros)


@lru_cache(maxsize=8192)  # A record says the same few moments again and again.
def _moment(text: str, zone: tzinfo) -> Range | None:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    minute, second, fraction, offset = match.groups()
    try:
        start = datetime.fromisoformat(minute + (offset or ""))
        if start.tzinfo is None:
            # Of an hour that the clock shows twice, the first.
            start = start.replace(tzinfo=zone)
        low = micros(start)
    except (ValueError, OverflowError):
        return None
    if second is None:
        return low, low + 60 * _SECOND
    if int(second) > 60:
        return None
    low += int(second) * _SECOND
    if fraction is None:
        return low, low + _SECOND
    low += int(fraction[:6].ljust(6, "0"))
    return low, low + max(1, 10 ** (6 - len(fraction)) if len(fraction) < 6 else 1)


def period(start: str | None, end: str | None, zone: tzinfo) -> Range | None:
    """From the beginning of the start to the end of the end; open where one is missing."""
    first = span(start, zone) if start else None
    last = span(end, zone) if end else None
    if first is None and last is None:
        return None
    return first[0] if first else LOWEST, last[1] if last else HIGHEST
