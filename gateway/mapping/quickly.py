"""What the short ways through FHIRPath call: steps, comparisons and texts, of source nodes and other values.

https://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from gateway import fhirpath
from gateway.fhirpath import regex
from gateway.fhirpath.navigate import own_value
from gateway.formats import Node

_NOTHING: tuple[Any, ...] = ()
PARTS = {"startsWith": str.startswith, "endsWith": str.endswith, "contains": str.__contains__}
_ALTERING: Mapping[str, Callable[..., str]] = {"replace": str.replace, "trim": str.strip}
Told = tuple[Any, int, Any]
"""The run, the site and the node: whom to tell that an operator was given what it cannot take."""


@lru_cache(maxsize=1024)
def _member(name: str) -> fhirpath.Path:
    return fhirpath.compile(f"`{name}`")


def child(item: Any, name: str) -> Sequence[Any]:
    """One step: on a source's node a look-up; a part of a resource knows choices and types."""
    try:
        found: Sequence[Any] = own_value(item) if name == "value" else item.kids.get(name, _NOTHING)
    except AttributeError:
        found = _member(name)(item) if item.__class__ is dict else _NOTHING
    return found


def down(items: Sequence[Any], names: Sequence[str]) -> Sequence[Any]:
    """Several steps, one after the other."""
    for name in names:
        if len(items) == 1:
            items = child(items[0], name)
        elif items:
            items = [found for item in items for found in child(item, name)]
    return items


def single(value: Any) -> Sequence[Any]:
    return _NOTHING if value is None else value if value.__class__ is list else (value,)


def known(variables: Mapping[str, Any], which: str, name: str) -> Sequence[Any]:
    """A fact of the source or the record."""
    value = variables[which].get(name)
    return _NOTHING if value is None else (value,)


def same(value: Any, constant: Any) -> bool:
    if isinstance(value, Node):
        value = value.value
    if value.__class__ is bool or constant.__class__ is bool:
        return value is constant
    return bool(value == constant)


def other(value: Any, constant: Any) -> bool:
    return value is not None and not same(value, constant)


def equal(items: Sequence[Any], constant: Any) -> bool:
    return len(items) == 1 and same(items[0], constant)


def unequal(items: Sequence[Any], constant: Any) -> bool:
    return len(items) > 1 or (len(items) == 1 and not same(items[0], constant))


def among(items: Sequence[Any], options: tuple[str, ...], told: Told) -> bool:
    if len(items) > 1:
        told[0].refused(told[1], told[2])
        return False
    return len(items) == 1 and any(same(items[0], option) for option in options)


def not_among(items: Sequence[Any], options: tuple[str, ...], told: Told) -> bool:
    if len(items) > 1:
        told[0].refused(told[1], told[2])
        return False
    return len(items) == 1 and not any(same(items[0], option) for option in options)


def matches(items: Sequence[Any], pattern: str, told: Told) -> bool:
    return _searched(items, pattern, told) is True


def not_matches(items: Sequence[Any], pattern: str, told: Told) -> bool:
    return _searched(items, pattern, told) is False


def has_part(items: Sequence[Any], name: str, part: str, wanted: bool, told: Told) -> bool:
    """Whether a text begins with another, ends with it or holds it, is as wanted."""
    value = _text(items, told)
    return value is not None and PARTS[name](value, part) is wanted


def _searched(items: Sequence[Any], pattern: str, told: Told) -> bool | None:
    value = _text(items, told)
    return None if value is None else regex.search(pattern, value)


def altered(items: Sequence[Any], name: str, arguments: tuple[str, ...], told: Told) -> str | None:
    """A text with something replaced, or trimmed."""
    value = _text(items, told)
    if value is None:
        return None
    made: str = _ALTERING[name](value, *arguments)
    return made


def _text(items: Sequence[Any], told: Told) -> str | None:
    """The one text that there is; nothing where there is none, or something else, which is told."""
    if not items:
        return None
    value = items[0].value if isinstance(items[0], Node) else items[0]
    if len(items) > 1 or not isinstance(value, str):
        told[0].refused(told[1], told[2])
        return None
    return value


def joined(told: Told, *operands: Sequence[Any]) -> str | None:
    """`&`: what is not there is an empty string."""
    if any(len(items) > 1 for items in operands):
        told[0].refused(told[1], told[2])
        return None
    return text(told, *(items[0] for items in operands if items))


def text(told: Told, *operands: Any) -> str | None:
    """`&` of what can have one value at most."""
    made = ""
    for operand in operands:
        value = operand.value if isinstance(operand, Node) else operand
        if isinstance(value, str):
            made += value
        elif operand is not None:
            told[0].refused(told[1], told[2])
            return None
    return made


def first(items: Sequence[Any]) -> Any:
    return items[0] if items else None


HELPERS: dict[str, Any] = {
    "_child": child,
    "_down": down,
    "_single": single,
    "_known": known,
    "_is": same,
    "_is_not": other,
    "_equal": equal,
    "_unequal": unequal,
    "_among": among,
    "_not_among": not_among,
    "_matches": matches,
    "_not_matches": not_matches,
    "_has_part": has_part,
    "_altered": altered,
    "_joined": joined,
    "_text": text,
    "_first": first,
    "_E": _NOTHING,
}
