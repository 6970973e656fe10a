"""Dates and times of partial precision: reading, comparing, adding, and their boundaries.

https://hl7.org/fhirpath/N1/#datetime
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar, Self, TypeVar

T = TypeVar("T", bound="Temporal")

_DATE = r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)?"

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
# A time without a zone may be anywhere on earth: that many microseconds before and after its reading as UTC.
_EARLIEST, _LATEST = 14 * HOUR, 12 * HOUR


def micros_of(fraction: str) -> int:
    """The digits behind the point of a second as microseconds; finer ones are cut off."""
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def _days_in(year: int, month: int) -> int:
    return (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day if (year, month) != (9999, 12) else 31


@dataclass(frozen=True, slots=True)
class Temporal:
    """`parts` are the given units from the largest on; `fraction` the digits of the second; `offset` minutes to UTC."""

    parts: tuple[int, ...]
    fraction: str = ""
    offset: int | None = None

    PATTERN: ClassVar[re.Pattern[str]]
    UNITS: ClassVar[tuple[str, ...]]
    DIGITS: ClassVar[tuple[int, ...]]
    """Precision in digits after each unit, as `precision()` and the boundary functions count."""

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Self | None:
        """The value, or None where the text is not one or names a moment that does not exist."""
        match = cls.PATTERN.fullmatch(text)
        return None if match is None else cls._from(match)

    @classmethod
    def _from(cls, match: re.Match[str]) -> Self | None:
        raise NotImplementedError

    @property
    def rank(self) -> int:
        """The precision as a number of units; a second has the same with and without fraction."""
        return len(self.parts)

    @property
    def low(self) -> int:
        """The first microsecond of what is meant, as if an unknown zone were UTC."""
        raise NotImplementedError

    @property
    def high(self) -> int:
        """The first microsecond after what is meant."""
        raise NotImplementedError

    @property
    def digits(self) -> int:
        return self.DIGITS[-1] if self.fraction else self.DIGITS[len(self.parts) - 1]


def _day_number(parts: tuple[int, ...]) -> int:
    year, month, day = (*parts, 1, 1)[:3] if len(parts) < 3 else parts[:3]
    return date(year, month, day).toordinal()


def _valid_day(parts: tuple[int, ...]) -> bool:
    year, month, day = (*parts, 1, 1)[:3] if len(parts) < 3 else parts[:3]
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= _days_in(year, month)


def _day_after(parts: tuple[int, ...]) -> int:
    """The number of the first day after a year, month or day."""
    if len(parts) == 1:
        return date(parts[0], 12, 31).toordinal() + 1
    if len(parts) == 2:
        return date(parts[0], parts[1], _days_in(parts[0], parts[1])).toordinal() + 1
    return date(parts[0], parts[1], parts[2]).toordinal() + 1


@dataclass(frozen=True, slots=True)
class Date(Temporal):
    PATTERN = re.compile(_DATE)
    UNITS = ("year", "month", "day")
    DIGITS = (4, 6, 8)

    @classmethod
    def _from(cls, match: re.Match[str]) -> Self | None:
        parts = tuple(int(part) for part in match.groups() if part is not None)
        return cls(parts) if _valid_day(parts) else None

    @property
    def low(self) -> int:
        return _day_number(self.parts) * DAY

    @property
    def high(self) -> int:
        return _day_after(self.parts) * DAY

    def __str__(self) -> str:
        return "-".join(f"{part:0{4 if i == 0 else 2}d}" for i, part in enumerate(self.parts))


@dataclass(frozen=True, slots=True)
class Time(Temporal):
    PATTERN = re.compile(_TIME)
    UNITS = ("hour", "minute", "second")
    DIGITS = (2, 4, 6, 9)

    @classmethod
    def _from(cls, match: re.Match[str]) -> Self | None:
        parts = tuple(int(part) for part in match.groups()[:3] if part is not None)
        return cls(parts, match[4] or "") if _valid_time(parts) else None

    @property
    def low(self) -> int:
        return _time_of(self.parts) + micros_of(self.fraction)

    @property
    def high(self) -> int:
        return _end_of_time(self.low, self.parts, self.fraction)

    def __str__(self) -> str:
        return _clock(self.parts, self.fraction)


@dataclass(frozen=True, slots=True)
class DateTime(Temporal):
    PATTERN = re.compile(f"{_DATE}(?:T(?:{_TIME}{_ZONE})?)?")
    UNITS = ("year", "month", "day", "hour", "minute", "second")
    DIGITS = (4, 6, 8, 10, 12, 14, 17)

    @classmethod
    def _from(cls, match: re.Match[str]) -> Self | None:
        parts = tuple(int(part) for part in match.groups()[:6] if part is not None)
        if not _valid_day(parts[:3]) or not _valid_time(parts[3:]):
            return None
        if len(parts) > 3 and match[3] is None:
            return None
        return cls(parts, match[7] or "", _offset(match[8]))

    @classmethod
    def of(cls, moment: datetime) -> DateTime:
        """An aware datetime, to the millisecond."""
        offset = moment.utcoffset()
        parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
        minutes = None if offset is None else int(offset.total_seconds()) // 60
        return cls(parts, f"{moment.microsecond // 1000:03d}", minutes)

    @property
    def low(self) -> int:
        local = _day_number(self.parts) * DAY + _time_of(self.parts[3:]) + micros_of(self.fraction)
        return local - (self.offset or 0) * MINUTE

    @property
    def high(self) -> int:
        if len(self.parts) <= 3:
            return _day_after(self.parts) * DAY - (self.offset or 0) * MINUTE
        return _end_of_time(self.low, self.parts[3:], self.fraction)

    def __str__(self) -> str:
        day = str(Date(self.parts[:3]))
        if len(self.parts) <= 3:
            return day
        return f"{day}T{_clock(self.parts[3:], self.fraction)}{_zone(self.offset)}"


def _valid_time(parts: tuple[int, ...]) -> bool:
    # A second may be 60: FHIR's instants allow the leap second.
    return all(part <= top for part, top in zip(parts, (23, 59, 60), strict=False))


def _time_of(parts: tuple[int, ...]) -> int:
    return sum(part * unit for part, unit in zip(parts, (HOUR, MINUTE, SECOND), strict=False))


def _end_of_time(low: int, parts: tuple[int, ...], fraction: str) -> int:
    if fraction:
        return low + int(10 ** max(0, 6 - len(fraction)))
    return low + (HOUR, MINUTE, SECOND)[len(parts) - 1]


def _clock(parts: tuple[int, ...], fraction: str) -> str:
    return ":".join(f"{part:02d}" for part in parts) + (f".{fraction}" if fraction else "")


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    return (-1 if zone[0] == "-" else 1) * (int(zone[1:3]) * 60 + int(zone[4:6]))


def _zone(offset: int | None) -> str:
    if offset is None:
        return ""
    if offset == 0:
        return "Z"
    return f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"


def compare(a: Temporal, b: Temporal) -> int | None:
    """Negative, zero or positive as a is before, at or after b; None where their precision cannot tell."""
    if (a.offset is None) == (b.offset is None):
        if a.rank == b.rank:
            return (a.low > b.low) - (a.low < b.low)
        widen_a = widen_b = False
    else:
        widen_a, widen_b = a.offset is None, b.offset is None
    low_a, high_a = a.low - widen_a * _EARLIEST, a.high + widen_a * _LATEST
    low_b, high_b = b.low - widen_b * _EARLIEST, b.high + widen_b * _LATEST
    if high_a <= low_b:
        return -1
    if high_b <= low_a:
        return 1
    return None


_STEP = {"week": 7 * DAY, "day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND, "millisecond": 1000}
_MONTHS = {"year": 12, "month": 1}
_FARTHEST = 20
"""In powers of ten: more of any unit leaves the calendar."""


def add(value: T, amount: Decimal, unit: str) -> T | None:
    """The moment `amount` calendar units later, at the same precision; None where that leaves the calendar.

    What is finer than the value's own precision counts in whole units of that precision.
    """
    if not amount.is_finite() or amount.adjusted() > _FARTHEST:
        return None
    whole = int(amount)
    if isinstance(value, Time):
        if unit not in ("hour", "minute", "second", "millisecond"):
            return None
        moved = (value.low + whole * _STEP[unit]) % DAY
        parts = (moved // HOUR, moved % HOUR // MINUTE, moved % MINUTE // SECOND)[: len(value.parts)]
        return type(value)(parts, _fraction(moved, value.fraction))
    try:
        return _add_to_date(value, whole, unit)
    except (ValueError, OverflowError):
        return None


def _add_to_date(value: T, whole: int, unit: str) -> T:
    parts = value.parts
    if len(parts) < 3:
        months = whole * _MONTHS[unit] if unit in _MONTHS else int(whole * _STEP[unit] / (30 * DAY))
        if len(parts) == 1:
            years = int(months / 12) if unit in _MONTHS else int(whole * _STEP[unit] / (365 * DAY))
            return type(value)(_months_later((*parts, 1), years * 12)[:1])
        return type(value)(_months_later(parts, months))
    if unit in _MONTHS:
        year, month = _months_later(parts[:2], whole * _MONTHS[unit])
        day = min(parts[2], _days_in(year, month))
        return type(value)((year, month, day, *parts[3:]), value.fraction, value.offset)
    step = whole * _STEP[unit]
    if len(parts) == 3:
        day_later = date(*parts) + timedelta(days=int(step / DAY))
        return type(value)((day_later.year, day_later.month, day_later.day))
    unit_size = (HOUR, MINUTE, SECOND)[len(parts) - 4]
    if not value.fraction and step % unit_size and len(parts) < 6:
        step = int(step / unit_size) * unit_size
    moment = datetime(*(*parts, 0, 0)[:6])  # type: ignore[arg-type]  # noqa: DTZ001
    moment += timedelta(microseconds=step + micros_of(value.fraction))
    fields = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    fraction = _fraction(moment.microsecond, value.fraction or ("000" if moment.microsecond else ""))
    return type(value)(fields[: len(parts)], fraction, value.offset)


def _months_later(parts: tuple[int, ...], months: int) -> tuple[int, int]:
    total = parts[0] * 12 + parts[1] - 1 + months
    year, month = total // 12, total % 12 + 1
    date(year, month, 1)
    return year, month


def _fraction(micros: int, like: str) -> str:
    """Microseconds of a second with at least as many digits as before."""
    digits = f"{micros % SECOND:06d}"
    return digits[: max(len(like), 3)] if like else ""


_HOUR_ONLY = 4
"""The parts of a dateTime that ends with its hour: https://hl7.org/fhir/R4/datatypes.html#dateTime"""


def boundary(value: T, digits: int | None, *, high: bool) -> T | None:
    """The earliest or latest value that the partial one may stand for, to a precision in digits."""
    limit = value.DIGITS[-1] if digits is None else digits
    if limit not in value.DIGITS:
        return None
    count = min(value.DIGITS.index(limit) + 1, len(value.UNITS))
    given = value.parts
    if isinstance(value, DateTime) and len(given) == _HOUR_ONLY:
        # FHIR knows no hour without minutes: 08 says 08:00, and HL7's suite bounds that minute.
        given = (*given, 0)
    parts = list(given[:count])
    while len(parts) < count:
        unit = value.UNITS[len(parts)]
        lowest = 1 if unit in ("month", "day") else 0
        highest = {"month": 12, "day": _days_in(parts[0], parts[1]) if len(parts) == 2 else 31, "hour": 23}.get(
            unit, 59
        )
        parts.append(highest if high else lowest)
    fraction = value.fraction.ljust(3, "9" if high else "0") if limit in (9, 17) else ""
    offset = value.offset
    if isinstance(value, DateTime) and offset is None and count > 3:
        offset = -_LATEST // MINUTE if high else _EARLIEST // MINUTE
    return type(value)(tuple(parts), fraction, offset if count > 3 else None)
