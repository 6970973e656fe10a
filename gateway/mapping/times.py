"""Times as sources write them, to FHIR date, dateTime and time, in the source's zone.

An hour that occurs twice, when the clock is set back, is its first occurrence and marked; an hour that does not occur,
and a day that no calendar has, are refused.

https://build.fhir.org/ig/HL7/mapping-language-ig/transforms.html#date-op-details
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from gateway.frozen import dataclass

Mark = Callable[[], None]
"""Called when a time was ambiguous."""

_LOOSE = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?)?)?)?"
)
_CODES = {
    "yyyy": r"(?P<y>\d{4})",
    "yy": r"(?P<yy>\d\d)",
    "MM": r"(?P<M>\d\d)",
    "M": r"(?P<M>\d{1,2})",
    "dd": r"(?P<d>\d\d)",
    "d": r"(?P<d>\d{1,2})",
    "HH": r"(?P<H>\d\d)",
    "H": r"(?P<H>\d{1,2})",
    "hh": r"(?P<h>\d\d)",
    "h": r"(?P<h>\d{1,2})",
    "mm": r"(?P<m>\d\d)",
    "m": r"(?P<m>\d{1,2})",
    "ss": r"(?P<s>\d\d)",
    "s": r"(?P<s>\d{1,2})",
    "a": r"(?P<a>[AaPp][Mm]?)",
    "Z": r"(?P<Z>Z|[+-]\d\d:?\d\d)",
}
_FORMAT = re.compile(r"yyyy|yy|MM?|dd?|HH?|hh?|mm?|ss?|S+|a|Z|'([^']*)'|[^A-Za-z]|T")
_LIMIT = 64
HOW = "yyyy-MM-dd HH:mm:ss: y year, M month, d day, H hour of 24, m minute, s second; words stand between quotes"
"""How a format is written, for those who wrote one that is none."""


class Unfit(ValueError):
    """The value cannot be what it should be; the text says what was expected, never what it was."""


class NotSo(Unfit):
    """It is written otherwise: perhaps a pattern would read it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A time as written: month, day, hour and second are None where the source did not say them."""

    year: int
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    minute: int = 0
    second: int = 0
    fraction: str = ""
    zone: str | None = None


@lru_cache(maxsize=1024)
def parts(text: str, pattern: str | None = None) -> Parts:
    """What a text says by a format, or, without one, in ISO 8601 or the digits of HL7 v2 and RIV-TA."""
    text = text.strip()
    if len(text) > _LIMIT:
        raise Unfit("longer than any time")
    if pattern is None:
        found = _LOOSE.fullmatch(text)
        if not found:
            raise NotSo("not a date or time: ISO 8601, yyyyMMdd or yyyyMMddHHmmss is expected")
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        return _checked(
            Parts(
                int(year),
                int(month) if month else None,
                int(day) if day else None,
                int(hour) if hour else None,
                int(minute or 0),
                int(second or 0),
                fraction or "",
                zone,
            )
        )
    found = regex(pattern).fullmatch(text)
    if not found:
        raise NotSo(f"not written as {pattern}")
    said = found.groupdict()
    short, hour = said.get("yy"), said.get("H") or said.get("h")
    year = int(said["y"]) if "y" in said else int(short) + (2000 if int(short) < 50 else 1900) if short else 1
    hours = int(hour) if hour else None
    if hours is not None and "h" in said and "a" in said:
        hours = hours % 12 + (12 if said["a"].lower().startswith("p") else 0)
    return _checked(
        Parts(
            year,
            int(said["M"]) if "M" in said else None,
            int(said["d"]) if "d" in said else None,
            hours,
            int(said.get("m", 0)),
            int(said.get("s", 0)),
            f".{said['S']}" if "S" in said else "",
            said.get("Z"),
        )
    )


def _checked(found: Parts) -> Parts:
    try:
        date(found.year, found.month or 1, found.day or 1)
    except ValueError:
        raise Unfit("not a day of the calendar") from None
    if (found.hour or 0) > 23 or found.minute > 59 or found.second > 59:
        raise Unfit("not a time of the day")
    return found


@lru_cache(maxsize=256)
def regex(pattern: str) -> re.Pattern[str]:
    """The format's regular expression; Unfit where it has a code that is not known."""
    built: list[str] = []
    at = 0
    while at < len(pattern):
        found = _FORMAT.match(pattern, at)
        if not found:
            raise Unfit(f"unknown format code {pattern[at]!r} in {pattern!r}")
        code = found.group()
        if code[0] == "S":
            built.append(rf"(?P<S>\d{{{len(code)}}})")
        elif found.group(1) is not None:
            built.append(re.escape(found.group(1)))
        else:
            built.append(_CODES.get(code, re.escape(code)))
        at = found.end()
    try:
        return re.compile("".join(built))
    except re.error:
        raise Unfit(f"the format {pattern!r} names a part twice") from None


def instant(found: Parts, zone: tzinfo, ambiguous: Mark) -> datetime:
    """The moment; what was not said is the first of it. Years at the ends of the calendar have no moment elsewhere.

    With a fixed offset: in the hour that occurs twice, Python calls one moment in two named zones unequal.
    """
    if not 1 < found.year < 9999:
        raise Unfit("not in a year that can be meant")
    micro = int(found.fraction[1:7].ljust(6, "0")) if found.fraction else 0
    own = zone_of(found.zone) if found.zone else timezone(_offset(found, zone, ambiguous))
    day = (found.year, found.month or 1, found.day or 1)
    return datetime(*day, found.hour or 0, found.minute, found.second, micro, tzinfo=own)


def _offset(found: Parts, zone: tzinfo, ambiguous: Mark) -> timedelta:
    """How far a time is ahead of UTC in the source's zone, where it occurs at all."""
    day = (found.year, found.month or 1, found.day or 1)
    offset, twice = _local(zone, *day, found.hour or 0, found.minute)
    if offset is None:
        raise Unfit("an hour that does not occur, as clocks are set forward")
    if twice and found.hour is not None:
        ambiguous()
    return offset


@lru_cache(maxsize=8192)
def _local(zone: tzinfo, year: int, month: int, day: int, hour: int, minute: int) -> tuple[timedelta | None, bool]:
    """The offset of a local time's first occurrence, None where it has none; and whether it has two."""
    first = datetime(year, month, day, hour, minute, tzinfo=zone)
    before, after = first.utcoffset() or timedelta(), first.replace(fold=1).utcoffset() or timedelta()
    return (None if before < after else before), before > after


@lru_cache(maxsize=256)
def zone_of(text: str) -> tzinfo:
    """The zone of `Z`, `+01:00` or `-0500`."""
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if ahead > timedelta(hours=14) or int(digits[2:]) > 59:
        raise Unfit("not a time zone")
    return timezone(-ahead if text[0] == "-" else ahead)


def to_date_time(found: Parts, zone: tzinfo, ambiguous: Mark) -> str:
    """FHIR dateTime, no more exact than what was said; a time of day always has its offset."""
    if found.hour is None:
        return to_date(found)
    if found.zone:
        zone_of(found.zone)
        shown = found.zone if found.zone == "Z" or ":" in found.zone else f"{found.zone[:3]}:{found.zone[3:]}"
    else:
        shown = _shown(_offset(found, zone, ambiguous))
    return (
        f"{found.year:04d}-{found.month or 1:02d}-{found.day or 1:02d}"
        f"T{found.hour:02d}:{found.minute:02d}:{found.second:02d}{found.fraction}{shown}"
    )


def written(text: str, pattern: str | None, zone: tzinfo, ambiguous: Mark) -> str:
    """FHIR dateTime of a text as a format, or without one its own form, says it."""
    found, twice = _written(text, pattern, zone)
    if twice:
        ambiguous()
    return found


@lru_cache(maxsize=4096)  # A record says the same time over and over.
def _written(text: str, pattern: str | None, zone: tzinfo) -> tuple[str, bool]:
    """And whether the time was ambiguous."""
    marked: list[bool] = []
    return to_date_time(parts(text, pattern), zone, lambda: marked.append(True)), bool(marked)


@lru_cache(maxsize=256)
def _shown(offset: timedelta) -> str:
    """`+01:00`; offsets of old, that had seconds, to the minute."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def to_date(found: Parts) -> str:
    """FHIR date: as many of year, month and day as were said."""
    if found.month is None:
        return f"{found.year:04d}"
    return f"{found.year:04d}-{found.month:02d}" + ("" if found.day is None else f"-{found.day:02d}")


def to_time(found: Parts) -> str:
    return f"{found.hour or 0:02d}:{found.minute:02d}:{found.second:02d}{found.fraction}"
