"""Nodes of a FHIR resource, each with its type: choices by both of their names, primitives with their extensions.

https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from itertools import zip_longest
from typing import Any

from gateway.definitions import TypeDef, load
from gateway.formats.json import JsonNode
from gateway.formats.node import LEAF, FhirType, Kids, Node

_OPEN = frozenset(("Resource", "DomainResource"))
"""Types of elements that hold any resource, which says itself what it is."""


class FhirNode(JsonNode):
    """A JSON object of FHIR's. A resource says its type itself; a part has the one that its owner's definition says."""

    __slots__ = ()

    def __init__(self, name: str, raw: dict[str, Any], pos: Any, type: FhirType | None = None) -> None:
        super().__init__(name, raw, pos)
        kind = raw.get("resourceType")
        self.type = _named(kind) if isinstance(kind, str) and (type is None or type in _OPEN) else type

    def split(self) -> Kids:
        raw, pos = self.raw, self.pos
        known = _definition(self.type) if self.type is not None else None
        kids: Kids = _Choices(known.choices) if known is not None and known.choices else {}
        elements = known.elements if known is not None else {}
        for name, value in raw.items():
            plain = name.removeprefix("_")
            element = elements.get(plain)
            kind = None if element is None else _named(element.type)
            if plain == name and "_" + name not in raw:
                nodes = _nodes(name, value, (pos, name), kind)
            elif plain == name or plain not in raw:
                nodes = _primitives(plain, raw.get(plain), (pos, name), raw["_" + plain], (pos, "_" + plain), kind)
            else:
                continue
            if nodes:
                kids[plain] = nodes
        reference = raw.get("reference")
        if isinstance(reference, str) and reference.startswith("urn:") and "type" not in raw:
            told = _message(pos).get(reference)
            if told is not None:
                kids["type"] = [Node("type", told, LEAF, _named("uri"), (pos, "reference"))]
        return kids


class _Choices(dict[str, list[Node]]):
    """Children, where a choice element is found by its name in FHIRPath as well: `value` for `valueQuantity`."""

    __slots__ = ("choices",)

    def __init__(self, choices: Mapping[str, Mapping[str, str]]) -> None:
        self.choices = choices

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        for key in self.choices.get(name, {}).values():
            if key in self:
                return self[key]
        return default


@cache
def _named(name: str) -> FhirType:
    return FhirType(name)


@cache
def _definition(name: str) -> TypeDef | None:
    return load().types.get(name)


def _nodes(name: str, value: Any, pos: Any, kind: FhirType | None) -> list[Node]:
    if value.__class__ is list:
        return [node for index, item in enumerate(value) for node in _nodes(name, item, (pos, index), kind)]
    if value.__class__ is dict:
        return [FhirNode(name, value, pos, kind)]
    return [] if value is None else [Node(name, value, LEAF, kind, pos)]


def _primitives(name: str, value: Any, pos: Any, twin: Any, twin_pos: Any, kind: FhirType | None) -> list[Node]:
    """Values with their extensions, which stand in two arrays of one length where the element repeats."""
    if isinstance(value, list) or isinstance(twin, list):
        pairs = zip_longest(value if isinstance(value, list) else (), twin if isinstance(twin, list) else ())
        return [
            node
            for index, (one, other) in enumerate(pairs)
            for node in _primitives(name, one, (pos, index), other, (twin_pos, index), kind)
        ]
    kids = FhirNode(name, twin, twin_pos, _named("Element")).kids if isinstance(twin, dict) else LEAF
    if isinstance(value, str | int | Decimal):
        return [Node(name, value, kids, kind, pos)]
    return [Node(name, None, kids, kind, twin_pos)] if kids else []


def _message(pos: Any) -> dict[str, str]:
    """What the whole message knows, which stands at the root of every position."""
    while pos[0] is not None:
        pos = pos[0]
    types: dict[str, str] = pos[2]
    return types
