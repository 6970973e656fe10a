"""The transforms of the mapping language, as one table: arguments, what comes out, how it is made.

`create`, `copy`, `cast`, `translate`, `evaluate`, `uuid`, `reference` and `pointer` need more than values: they are the
resolver's and the run's.

https://build.fhir.org/ig/HL7/mapping-language-ig/transforms.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from gateway.mapping import primitives, times
from gateway.mapping.primitives import as_text
from gateway.mapping.times import Unfit

IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_QUANTITY = re.compile(r"(<=|>=|<|>)?\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(\S.*)?")
_ESCAPES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "html": (html.unescape, html.escape),
    "xml": (html.unescape, html.escape),
    "text": (str, str),
}


class Context(Protocol):
    """What a transform may know of the run."""

    zone: Any

    def ambiguous(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Definition:
    """`make(context, *values)`; `least` to `most` arguments; `type` of what comes out, None where it depends."""

    make: Callable[..., Any]
    least: int
    most: int | None
    type: str | None


def truncate(run: Context, value: Any, length: Any) -> str:
    try:
        return as_text(value)[: int(as_text(length))]
    except ValueError:
        raise Unfit("the length is no whole number") from None


def escape(run: Context, value: Any, source: Any, target: Any = "text") -> str:
    for name in (source, target):
        if name not in _ESCAPES:
            raise Unfit(f"escapes known are {', '.join(_ESCAPES)}")
    return _ESCAPES[target][1](_ESCAPES[source][0](as_text(value)))


def append(run: Context, *values: Any) -> str | None:
    joined = "".join(as_text(value) for value in values if value is not None)
    if len(joined) > primitives.LONGEST:
        raise Unfit("longer than a string may be")
    return joined or None


def to_date_time(run: Context, value: Any, pattern: Any = None) -> str:
    try:
        return times.written(as_text(value), pattern, run.zone, run.ambiguous)
    except times.NotSo as error:
        raise _otherwise(error, "toDateTime(v, pattern), such as 'd/M/yyyy HH.mm'") from None


def to_date(run: Context, value: Any, pattern: Any = None) -> str:
    try:
        return times.to_date(times.parts(as_text(value), pattern))
    except times.NotSo as error:
        raise _otherwise(error, "toDate(v, pattern), such as 'd/M/yyyy'") from None


def to_time(run: Context, value: Any, pattern: Any = None) -> str:
    try:
        return times.to_time(times.parts(as_text(value), pattern or "HH:mm:ss"))
    except times.NotSo as error:
        raise _otherwise(error, "toTime(v, pattern), such as 'HH.mm'") from None


def _otherwise(error: times.NotSo, call: str) -> Unfit:
    """What does not fit, and how the map says that its source writes times in another way."""
    return Unfit(f"{error}; or the map says how they are written there, by {call}")


def _moment(value: Any, offset: Any) -> datetime:
    try:
        seconds = Decimal(as_text(value))
    except ArithmeticError:
        raise Unfit("a number of seconds since 1970 is expected") from None
    if abs(seconds) > 10**11:
        raise Unfit("a number of seconds since 1970 is expected")
    zone = times.zone_of(as_text(offset)) if offset is not None else UTC
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(seconds))).astimezone(zone)


def unix_to_date_time(run: Context, value: Any, offset: Any = None) -> str:
    return _moment(value, offset).isoformat()


def unix_to_date(run: Context, value: Any, offset: Any = None) -> str:
    return _moment(value, offset).date().isoformat()


def unix_to_time(run: Context, value: Any, offset: Any = None) -> str:
    return _moment(value, offset).time().isoformat()


def date_op(run: Context, value: Any, pattern: Any, *_: Any) -> str:
    """R4's unfinished `dateOp`: read as `toDateTime(value, format)`."""
    return to_date_time(run, value, pattern)


def c(run: Context, system: Any, code: Any, display: Any = None) -> dict[str, Any] | None:
    return _filled(system=system, code=code, display=display) if code is not None else None


def cc(run: Context, *values: Any) -> dict[str, Any] | None:
    if len(values) == 1:
        return _filled(text=values[0])
    coding = c(run, *values)
    return {"coding": [coding]} if coding else None


def identifier(run: Context, system: Any, value: Any, kind: Any = None) -> dict[str, Any] | None:
    if value is None:
        return None
    found = _filled(system=system, value=value)
    if found and kind is not None:
        found = {"type": {"coding": [{"system": IDENTIFIER_TYPES, "code": as_text(kind)}]}, **found}
    return found


def contact_point(run: Context, *values: Any) -> dict[str, Any] | None:
    system, value = values if len(values) == 2 else (None, values[0])
    if value is None:
        return None
    text = as_text(value).strip()
    if system is None:
        system = next((name for name, mark in _CONTACTS if mark.search(text)), "other")
    return _filled(system=system, value=text)


_CONTACTS = (
    ("email", re.compile(r"^(mailto:)?[^\s@]+@[^\s@]+$")),
    ("url", re.compile(r"^https?://")),
    ("phone", re.compile(r"^(tel:)?\+?[\d\s\-()/]+$")),
)


def quantity(run: Context, *values: Any) -> dict[str, Any] | None:
    if len(values) == 1:
        found = _QUANTITY.fullmatch(as_text(values[0]).strip())
        if not found:
            raise Unfit("a quantity is expected: a number and a unit")
        comparator, number, unit = found.groups()
        return _filled(value=Decimal(number), comparator=comparator, unit=unit)
    value, unit, *rest = values
    if value is None:
        return None
    system, code = (*rest, None, None)[:2]
    return _filled(value=primitives.decimal(value, run.zone, run.ambiguous), unit=unit, system=system, code=code)


def _filled(**values: Any) -> dict[str, Any] | None:
    """An element of those that have a value; strings are stripped."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if value is None or value == "":
            continue
        if value.__class__ is str:
            found[key] = value.strip()
        else:
            found[key] = value if isinstance(value, Decimal | int) else as_text(value)
    return found or None


TRANSFORMS: dict[str, Definition] = {
    "truncate": Definition(truncate, 2, 2, "string"),
    "escape": Definition(escape, 2, 3, "string"),
    "append": Definition(append, 1, None, "string"),
    "toDateTime": Definition(to_date_time, 1, 2, "dateTime"),
    "toDate": Definition(to_date, 1, 2, "date"),
    "toTime": Definition(to_time, 1, 2, "time"),
    "unixToDateTime": Definition(unix_to_date_time, 1, 2, "dateTime"),
    "unixToDate": Definition(unix_to_date, 1, 2, "date"),
    "unixToTime": Definition(unix_to_time, 1, 2, "time"),
    "dateOp": Definition(date_op, 2, 4, "dateTime"),
    "c": Definition(c, 2, 3, "Coding"),
    "cc": Definition(cc, 1, 3, "CodeableConcept"),
    "id": Definition(identifier, 2, 3, "Identifier"),
    "cp": Definition(contact_point, 1, 2, "ContactPoint"),
    "qty": Definition(quantity, 1, 4, "Quantity"),
}
EXACT = frozenset(name for name, known in TRANSFORMS.items() if known.type != "string")
"""Those whose values are whole and need no conversion for an element of their type."""
FIXED = frozenset(("c", "cc", "id"))
"""Those that ask nothing of the run."""
NEED_MORE = ("create", "copy", "cast", "translate", "evaluate", "uuid", "reference", "pointer")
NAMES = (*TRANSFORMS, *NEED_MORE)
