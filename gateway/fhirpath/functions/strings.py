"""String functions.

https://hl7.org/fhirpath/N1/#string-manipulation
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable
from typing import Any

from gateway.fhirpath import regex
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import listed, scalar
from gateway.fhirpath.operators import LONGEST
from gateway.fhirpath.temporal import Temporal
from gateway.fhirpath.values import Items, system


def text(value: Any) -> str:
    """A value as a string where one is needed: strings, and dates as they are written."""
    if isinstance(value, str):
        return value
    if isinstance(value, Temporal):
        return str(value)
    raise EvaluationError("A String is needed here.", "toString() makes one of a number or a Boolean.")


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise EvaluationError("A whole number is needed here.")
    return value


@scalar("indexOf", "value", result="Integer")
def index_of(value: Any, part: Any) -> int:
    return text(value).find(text(part))


@scalar("lastIndexOf", "value", result="Integer")
def last_index_of(value: Any, part: Any) -> int:
    return text(value).rfind(text(part))


@scalar("substring", "value", "value", required=1, result="String")
def substring(value: Any, start: Any, length: Any = None) -> str | None:
    whole, first = text(value), _whole(start)
    if not 0 <= first < len(whole):
        return None
    return whole[first:] if length is None else whole[first : first + max(_whole(length), 0)]


@scalar("startsWith", "value", result="Boolean")
def starts_with(value: Any, part: Any) -> bool:
    return text(value).startswith(text(part))


@scalar("endsWith", "value", result="Boolean")
def ends_with(value: Any, part: Any) -> bool:
    return text(value).endswith(text(part))


@scalar("contains", "value", result="Boolean")
def contains(value: Any, part: Any) -> bool:
    return text(part) in text(value)


@scalar("upper", result="String")
def upper(value: Any) -> str:
    return text(value).upper()


@scalar("lower", result="String")
def lower(value: Any) -> str:
    return text(value).lower()


@scalar("trim", result="String")
def trim(value: Any) -> str:
    return text(value).strip()


@scalar("length", result="Integer")
def length(value: Any) -> int:
    return len(text(value))


@scalar("replace", "value", "value", result="String")
def replace(value: Any, pattern: Any, substitution: Any) -> str:
    whole, part, new = text(value), text(pattern), text(substitution)
    _bounded(len(whole) + whole.count(part) * len(new))
    return whole.replace(part, new)


def _bounded(length: int) -> None:
    if length > LONGEST:
        raise EvaluationError("The text would become too long.", f"At most {LONGEST} characters.")


@scalar("matches", "value", result="Boolean")
def matches(value: Any, pattern: Any) -> bool:
    return regex.search(text(pattern), text(value))


@scalar("matchesFull", "value", result="Boolean")
def matches_full(value: Any, pattern: Any) -> bool:
    return regex.fullmatch(text(pattern), text(value))


@scalar("replaceMatches", "value", "value", result="String")
def replace_matches(value: Any, pattern: Any, substitution: Any) -> str:
    if not text(pattern):
        return text(value)
    return regex.replace(text(pattern), text(value), text(substitution))


@listed("toChars")
def to_chars(items: Items) -> Items:
    return [char for item in items for char in text(system(item))]


@listed("split", "value")
def split(items: Items, separator: Any) -> Items:
    if separator is None:
        return []
    # An empty separator would be an error in Python; it means the single characters.
    between = text(separator)
    texts = [text(system(item)) for item in items]
    return [part for whole in texts for part in (whole.split(between) if between else whole)]


@listed("join", "value", required=0)
def join(items: Items, separator: Any = "") -> Items:
    if not items:
        return []
    parts, between = [text(system(item)) for item in items], text(separator or "")
    _bounded(sum(map(len, parts)) + len(between) * len(parts))
    return [between.join(parts)]


_JSON_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")


def _unescape_json(value: str) -> str:
    return _JSON_ESCAPE.sub(lambda found: str(json.loads(f'"{found[0]}"')), value)


def _from_base64(value: str, *, urlsafe: bool) -> str:
    return base64.b64decode(value, altchars=b"-_" if urlsafe else None, validate=True).decode()


_ENCODINGS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "base64": (lambda v: base64.b64encode(v.encode()).decode(), lambda v: _from_base64(v, urlsafe=False)),
    "urlbase64": (lambda v: base64.urlsafe_b64encode(v.encode()).decode(), lambda v: _from_base64(v, urlsafe=True)),
    "hex": (lambda v: v.encode().hex(), lambda v: bytes.fromhex(v).decode()),
}
_ESCAPES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "html": (html.escape, html.unescape),
    "json": (lambda v: json.dumps(v, ensure_ascii=False)[1:-1], _unescape_json),
}


_MOST_GROWTH = 6
"""A character as it is escaped: `&quot;`."""


def _coded(
    table: dict[str, tuple[Callable[[str], str], Callable[[str], str]]], back: bool
) -> Callable[[Any, Any], str | None]:
    def call(value: Any, name: Any) -> str | None:
        known = table.get(text(name))
        if known is None:
            return None
        _bounded(len(text(value)) * _MOST_GROWTH)
        try:
            return known[back](text(value))
        except (binascii.Error, ValueError):
            return None

    return call


scalar("encode", "value", result="String")(_coded(_ENCODINGS, False))
scalar("decode", "value", result="String")(_coded(_ENCODINGS, True))
scalar("escape", "value", result="String")(_coded(_ESCAPES, False))
scalar("unescape", "value", result="String")(_coded(_ESCAPES, True))
