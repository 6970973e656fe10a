"""Lists as arguments want them: those that an expression holds for, those whose plain elements are so, some of them.

https://hl7.org/fhir/R4/graphql.html#list
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.definitions import Definitions
from gateway.errors import BadRequest
from gateway.fhirpath import Element, Environment, FHIRPathError
from gateway.fhirpath import compile as compile_path

Expression = Callable[[Any], list[Any]]


@dataclass(frozen=True, slots=True)
class Asking:
    """What expressions are asked with: `spend` is told of each value that one is asked of."""

    definitions: Definitions
    env: Environment
    spend: Callable[[int], None]
    longest: int


def expression(text: str, type: str, asking: Asking) -> Expression:
    """A FHIRPath to be asked of values of a type. BadRequest."""
    if len(text) > asking.longest:
        told = f"An expression has at most {asking.longest} characters."
        raise BadRequest(told, rule="expression-too-long", where="fhirpath")
    definitions = asking.definitions
    try:
        path = compile_path(text, type, definitions)
    except FHIRPathError as error:
        raise BadRequest(error.text, rule="expression-malformed", where="fhirpath") from error
    plain = definitions.types[type].kind == "primitive"

    def ask(value: Any) -> list[Any]:
        asking.spend(1)
        try:
            return list(path(Element(value, type) if plain else value, asking.env))
        except FHIRPathError as error:
            raise BadRequest(error.text, rule="expression-failed", where="fhirpath") from error

    return ask


def navigated(values: Sequence[Any], arguments: Mapping[str, Any], type: str, asking: Asking) -> list[Any]:
    """Those of the values that the arguments want, in their order."""
    found = list(values)
    elements = asking.definitions.types[type].elements
    for name, wanted in arguments.items():
        if name in elements and wanted is not None:
            found = [one for one in found if isinstance(one, dict) and same(one.get(name), wanted)]
    if (text := arguments.get("fhirpath")) is not None:
        ask = expression(text, type, asking)
        found = [one for one in found if ask(one) == [True]]
    offset, count = arguments.get("_offset") or 0, arguments.get("_count")
    if offset < 0 or (count is not None and count < 0):
        raise BadRequest("_offset and _count are not negative.", rule="parameter-malformed", where="_offset")
    return found[offset:] if count is None else found[offset : offset + count]


def same(value: Any, wanted: Any) -> bool:
    """Whether a plain value is what was written, with quotes or without."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    return value == wanted or (value is not None and str(value) == str(wanted))
