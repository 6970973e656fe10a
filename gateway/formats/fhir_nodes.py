"""Nodes of a FHIR resource, each with its type: choices by both of their names, primitives with their extensions.

https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from gateway.definitions import load
from gateway.formats.json import JsonNode
from gateway.formats.node import LEAF, FhirType, Kids, Node

Choices = Mapping[str, Mapping[str, str]]
_OPEN = frozenset(("Resource", "DomainResource"))
"""Types of elements that hold any resource, which says itself what it is."""


class FhirNode(JsonNode):
    """A JSON object of FHIR's. A resource says its type itself; a part has the one that its owner's definition says."""

    __slots__ = ()

    def __init__(self, name: str, raw: dict[str, Any], pos: Any, type: FhirType | None = None) -> None:
        self.name = name
        self.value = None
        self.pos = pos
        self.raw = raw
        self.type = type
        if type is None or type in _OPEN:
            kind = raw.get("resourceType")
            if isinstance(kind, str):
                self.type = _named(kind)

    def split(self) -> Kids:
        raw, pos = self.raw, self.pos
        types, choices = _elements(self.type)
        kids: Kids = _Choices(choices) if choices else {}
        for name, value in raw.items():
            plain = name
            if name[:1] == "_":
                plain = name[1:]
                if plain in raw:
                    continue
                nodes = _primitives(plain, None, (pos, name), value, (pos, name), types.get(plain))
            elif (twin := "_" + name) in raw:
                nodes = _primitives(name, value, (pos, name), raw[twin], (pos, twin), types.get(name))
            elif value.__class__ is str:  # As most are.
                nodes = [Node(name, value, LEAF, types.get(name), (pos, name))]
            else:
                nodes = _nodes(name, value, (pos, name), types.get(name))
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

    def __init__(self, choices: Choices) -> None:
        self.choices = choices

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        for key in self.choices.get(name, {}).values():
            if key in self:
                return self[key]
        return default


@lru_cache(maxsize=4096)
def _named(name: str) -> FhirType:
    return FhirType(name)


@lru_cache(maxsize=4096)
def _elements(name: str | None) -> tuple[Mapping[str, FhirType], Choices]:
    """The types of a type's elements by their names, and its choices; nothing of what the definitions do not know."""
    known = load().types.get(name or "")
    if known is None:
        return {}, {}
    return {name: _named(element.type) for name, element in known.elements.items()}, known.choices


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
