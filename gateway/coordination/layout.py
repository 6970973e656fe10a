"""An agreed resource in one order of its members, with its marks: equal content is equal bytes.

https://hl7.org/fhir/R4/resource.html#tags
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from gateway.definitions import CANONICAL
from gateway.identity.identifiers import Key, is_logical, key_of
from gateway.records import Resource

MARKS = f"{CANONICAL}/CodeSystem/mark"
_FIRST = ("resourceType", "id", "meta", "text", "contained", "extension", "modifierExtension", "identifier", "status")
_EARLY = ("id", "url", "use", "reference", "type", "system", "code", "value", "start")


def laid_out(kind: str, id: str, agreed: Resource, marks: Collection[str], known: Mapping[Key, str]) -> Resource:
    """The resource in one order of its members, marked; what it says of a `known` target by identifier is literal."""
    made: Resource = {"resourceType": kind, "id": id}
    if marks or "meta" in agreed:
        meta = dict(agreed.pop("meta", {}))
        tags = [tag for tag in meta.pop("tag", []) if tag.get("system") != MARKS]
        tags += [{"system": MARKS, "code": mark} for mark in sorted(marks)]
        if tags:
            meta["tag"] = tags
        if meta:
            agreed["meta"] = meta
    for name in _in_order(tuple(agreed), _FIRST):
        value = agreed[name]
        kind_of = type(value)
        made[name] = (
            _object(value, known) if kind_of is dict else _each_laid_out(value, known) if kind_of is list else value
        )
    return made


def marks_of(resource: Resource) -> frozenset[str]:
    """The marks that a resource was laid out with."""
    tags = resource.get("meta", {}).get("tag", ())
    return frozenset(tag["code"] for tag in tags if tag.get("system") == MARKS and "code" in tag)


def _object(value: dict[str, Any], known: Mapping[Key, str]) -> dict[str, Any]:
    """The object in its order; what is so already is the object itself."""
    order, awaits = _shape(tuple(value))
    made = value if order is None else {name: value[name] for name in order}
    for name, child in value.items():
        kind = type(child)
        if kind is str:
            continue
        new = _object(child, known) if kind is dict else _each_laid_out(child, known) if kind is list else child
        if new is not child:
            made = value.copy() if made is value else made
            made[name] = new
    if awaits and is_logical(made):
        key = key_of(made)
        if key is not None and key in known:
            made = {**made, "reference": f"{key[0]}/{known[key]}"}
    return made


def _each_laid_out(items: list[Any], known: Mapping[Key, str]) -> list[Any]:
    made = items
    for place, child in enumerate(items):
        kind = type(child)
        if kind is str:
            continue
        new = _object(child, known) if kind is dict else _each_laid_out(child, known) if kind is list else child
        if new is not child:
            made = items.copy() if made is items else made
            made[place] = new
    return made


@lru_cache(maxsize=4096)  # Elements come in few shapes.
def _shape(names: tuple[str, ...]) -> tuple[tuple[str, ...] | None, bool]:
    """The order of these members, where it is not theirs; and whether they may be a reference without a literal."""
    order = _in_order(names, _EARLY)
    return None if order == names else order, "identifier" in names and "reference" not in names


@lru_cache(maxsize=4096)
def _in_order(names: tuple[str, ...], first: tuple[str, ...]) -> tuple[str, ...]:
    """Names of members in their order: some first, then by the alphabet."""
    return tuple(sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name)))
