"""Conversions between the System types; what cannot be converted gives nothing.

https://hl7.org/fhirpath/N1/#conversion
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from gateway.fhirpath.functions.registry import scalar
from gateway.fhirpath.functions.strings import text
from gateway.fhirpath.operators import LARGEST
from gateway.fhirpath.quantity import CALENDAR, Quantity, converted
from gateway.fhirpath.temporal import Date, DateTime, Time
from gateway.fhirpath.values import SYSTEM

_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-zA-Z]+))?")
_LARGEST = 2**31
_LONGEST = 30
"""Digits of a text that is a number: what is longer than that is not read."""


def to_boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    if isinstance(value, int | Decimal):
        return True if value == 1 else False if value == 0 else None
    return None


def to_integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) <= _LONGEST:
        value = int(value)
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else None


def to_long(value: Any) -> int | None:
    """As an Integer, of 64 bits."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) <= _LONGEST:
        value = int(value)
    return value if type(value) is int and -LARGEST <= value < LARGEST else None


def to_decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool | int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and len(value) <= 2 * _LONGEST:
        return Decimal(value)
    return None


def to_quantity(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or (match[3] and match[3] not in CALENDAR):
            return None
        if match[3]:
            return Quantity(Decimal(match[1]), CALENDAR[match[3]], calendar=True)
        return Quantity(Decimal(match[1]), match[2] or "1")
    number = to_decimal(value)
    return None if number is None else Quantity(number)


def to_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, tuple(SYSTEM)) else None


def to_date(value: Any) -> Date | None:
    if isinstance(value, DateTime):
        return Date(value.parts[:3])
    if isinstance(value, str):
        # A dateTime written as text converts too: its day is known.
        moment = DateTime.parse(value)
        return None if moment is None else Date(moment.parts[:3])
    return value if isinstance(value, Date) else None


def to_datetime(value: Any) -> DateTime | None:
    if isinstance(value, Date):
        return DateTime(value.parts)
    if isinstance(value, str):
        return DateTime.parse(value)
    return value if isinstance(value, DateTime) else None


def to_time(value: Any) -> Time | None:
    if isinstance(value, str):
        return Time.parse(value.removeprefix("T"))
    return value if isinstance(value, Time) else None


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Long": to_long,
    "Decimal": to_decimal,
    "Date": to_date,
    "DateTime": to_datetime,
    "Time": to_time,
    "String": to_text,
}


def _converts(convert: Callable[[Any], Any]) -> Callable[[Any], bool]:
    return lambda value: convert(value) is not None


for _name, _convert in _CONVERSIONS.items():
    scalar(f"to{_name}", result="Integer" if _name == "Long" else _name)(_convert)
    scalar(f"convertsTo{_name}", result="Boolean")(_converts(_convert))


@scalar("toQuantity", "value", required=0, result="Quantity")
def to_quantity_in(value: Any, unit: Any = None) -> Quantity | None:
    quantity = to_quantity(value)
    return quantity if quantity is None or unit is None else converted(quantity, text(unit))


@scalar("convertsToQuantity", "value", required=0, result="Boolean")
def converts_to_quantity(value: Any, unit: Any = None) -> bool:
    return to_quantity_in(value, unit) is not None
