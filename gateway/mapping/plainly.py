"""Parts of a FHIR resource that are copied as they stand, because all in them is plainly what R4 says.

Most of what FHIR sources send is so: then no node is made for each value, and none is converted one by one. Anything
else, from an extension beside a primitive to a blank at a text's end, goes the long way through `convert.copied`, which
tells what is wrong; tests hold both ways to the same answers.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from gateway.definitions import ElementDef, load
from gateway.mapping import primitives
from gateway.mapping.times import Unfit


class _Otherwise(Exception):
    """This has to go the long way."""


class Expected(NamedTuple):
    """What an element holds: a list, or one; values that convert to themselves, or parts of another type."""

    many: bool
    plain: Callable[[str], bool] | None
    convert: primitives.Convert | None
    type: str


def copy(raw: dict[str, Any], type_name: str, zone: tzinfo, tick: Callable[[], None]) -> Any:
    """A copy of a part of this type; None where the long way has to be gone. `tick` is called for each element."""
    try:
        return _part(raw, type_name, zone, tick)
    except (_Otherwise, Unfit):
        return None


def _part(raw: Any, type_name: str, zone: tzinfo, tick: Callable[[], None]) -> dict[str, Any]:
    if raw.__class__ is not dict or not raw:
        raise _Otherwise
    known = _elements(type_name)
    found: dict[str, Any] = {}
    for name, value in raw.items():
        expected = known.get(name)
        if expected is None:
            raise _Otherwise
        tick()
        many, plain, convert, inner = expected
        if many:
            if value.__class__ is not list or not value:
                raise _Otherwise
            if convert is None:
                found[name] = [_part(item, inner, zone, tick) for item in value]
            else:
                found[name] = [_value(item, plain, convert, zone) for item in value]
        elif convert is None:
            found[name] = _part(value, inner, zone, tick)
        else:
            found[name] = _value(value, plain, convert, zone)
    reference = found.get("reference")
    if reference.__class__ is str and reference.startswith("urn:"):  # The message may know of what type it is.
        raise _Otherwise
    return found


def _value(value: Any, plain: Callable[[str], bool] | None, convert: primitives.Convert, zone: tzinfo) -> Any:
    kind = value.__class__
    if kind is str and plain is not None and plain(value):
        return value
    if kind is dict or kind is list or value is None or value == "":
        raise _Otherwise
    converted = convert(value, zone, _otherwise)
    if converted != value or converted.__class__ is not kind:
        raise _Otherwise
    return value


def _otherwise() -> NoReturn:
    raise _Otherwise


@lru_cache(maxsize=4096)
def _elements(type_name: str) -> dict[str, Expected]:
    """The elements of a type that are copied; of one that is not known, and of open ones, none."""
    known = load().types.get(type_name)
    return {} if known is None else {name: _expected(element) for name, element in known.elements.items()}


def _expected(element: ElementDef) -> Expected:
    name = element.type
    return Expected(element.is_list, primitives.PLAIN.get(name), primitives.CONVERT.get(name), name)
