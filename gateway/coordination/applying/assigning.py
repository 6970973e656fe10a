"""Values put into a resource that is being made, where its type says they go.

https://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action.dynamicValue.path
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.definitions import Definitions, ElementDef
from gateway.definitions.model import TypeDef
from gateway.errors import Unprocessable
from gateway.fhirpath import Element, Quantity
from gateway.records import Resource

_STEP: Final = re.compile(r"([a-z][A-Za-z0-9]{0,63})(?:\[(x|[0-9]{1,2})\])?")
_MOST_STEPS: Final = 10
_UCUM: Final = "http://unitsofmeasure.org"
_WIDER: Final = {"date": "dateTime", "instant": "dateTime", "code": "string", "integer": "decimal"}
"""Types that hold what another one does."""
_SYSTEM: Final = {bool: "boolean", str: "string", int: "integer", Decimal: "decimal", Quantity: "Quantity"}


def element_of(kind: TypeDef, name: str, type: str | None = None) -> ElementDef | None:
    """The element of a name, as JSON has it; `type` decides of a choice that is named without it."""
    if name in kind.elements:
        return kind.elements[name]
    choices = kind.choices.get(name, {})
    found = (
        choices.get(type or "")
        or choices.get(_WIDER.get(type or "", ""))
        or (next(iter(choices.values())) if len(choices) == 1 else None)
    )
    return kind.elements.get(found) if found else None


def put(resource: Resource, element: ElementDef, value: Any) -> None:
    """Put a value there: into the list where it is one."""
    if element.is_list:
        resource.setdefault(element.name, []).extend(value if isinstance(value, list) else [value])
    else:
        resource[element.name] = value


def assign(resource: Resource, path: str, values: Sequence[Any], d: Definitions, where: str) -> None:
    """Put the values of an expression at a path of the resource, in the place of what is there. Unprocessable."""
    steps = path.removeprefix("%action.").removeprefix(f"{resource['resourceType']}.").split(".")
    holder, kind = resource, d.types[resource["resourceType"]]
    for number, step in enumerate(steps):
        parts = _STEP.fullmatch(step)
        last = number == len(steps) - 1
        type = _type_of(values[0]) if last and values else None
        element = element_of(kind, parts[1], type) if parts else None
        if parts is None or element is None or len(steps) > _MOST_STEPS:
            text = f"The path leads to no element of {resource['resourceType']}: write names with dots between them."
            raise Unprocessable(text, rule="dynamic-path-unknown", expression=f"{where}.path")
        place = int(parts[2]) if parts[2] and parts[2] != "x" else None
        if last:
            _set(holder, element, place, [plain(value, element.type) for value in values])
            return
        if element.is_list:
            items = holder.setdefault(element.name, [])
            while len(items) <= (place or 0):
                items.append({})
            holder = items[place or 0]
        else:
            holder = holder.setdefault(element.name, {})
        kind = d.types[element.type]


def _set(holder: Resource, element: ElementDef, place: int | None, values: list[Any]) -> None:
    if not values:
        holder.pop(element.name, None)
    elif not element.is_list:
        holder[element.name] = values[0]
    elif place is None:
        holder[element.name] = values
    else:
        items = holder.setdefault(element.name, [])
        items[place : place + 1] = values[:1]


def plain(value: Any, type: str) -> Any:
    """The value as JSON has it in an element of this type."""
    if isinstance(value, Element):
        found: Any = value.value
        if type == "CodeableConcept" and value.type == "Coding":
            return {"coding": [found]}
        if type == "CodeableConcept" and isinstance(found, str):
            return {"text": found}
        if type == "Reference" and isinstance(found, dict) and "resourceType" in found:
            return {"reference": f"{found['resourceType']}/{found.get('id', '')}"}
        return found
    if isinstance(value, Quantity):
        unit = (
            {"unit": value.unit}
            if value.calendar or value.unit == "1"
            else {"unit": value.unit, "system": _UCUM, "code": value.unit}
        )
        return {"value": value.value} | unit
    if isinstance(value, dict) and type == "Reference" and "resourceType" in value:
        return {"reference": f"{value['resourceType']}/{value.get('id', '')}"}
    if isinstance(value, bool | int | Decimal | dict):
        return value
    text = str(value)
    if type == "CodeableConcept":
        return {"text": text}
    return {"reference": text} if type == "Reference" else text


def _type_of(value: Any) -> str | None:
    if isinstance(value, Element):
        return value.type
    name = _SYSTEM.get(type(value))
    return name or {"Date": "date", "DateTime": "dateTime", "Time": "time"}.get(type(value).__name__)
