"""Reading the value of a search parameter: alternatives, escapes, prefixes, precision.

https://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import get_args

from gateway.fhir.primitives import ID
from gateway.search import dates
from gateway.search.conditions import (
    Condition,
    DateIs,
    NumberIs,
    Prefix,
    QuantityIs,
    RefersTo,
    StringIs,
    TokenIs,
    UriIs,
)
from gateway.search.rows import BASE_UNITS, UCUM, base_unit, local
from gateway.search.text import folded, normalised

MAX_ALTERNATIVES = 1000

_PREFIX = re.compile(f"({'|'.join(get_args(Prefix))})(?=[-+.0-9])")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")


class Malformed(Exception):
    """The value cannot be read; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a value depends on: the zone of times without one, our base urls, and now (for `ap`)."""

    zone: tzinfo
    bases: tuple[str, ...]
    now: datetime


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that no backslash stands before; escapes stay."""
    parts, current, escaped = [], "", False
    for char in text:
        if char == separator and not escaped:
            parts.append(current)
            current = ""
            continue
        current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]


def unescaped(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text) if "\\" in text else text


def alternatives(text: str) -> list[str]:
    """The values between commas."""
    found = [part for part in split(text, ",") if part]
    if not found:
        raise Malformed("It has no value.")
    if len(found) > MAX_ALTERNATIVES:
        raise Malformed(f"At most {MAX_ALTERNATIVES} values can be given at once.")
    return found


def prefixed(text: str) -> tuple[Prefix, str]:
    match = _PREFIX.match(text)
    return (match[1], text[2:]) if match else ("eq", text)  # type: ignore[return-value]


def token(text: str, _: Reading) -> TokenIs:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) == 1:
        return TokenIs(None, folded(parts[0]))
    if len(parts) > 2 or parts == ["", ""]:
        raise Malformed("It is written as code, system|code, |code or system|.")
    return TokenIs(parts[0], folded(parts[1]) if parts[1] else None)


def date(text: str, reading: Reading) -> DateIs:
    prefix, moment = prefixed(unescaped(text))
    # In a query a plus sign is a space unless it was encoded, which clients forget.
    found = dates.span(moment.replace(" ", "+"), reading.zone)
    if found is None:
        raise Malformed("It is written as 2026, 2026-11, 2026-11-22 or 2026-11-22T10:15:00+01:00, after a prefix.")
    low, high = found
    if prefix == "ap":
        # A tenth of the time between then and now: https://hl7.org/fhir/R4/search.html#prefix
        now = dates.micros(reading.now)
        margin = max(0, now - high, low - now) // 10
        low, high = low - margin, high + margin
    return DateIs(prefix, low, high)


def _number(text: str) -> NumberIs:
    prefix, digits = prefixed(text)
    if not _NUMBER.fullmatch(digits):
        raise Malformed("It is written as 100, 100.00 or 1e2, after a prefix.")
    try:
        value = Decimal(digits)
    except InvalidOperation as problem:
        raise Malformed("It is no number.") from problem
    exponent = int(value.as_tuple().exponent)
    # The specification reads 1e2 as 95 to 105, which is one figure more than is written: so do we.
    if "." not in digits and "e" in digits.lower():
        exponent -= 1
    half = Decimal(5).scaleb(exponent - 1)
    if prefix == "ap":
        half = max(half, abs(value) / 10)
    return NumberIs(prefix, float(value), float(value - half), float(value + half))


def number(text: str, _: Reading) -> NumberIs:
    return _number(unescaped(text))


def quantity(text: str, _: Reading) -> QuantityIs:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) not in (1, 3):
        raise Malformed("It is written as 5.4, 5.4||mg or 5.4|http://unitsofmeasure.org|mg, after a prefix.")
    amount = _number(parts[0])
    if len(parts) == 1 or parts[1:] == ["", ""]:
        return QuantityIs(amount, None, None)
    system, code = parts[1], parts[2]
    base = base_unit(code) if system == UCUM and code else None
    if base is None:
        return QuantityIs(amount, system or None, code or None)
    factor = float(base[0])
    scaled = NumberIs(amount.prefix, amount.value * factor, amount.low * factor, amount.high * factor)
    return QuantityIs(scaled, BASE_UNITS, base[1])


def uri(text: str, _: Reading) -> UriIs:
    return UriIs("is", unescaped(text))


def string(text: str, _: Reading) -> StringIs:
    plain = unescaped(text)
    return StringIs("starts", normalised(plain), plain)


def reference(text: str, reading: Reading) -> RefersTo:
    plain = unescaped(text)
    own = local(plain, reading.bases)
    if own is not None:
        return RefersTo(*own)
    if ID.fullmatch(plain):
        return RefersTo(None, plain)
    if ":" not in plain:
        raise Malformed("It is written as an id, Type/id, or an absolute url.")
    return RefersTo("", plain)


PARSERS: Mapping[str, Callable[[str, Reading], Condition]] = {
    "token": token,
    "date": date,
    "number": number,
    "quantity": quantity,
    "uri": uri,
    "string": string,
    "reference": reference,
}
