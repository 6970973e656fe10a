"""Search parameters from their table rows and from SearchParameter resources, by resource type.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.definitions.model import SearchParameter

Row = dict[str, Any]

URL = "http://hl7.org/fhir/SearchParameter/"

ORDERED = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
COMPARATORS: Mapping[str, tuple[str, ...]] = {"number": ORDERED, "date": ORDERED, "quantity": ORDERED}
MODIFIERS: Mapping[str, tuple[str, ...]] = {
    "string": ("missing", "exact", "contains"),
    "token": ("missing", "text", "not", "above", "below", "in", "not-in", "of-type"),
    "reference": ("missing", "type", "identifier", "above", "below"),
    "uri": ("missing", "above", "below"),
    "number": ("missing",),
    "date": ("missing",),
    "quantity": ("missing",),
    "composite": ("missing",),
}


def from_table(identifier: str, row: Row) -> SearchParameter:
    return _parameter(row.get("url", URL + identifier), row, row.get("component", ()))


def from_resource(resource: Row) -> SearchParameter:
    components = [(part["definition"], part["expression"]) for part in resource.get("component", ())]
    return _parameter(resource["url"], resource, components)


def _parameter(url: str, row: Row, components: Iterable[Iterable[str]]) -> SearchParameter:
    kind = row["type"]
    return SearchParameter(
        code=row["code"],
        type=kind,
        expression=row.get("expression", ""),
        target=tuple(row.get("target", ())),
        components=tuple((definition, expression) for definition, expression in components),
        url=url,
        comparators=tuple(row.get("comparator", ())) or COMPARATORS.get(kind, ()),
        modifiers=tuple(row.get("modifier", ())) or MODIFIERS.get(kind, ()),
        base=tuple(row["base"]),
    )


def for_type(parameter: SearchParameter, resource_type: str) -> SearchParameter:
    """The parameter as it applies to one of its types."""
    return replace(parameter, expression=narrowed(parameter.expression, resource_type))


def narrowed(expression: str, resource_type: str) -> str:
    """The alternatives of a parameter shared by several types that start at this type.

    `AllergyIntolerance.code | Condition.code` for Condition is `Condition.code`. An expression that names no type of
    its own is left whole.
    """
    parts = list(alternatives(expression))
    if len(parts) == 1:
        return expression
    mine = [part for part in parts if (found := HEAD.match(part)) and found[1] == resource_type]
    return " | ".join(mine) if mine else expression


HEAD = re.compile(r"\(*\s*([A-Z]\w*)\b")


def alternatives(expression: str) -> Iterator[str]:
    """The operands of `|` outside parentheses and strings."""
    depth, start, quoted = 0, 0, False
    for place, character in enumerate(expression):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "|" and depth == 0:
            yield expression[start:place].strip()
            start = place + 1
    yield expression[start:].strip()
