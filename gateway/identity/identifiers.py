"""Every identifier and logical reference of a draft, in its one spelling, with what is wrong and where.

https://hl7.org/fhir/R4/references.html#logical
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
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
_NAMES_SO = b'dentifier":'
"""How each member of such a name ends in JSON; quotes within a text are escaped there."""

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
    respelled: bool = False
    """Whether it says anything else than the draft: a number in another spelling, or none for a placeholder."""


def normalise(resource: Resource, own_system: str, issues: Issues, wording: bytes | None = None) -> Normal:
    """The resource with every identifier read by its register's rules.

    A placeholder is dropped, and the reference with it when nothing else says what it refers to. The issues'
    expressions are FHIRPaths within the draft. `wording` is the resource as JSON, where it is at hand: it tells how
    many identifiers there are, and mostly all of them stand near the root.
    """
    if wording is not None:
        try:
            return _near(resource, own_system, wording.count(_NAMES_SO))
        except _Far:
            pass
    made = Normal({})
    made.resource = _Walk(resource["resourceType"], own_system, issues, made).element(resource, None, root=True) or {}
    return made


def is_logical(value: dict[str, Any]) -> bool:
    """True for a Reference that says by identifier what it refers to."""
    return type(value.get("identifier")) is dict and value.keys() <= _REFERENCE


def key_of(reference: dict[str, Any]) -> Key | None:
    """What a logical reference names; without a type it names nothing."""
    identifier = reference["identifier"]
    kind, system, value = reference.get("type"), identifier.get("system"), identifier.get("value")
    # What an element other than a Reference has under these names may be anything.
    if type(kind) is str and type(system) is str and type(value) is str:
        return kind, system, value
    return None


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: equal bytes for equal values."""
    return orjson.dumps(value, default=lambda decimal: {"decimal": str(decimal)}, option=orjson.OPT_SORT_KEYS)


class _Far(Exception):
    """An identifier or reference of which only the walk can tell."""


def _near(resource: Resource, own_system: str, every: int) -> Normal:
    """What the walk finds, where all that names something stands near the root and is as it is to be.

    `every` is the number of members that name something.
    """
    made = Normal(resource)
    members = 0
    for name, value in resource.items():
        kind = type(value)
        if kind is str:
            continue
        if members + len(made.references) == every:
            break
        new = value
        if name in _IDENTIFIERS:
            members += 1
            readings = [_good(one, own_system) for one in (value if kind is list else (value,))]
            if name == "identifier":
                made.readings = readings
        elif kind is list:
            new = _each_named(value, own_system, made)
        elif kind is dict and "identifier" in value:
            new = _named(value, own_system, made)
        if new is not value:
            made.resource = resource.copy() if made.resource is resource else made.resource
            made.resource[name] = new
    if members + len(made.references) != every:
        raise _Far
    return made


def _each_named(items: list[Any], own_system: str, made: Normal) -> list[Any]:
    """The list with copies of the logical references in it, and of those right under its elements."""
    copies = items
    for place, item in enumerate(items):
        if type(item) is not dict:
            continue
        new = item
        if "identifier" in item:
            new = _named(item, own_system, made)
        else:
            for name, child in item.items():
                if type(child) is dict and "identifier" in child:
                    new = {**new, name: _named(child, own_system, made)}
        if new is not item:
            copies = items.copy() if copies is items else copies
            copies[place] = new
    return copies


def _named(reference: dict[str, Any], own_system: str, made: Normal) -> dict[str, Any]:
    """A copy of a logical reference, which is added to those of the resource."""
    identifier = reference["identifier"]
    reading = _good(identifier, own_system)
    if type(reference.get("type")) is not str or not _REFERENCE.issuperset(reference):
        raise _Far
    copy = reference.copy()
    made.references.append((copy, (copy["type"], reading.system, reading.value)))
    if "reference" in copy or "assigner" in identifier:
        made.literal = True
    return copy


def _good(identifier: Any, own_system: str) -> Reading:
    """The reading of an identifier of which nothing is to be said."""
    if type(identifier) is dict:
        system, number = identifier.get("system"), identifier.get("value")
        if type(system) is str and type(number) is str and (reading := _plain(system, number, own_system)) is not None:
            return reading
    raise _Far


@lru_cache(maxsize=8192)  # As many as are read.
def _plain(system: str, number: str, own_system: str) -> Reading | None:
    reading = read(system, number, own_system)
    if reading is None or reading.issues or (reading.system, reading.value) != (system, number):
        return None
    return reading


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
            self.made.respelled = True
            return None
        for issue in reading.issues:
            self.issues.add(replace(issue, expression=self.expression(trail)))
        if own:
            self.made.readings.append(reading)
        if reading.value == number and reading.system == system:
            return made
        self.made.respelled = True
        return {**made, "system": reading.system, "value": reading.value}

    def expression(self, trail: _Trail) -> str:
        """The FHIRPath of the place that a trail leads to."""
        path = ""
        while trail is not None:
            trail, name, index = trail
            path = f".{name}{path}" if index is None else f".{name}[{index}]{path}"
        return self.resource_type + path
