"""The forms of the primitive types in JSON, one row each.

https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

Test = Callable[[Any], bool]

LONGEST: Final = 1024 * 1024
# What R4 advises against, and XML cannot hold.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
WHITE: Final = re.compile(r"\s")
CODE: Final = re.compile(r"\S+(?:\s\S+)*")
ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
OID: Final = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
UUID: Final = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

DAY: Final = r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
ZONE: Final = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
MONTH: Final = r"(?!0000)[0-9]{4}(?:-(?:0[1-9]|1[0-2]))?"
DATE: Final = re.compile(f"{DAY}|{MONTH}")
DATE_TIME: Final = re.compile(f"{DAY}(?:T{CLOCK}{ZONE})?|{MONTH}")
INSTANT: Final = re.compile(f"{DAY}T{CLOCK}{ZONE}")
TIME: Final = re.compile(CLOCK)


def string(value: Any) -> bool:
    if type(value) is not str or not value or len(value) > LONGEST:
        return False
    return value.isprintable() or not CONTROL.search(value)


def code(value: Any) -> bool:
    if type(value) is not str:
        return False
    return value.isalnum() or (CODE.fullmatch(value) is not None and not CONTROL.search(value))


def uri(value: Any) -> bool:
    if type(value) is not str or not value:
        return False
    return " " not in value and (value.isprintable() or not (WHITE.search(value) or CONTROL.search(value)))


def boolean(value: Any) -> bool:
    return value is True or value is False


def decimal(value: Any) -> bool:
    return type(value) is int or (isinstance(value, Decimal) and value.is_finite())


def _whole(low: int, high: int) -> Test:
    def test(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return test


def _matching(form: re.Pattern[str]) -> Test:
    matches = form.fullmatch

    def test(value: Any) -> bool:
        return type(value) is str and matches(value) is not None

    return test


def _dated(form: re.Pattern[str]) -> Test:
    """A form that begins with a day, which also has to be in the calendar."""
    matches = form.fullmatch

    def test(value: Any) -> bool:
        if type(value) is not str or matches(value) is None:
            return False
        return value[8:10] <= "28" or _in_calendar(value[:10])

    return test


def _in_calendar(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def base64(value: Any) -> bool:
    """Base64 with padding; white space between the characters is allowed."""
    if type(value) is not str or not value:
        return False
    try:
        content = value.encode("ascii")
        return bool(binascii.a2b_base64(content.translate(None, b" \t\r\n"), strict_mode=True))
    except (UnicodeEncodeError, binascii.Error):
        return False


MOST: Final = 2**31 - 1

FORMS: Final[Mapping[str, tuple[Test, str]]] = {
    "base64Binary": (base64, "base64 with padding"),
    "boolean": (boolean, "true or false, without quotes"),
    "canonical": (uri, "a url without white space"),
    "code": (code, "text without white space at its ends or two in a row"),
    "date": (_dated(DATE), "a day, month or year that exists, as YYYY-MM-DD, YYYY-MM or YYYY"),
    "dateTime": (_dated(DATE_TIME), "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm)"),
    "decimal": (decimal, "a number, without quotes"),
    "id": (_matching(ID), "1 to 64 of A-Z, a-z, 0-9, - and ."),
    "instant": (_dated(INSTANT), "YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm)"),
    "integer": (_whole(-MOST - 1, MOST), "a whole number of 32 bits, without quotes"),
    "markdown": (string, "text that is not empty, without control characters"),
    "oid": (_matching(OID), "urn:oid: and numbers with dots between"),
    "positiveInt": (_whole(1, MOST), "a whole number from 1, without quotes"),
    "string": (string, "text that is not empty, without control characters"),
    "time": (_matching(TIME), "hh:mm:ss without a zone"),
    "unsignedInt": (_whole(0, MOST), "a whole number from 0, without quotes"),
    "uri": (uri, "a uri without white space"),
    "url": (uri, "a url without white space"),
    "uuid": (_matching(UUID), "urn:uuid: and a UUID in small letters"),
}
"""By type: whether a JSON value is one, and what one looks like."""
