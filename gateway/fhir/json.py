"""Resources as JSON bytes: read exactly, written byte for byte the same each time.

https://hl7.org/fhir/R4/json.html

Decimals keep their digits (`6.30` stays `6.30`); nothing is ever a float. A member that appears twice is refused,
because readers disagree on which one counts.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

import orjson

from gateway.errors import BadRequest, TooLarge
from gateway.fhir import media
from gateway.records import Resource

MEDIA_TYPE: Final = media.JSON
MOST_BYTES: Final = 64 * 2**20
# orjson writes 254 levels; a resource still has to fit into a Bundle.
DEEPEST: Final = 200

BOM: Final = b"\xef\xbb\xbf"


def parse(body: bytes, *, most_bytes: int = MOST_BYTES, deepest: int = DEEPEST) -> Resource:
    """The one JSON object in the body."""
    resource = parse_any(body, most_bytes=most_bytes, deepest=deepest)
    if type(resource) is not dict:
        raise _refused("The body is JSON, but not an object with a resourceType", 1, 1, "json-object")
    return resource


def parse_any(body: bytes, *, most_bytes: int = MOST_BYTES, deepest: int = DEEPEST) -> Any:
    """The one JSON object or list in the body; of other values decimals come as they are not kept exactly."""
    if len(body) > most_bytes:
        raise TooLarge(f"The body has more than {most_bytes} bytes: send it in parts.")
    body = body.removeprefix(BOM)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _refused("The body is not JSON in UTF-8", error.lineno, error.colno, "json-syntax") from None
    if type(value) is not dict and type(value) is not list:
        return value
    if body.count(b"{") + body.count(b"[") > deepest and _depth(value) > deepest:
        raise BadRequest(f"The JSON is nested more than {deepest} levels deep.", rule="json-depth")
    # A text that is written back the same has lost no member to a repeated name; and where no fraction or exponent
    # follows a colon, a bracket or a comma, no number has become a float.
    if orjson.dumps(value) == body and not any(fraction.search(body) for fraction in FRACTIONS):
        return value
    return _exact(body)


def reread(body: bytes) -> Resource:
    """What `dump` wrote: of it only decimals need care."""
    for fraction in FRACTIONS:
        if fraction.search(body):
            exact: Resource = _exact(body)
            return exact
    found: Resource = orjson.loads(body)
    return found


def skim(body: bytes) -> Resource:
    """The same, for who looks at no number in it: a decimal may come as a float."""
    found: Resource = orjson.loads(body)
    return found


def dump(resource: Any, *, pretty: bool = False) -> bytes:
    """Compact JSON. Members keep their order, decimals their digits; `verbatim` parts are spliced in.

    `pretty` indents, `verbatim` parts aside.
    """
    return orjson.dumps(resource, default=_number, option=orjson.OPT_INDENT_2 if pretty else None)


def verbatim(body: bytes) -> Any:
    """JSON that is already written, to be put as a value into what `dump` writes."""
    return orjson.Fragment(body)


class Spelled(Decimal):
    """A decimal that remembers how it was written, where that cannot be told from its value (`1e-24`)."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Spelled:
        number = super().__new__(cls, text)
        number.text = text
        return number


def number(text: str) -> int | Decimal:
    """The number that is written so in JSON; `digits` gives the text back. ValueError where `parse` refuses it."""
    if not isfinite(float(text)):
        raise ValueError("A number is out of range.")
    return _decimal(text) if "." in text or "e" in text or "E" in text else _integer(text)


def digits(value: Decimal) -> str:
    """A decimal's digits; an exponent only where plain digits would claim a precision that was not given."""
    if isinstance(value, Spelled):
        return value.text
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise TypeError("JSON has no number for NaN or infinity.")
    return format(value, "f") if -MOST_DIGITS < exponent <= 0 else str(value)


def _number(value: object) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(digits(value))
    raise TypeError(f"A resource holds no {type(value).__name__}.")


# Three expressions with a literal beginning: searched for at the speed of memchr, and not misled by `urn:oid:1.2`.
FRACTIONS: Final = tuple(re.compile(start + rb"-?[0-9]+[.eE]") for start in (rb'":', rb"\[", rb","))

MOST_DIGITS: Final = 40


def _depth(root: Resource | list[Any]) -> int:
    """How many levels of objects and arrays lie in each other."""
    depth = 0
    level: list[Any] = [root]
    while level:
        depth += 1
        level = [
            value
            for node in level
            for value in (node.values() if type(node) is dict else node)
            if type(value) is dict or type(value) is list
        ]
    return depth


def _exact(body: bytes) -> Any:
    """The slow way, for a body whose syntax and depth are known to be good."""
    try:
        return json.loads(body, parse_float=_decimal, parse_int=_integer, object_pairs_hook=_object)
    except _Repeated:
        raise _refused("An object has the same member twice", *_place_of_repetition(body), "json-duplicate") from None
    except ValueError:
        raise BadRequest("A number's exponent is out of range.", rule="json-number") from None


def _decimal(text: str) -> Decimal:
    try:
        return Spelled(text) if "e" in text or "E" in text or len(text) > MOST_DIGITS else Decimal(text)
    except InvalidOperation:
        raise ValueError("A number is out of range.") from None


def _integer(text: str) -> int | Decimal:
    """An integer, as far as JSON writers agree that it is one: 64 bits, no negative zero."""
    return int(text) if len(text) < 19 and text != "-0" else Decimal(text)


class _Repeated(Exception):
    """A name stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:]', re.DOTALL)


def _place_of_repetition(body: bytes) -> tuple[int, int]:
    """Line and column of the first name that its object has already."""
    names: list[set[str] | None] = []
    string: re.Match[bytes] | None = None
    for token in TOKEN.finditer(body):
        match token[0][:1]:
            case b"{":
                names.append(set())
            case b"[":
                names.append(None)
            case b"}" | b"]":
                names.pop()
            case b":" if string is not None and (known := names[-1]) is not None:
                name = orjson.loads(string[0])
                if name in known:
                    before = body[: string.start()]
                    return before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode()) + 1
                known.add(name)
        string = token if token[0][:1] == b'"' else None
    return 1, 1


def _refused(text: str, line: int, column: int, rule: str) -> BadRequest:
    where = f"line {line}, column {column}"
    return BadRequest(f"{text}: see {where}.", rule=rule, where=where)
