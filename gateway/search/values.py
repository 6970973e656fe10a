"""Reading the value of a search parameter: alternatives, escapes, prefixes, precision.

https://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import get_args

from gateway.fhir.primitives import ID
from gateway.search import dates, rows, sphere, units, wordquery
from gateway.search.conditions import (
    Condition,
    DateIs,
    Near,
    NumberIs,
    Prefix,
    QuantityIs,
    RefersTo,
    StringIs,
    TokenIs,
    UriIs,
    WordsAre,
)
from gateway.search.rows import local
from gateway.search.text import folded, normalised

MAX_ALTERNATIVES = 1000

_PREFIX = re.compile(f"({'|'.join(get_args(Prefix))})(?=[-+.0-9])")
_STRAY = re.compile(r"\\(?![,|$])")
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
    if "\\" not in text:
        return text
    if _STRAY.search(text.replace("\\\\", "")):
        raise Malformed("A backslash stands before a backslash, a comma, a bar or a dollar sign.")
    return re.sub(r"\\([\\,|$])", r"\1", text)


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
        return TokenIs(None, folded(parts[0]), parts[0])
    if len(parts) > 2 or parts == ["", ""]:
        raise Malformed("It is written as code, system|code, |code or system|.")
    return TokenIs(parts[0], folded(parts[1]), parts[1]) if parts[1] else TokenIs(parts[0], None)


def of_type(text: str, _: Reading) -> TokenIs:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) != 3 or not all(parts):
        raise Malformed("It is written as system|code|value: the identifier's type, and its value.")
    return TokenIs(parts[0], rows.of_type(parts[1], parts[2]))


def mime_below(token: TokenIs) -> list[TokenIs]:
    """A mime type with whatever parameters, or everything of a kind (text): https://hl7.org/fhir/R4/search.html#mimetype"""
    behind = (";",) if "/" in token.exact else ("/", ";")
    return [
        token,
        *(replace(token, code=f"{token.code}{end}", exact=f"{token.exact}{end}", begins=True) for end in behind),
    ]


def mime_above(token: TokenIs) -> list[TokenIs]:
    base = token.exact.partition(";")[0].strip()
    return [token, replace(token, code=folded(base), exact=base)]


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


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number as it was written: itself, and what it stands for at its precision."""

    prefix: Prefix
    value: Decimal
    low: Decimal
    high: Decimal

    def on(self, convert: Callable[[Decimal], float]) -> NumberIs:
        return NumberIs(self.prefix, convert(self.value), convert(self.low), convert(self.high))


def _amount(text: str) -> _Amount:
    prefix, written = prefixed(text)
    if not _NUMBER.fullmatch(written):
        raise Malformed("It is written as 100, 100.00 or 1e2, after a prefix.")
    value = Decimal(written)
    _, digits, exponent = value.as_tuple()
    last = int(exponent)
    if "e" in written.lower() and len(digits) == 1:
        # The specification reads 1e2 as 95 to 105, as if it were 1.0e2: so does this.
        last -= 1
    half = Decimal(5).scaleb(last - 1)
    if prefix == "ap":
        half = max(half, abs(value) / 10)
    return _Amount(prefix, value, value - half, value + half)


def number(text: str, _: Reading) -> NumberIs:
    return _amount(unescaped(text)).on(units.number)


def quantity(text: str, _: Reading) -> QuantityIs:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) not in (1, 3):
        raise Malformed("It is written as 5.4, 5.4||mg or 5.4|http://unitsofmeasure.org|mg, after a prefix.")
    amount = _amount(parts[0])
    system, code = parts[1:] if len(parts) == 3 else ("", "")
    scale = units.scale(code) if system == units.UCUM and code else None
    if scale is None:
        return QuantityIs(amount.on(units.number), system or None, code or None)
    return QuantityIs(amount.on(scale.of), units.BASE_UNITS, scale.base)


def uri(text: str, reading: Reading) -> UriIs:
    plain = unescaped(text)
    # A relative one names what is kept here: https://hl7.org/fhir/R4/search.html#tag
    own = reading.bases and ":" not in plain and local(plain, ())
    return UriIs("is", reading.bases[0] + plain if own else plain)


def string(text: str, _: Reading) -> StringIs:
    plain = unescaped(text)
    value = normalised(plain)
    if not value:
        raise Malformed("It has a letter or a digit: punctuation is not looked at.")
    return StringIs("starts", value, plain)


def exact_string(text: str, _: Reading) -> StringIs:
    plain = unescaped(text)
    return StringIs("exact", normalised(plain), plain)


def reference(text: str, reading: Reading) -> RefersTo:
    plain = unescaped(text)
    url, bar, _ = plain.partition("|")
    own = local(url, reading.bases)
    if own is not None:
        return RefersTo("", plain) if bar else RefersTo(*own)
    if ID.fullmatch(plain):
        return RefersTo(None, plain)
    if ":" not in plain:
        raise Malformed("It is written as an id, Type/id, or an absolute url.")
    return RefersTo("", plain)


def position(text: str, _: Reading) -> Near:
    """https://hl7.org/fhir/R4/location.html#positional"""
    parts = [unescaped(part) for part in split(text, "|")]
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
        distance = float(parts[2]) if len(parts) > 2 and parts[2] else NEAR
        scale = units.scale(parts[3] if len(parts) > 3 and parts[3] and parts[2] else "km")
        if len(parts) > 4 or not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 <= distance < units.INFINITE):
            raise ValueError
    except (ValueError, IndexError):
        raise Malformed(f"It is written as latitude|longitude|distance|unit. Without a distance: {NEAR} km.") from None
    if scale is None or scale.base != "m":
        raise Malformed("The unit is a UCUM unit of length, such as km, m or [mi_i].")
    return Near(*sphere.point(latitude, longitude), sphere.chord(scale.of(distance)))


def _words(edge: int) -> Callable[[str, Reading], WordsAre]:
    def read(text: str, _: Reading) -> WordsAre:
        try:
            query = wordquery.read(unescaped(text))
        except wordquery.Unreadable as problem:
            raise Malformed(str(problem)) from None
        return WordsAre(query.sqlite, query.postgresql, edge)

    return read


NEAR = 20
"""Kilometres that are near where a search does not say."""

WORDS: Mapping[str, Callable[[str, Reading], WordsAre]] = {"_text": _words(0), "_content": _words(1)}

PARSERS: Mapping[str, Callable[[str, Reading], Condition]] = {
    "token": token,
    "date": date,
    "number": number,
    "quantity": quantity,
    "uri": uri,
    "string": string,
    "reference": reference,
    "position": position,
}
