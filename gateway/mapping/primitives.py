"""A source's values to FHIR primitives: what fits is converted, what does not is refused with what was expected.

https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from gateway.fhir.primitives import CONTROL, ID, OID, UUID, base64
from gateway.mapping import times
from gateway.mapping.times import Mark, Unfit

Convert = Callable[[Any, tzinfo, Mark], Any]
LONGEST = 1_048_576
_CODE = re.compile(r"[^\s]+( [^\s]+)*")
_URI = re.compile(r"\S+")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):?([0-5][0-9])(?::?([0-5][0-9])(\.[0-9]+)?)?")
_DATE_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def as_text(value: Any) -> str:
    """A leaf as text: JSON's and FHIRPath's spelling."""
    if value.__class__ is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def string(value: Any, zone: tzinfo, mark: Mark) -> str:
    text: str = value.strip() if value.__class__ is str else as_text(value).strip()
    if text.isprintable() and len(text) <= LONGEST:
        return text
    if len(text) > LONGEST:
        raise Unfit("longer than a string may be")
    return CONTROL.sub("", text)


def _matching(pattern: re.Pattern[str], expected: str) -> Convert:
    def convert(value: Any, zone: tzinfo, mark: Mark) -> str:
        text = (value if value.__class__ is str else as_text(value)).strip()
        if not pattern.fullmatch(text) or CONTROL.search(text):
            raise Unfit(expected)
        return text

    return convert


def base64_binary(value: Any, zone: tzinfo, mark: Mark) -> str:
    text = as_text(value).strip()
    if not base64(text):
        raise Unfit("base64 is expected")
    return text


def boolean(value: Any, zone: tzinfo, mark: Mark) -> bool:
    if value is True or value is False:
        return bool(value)
    found = _BOOLEANS.get(as_text(value).strip().lower())
    if found is None:
        raise Unfit("true or false is expected")
    return found


def _whole(low: int, expected: str) -> Convert:
    def convert(value: Any, zone: tzinfo, mark: Mark) -> int:
        if value.__class__ is int:
            number = value
        else:
            text = as_text(value).strip()
            if isinstance(value, bool) or not _INTEGER.fullmatch(text):
                raise Unfit(expected)
            number = int(text)
        if not low <= number <= 2_147_483_647:
            raise Unfit(expected)
        return int(number)

    return convert


def decimal(value: Any, zone: tzinfo, mark: Mark) -> Decimal | int:
    if value.__class__ is int:
        return int(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    text = as_text(value).strip()
    if isinstance(value, bool) or not _DECIMAL.fullmatch(text):
        raise Unfit("a decimal number with a point is expected")
    return Decimal(text)


def date(value: Any, zone: tzinfo, mark: Mark) -> str:
    text = as_text(value).strip()
    if not _DATE_TIME.fullmatch(text):
        raise Unfit("a date is expected: yyyy-MM-dd, or toDate(v, pattern) in the map")
    return times.to_date(times.parts(text))


def date_time(value: Any, zone: tzinfo, mark: Mark) -> str:
    text = as_text(value).strip()
    if not _DATE_TIME.fullmatch(text):
        raise Unfit("a dateTime is expected: yyyy-MM-ddTHH:mm:ss+01:00, or toDateTime(v, pattern) in the map")
    return times.written(text, None, zone, mark)


def instant(value: Any, zone: tzinfo, mark: Mark) -> str:
    found = date_time(value, zone, mark)
    if "T" not in found:
        raise Unfit("an instant is expected: with hours, minutes and seconds")
    return found


def time(value: Any, zone: tzinfo, mark: Mark) -> str:
    found = _TIME.fullmatch(as_text(value).strip())
    if not found:
        raise Unfit("a time of day is expected: HH:mm:ss, or toTime(v, pattern) in the map")
    hour, minute, second, fraction = found.groups()
    return f"{hour}:{minute}:{second or '00'}{fraction or ''}"


CONVERT: dict[str, Convert] = {
    "string": string,
    "markdown": string,
    "xhtml": string,
    "code": _matching(_CODE, "a code is expected: no space at its ends, no two in a row"),
    "id": _matching(ID, "an id is expected: at most 64 of letters, digits, '-' and '.'"),
    "uri": _matching(_URI, "a URI is expected: without spaces"),
    "url": _matching(_URI, "a URL is expected: without spaces"),
    "canonical": _matching(_URI, "a canonical URL is expected: without spaces"),
    "oid": _matching(OID, "an OID is expected: urn:oid:1.2.3"),
    "uuid": _matching(UUID, "a UUID is expected: urn:uuid:..., in lower case"),
    "base64Binary": base64_binary,
    "boolean": boolean,
    "integer": _whole(-2_147_483_648, "a whole number is expected"),
    "unsignedInt": _whole(0, "a whole number from 0 is expected"),
    "positiveInt": _whole(1, "a whole number from 1 is expected"),
    "decimal": decimal,
    "date": date,
    "dateTime": date_time,
    "instant": instant,
    "time": time,
}
"""How a value becomes each primitive type: (value, the source's zone, what to call for an ambiguous hour)."""


def _clean(text: str) -> bool:
    return text.isprintable() and text.strip() == text != "" and len(text) <= LONGEST


def _word(text: str) -> bool:
    return text.isprintable() and " " not in text and text != ""


PLAIN: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("string", "markdown", "xhtml"), _clean),
    **dict.fromkeys(("uri", "url", "canonical"), _word),
    "code": str.isalnum,
}
"""Whether a text is surely of the type as it stands: a cheap look, which most texts pass."""
