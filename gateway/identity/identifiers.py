"""Every identifier and logical reference of a draft, in its one spelling, with what is wrong and where.

https://hl7.org/fhir/R4/references.html#logical
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from gateway.identity.numbers import Reading, read
from gateway.issues import Issues
from gateway.records import Resource

Key = tuple[str, str, str]
"""Resource type, identifier system, identifier value."""
Named = tuple[dict[str, Any], Key]
"""A reference by identifier, and the key that it names."""

_REFERENCE = frozenset({"reference", "type", "identifier", "display", "id", "extension"})
_IDENTIFIERS = frozenset({"identifier", "groupIdentifier", "masterIdentifier"})

_Trail = tuple[Any, str, int | None] | None
"""The way down to an element: the trail before it, its name, its place in a list."""


@dataclass(slots=True)
class Normal:
    """A draft's resource in its one spelling; what is spelled so already is shared with the draft."""

    resource: Resource
    readings: list[Reading] = field(default_factory=list)
    """Of the resource's own identifiers."""
    references: list[Named] = field(default_factory=list)
    """Every logical reference in it, in the order of the resource; each is a copy, and may be filled in."""
    literal: bool = False
    """Whether one of them, or what assigned a number in one, has a literal already."""


def normalise(resource: Resource, own_system: str, issues: Issues) -> Normal:
    """The resource with every identifier read by its register's rules.

    A placeholder is dropped, and the reference with it when nothing else says what it refers to. The issues'
    expressions are FHIRPaths within the draft.
    """
    made = Normal({})
    made.resource = _Walk(resource["resourceType"], own_system, issues, made).element(resource, None, root=True) or {}
    return made


def is_logical(value: dict[str, Any]) -> bool:
    """True for a Reference that says by identifier what it refers to."""
    return type(value.get("identifier")) is dict and value.keys() <= _REFERENCE


def key_of(reference: dict[str, Any]) -> Key | None:
    """What a logical reference names; without a type it names nothing."""
    identifier = reference["identifier"]
    if "type" in reference and "system" in identifier and "value" in identifier:
        return reference["type"], identifier["system"], identifier["value"]
    return None


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: equal bytes for equal values."""
    return orjson.dumps(value, default=lambda decimal: {"decimal": str(decimal)}, option=orjson.OPT_SORT_KEYS)


class _Walk:
    """One walk for everything: it is made for each draft."""

    def __init__(self, resource_type: str, own_system: str, issues: Issues, made: Normal) -> None:
        self.resource_type = resource_type
        self.own_system = own_system
        self.issues = issues
        self.made = made

    def element(self, value: dict[str, Any], trail: _Trail, *, root: bool = False) -> dict[str, Any] | None:
        """The element in its one spelling; None where nothing is left of a reference."""
        logical = not root and "identifier" in value and is_logical(value)
        before = len(self.made.references) if logical else 0
        made = value.copy() if logical else value
        for name, child in value.items():
            kind = type(child)
            if kind is str:
                continue
            new: Any
            if kind is dict:
                new = self.child(name, child, (trail, name, None), root, logical)
            elif kind is list:
                new = self.items(name, child, trail, root, logical)
            else:
                continue
            if new is not child:
                made = value.copy() if made is value else made
                if new is None:
                    del made[name]
                else:
                    made[name] = new
        if logical:
            del self.made.references[before:]  # What an extension of it refers to is not what it refers to.
            if made.keys() <= {"type", "id"}:
                return None
            self.made.literal |= "reference" in made
            if "identifier" in made and (key := key_of(made)):
                self.made.references.append((made, key))
        return made

    def items(self, name: str, values: list[Any], trail: _Trail, root: bool, in_reference: bool) -> list[Any] | None:
        """The elements of a list; None where none is left."""
        made: list[Any] | None = None
        for index, item in enumerate(values):
            new = item
            if type(item) is dict:
                new = self.child(name, item, (trail, name, index), root, in_reference)
            if made is None:
                if new is item:
                    continue
                made = values[:index]
            if new is not None or item is None:
                made.append(new)
        return (values if made is None else made) or None

    def child(
        self, name: str, value: dict[str, Any], trail: _Trail, root: bool, in_reference: bool
    ) -> dict[str, Any] | None:
        if name in _IDENTIFIERS:
            return self.identifier(value, trail, own=root and name == "identifier", in_reference=in_reference)
        return self.element(value, trail)

    def identifier(
        self, value: dict[str, Any], trail: _Trail, *, own: bool, in_reference: bool
    ) -> dict[str, Any] | None:
        system, number = value.get("system"), value.get("value")
        whole = type(system) is str and type(number) is str
        # Whoever assigned the identifier in a reference is not what is referred to.
        if in_reference:
            made = value
            self.made.literal |= "assigner" in value
        elif whole and len(value) == 2:
            made = value
        else:
            made = self.element(value, trail) or {}
        if not whole:
            return made
        reading = read(system, number, self.own_system)
        if reading is None:
            text = "A placeholder stands where a number should be: left out. Send the number, or nothing."
            self.issues.information("value", "identifier-placeholder", text, expression=self.expression(trail))
            return None
        for issue in reading.issues:
            self.issues.add(replace(issue, expression=self.expression(trail)))
        if own:
            self.made.readings.append(reading)
        if reading.value == number and reading.system == system:
            return made
        return {**made, "system": reading.system, "value": reading.value}

    def expression(self, trail: _Trail) -> str:
        """The FHIRPath of the place that a trail leads to."""
        path = ""
        while trail is not None:
            trail, name, index = trail
            path = f".{name}{path}" if index is None else f".{name}[{index}]{path}"
        return self.resource_type + path
