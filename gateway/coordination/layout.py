"""An agreed resource in one order of its members, with its marks: equal content is equal bytes.

https://hl7.org/fhir/R4/resource.html#tags
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from gateway.definitions import CANONICAL
from gateway.identity.identifiers import Key, is_logical, key_of
from gateway.records import Resource

MARKS = f"{CANONICAL}/CodeSystem/mark"
_FIRST = ("resourceType", "id", "meta", "text", "contained", "extension", "modifierExtension", "identifier", "status")
_EARLY = ("id", "url", "use", "reference", "type", "system", "code", "value", "start")


def laid_out(kind: str, id: str, agreed: Resource, marks: Iterable[str], known: Mapping[Key, str]) -> Resource:
    """The resource in one order of its members, marked; what it says of a `known` target by identifier is literal."""
    made: Resource = {"resourceType": kind, "id": id}
    meta = dict(agreed.pop("meta", {}))
    tags = [tag for tag in meta.pop("tag", []) if tag.get("system") != MARKS]
    tags += [{"system": MARKS, "code": mark} for mark in sorted(marks)]
    if tags:
        meta["tag"] = tags
    if meta:
        agreed["meta"] = meta
    return made | {name: _laid_out(agreed[name], known) for name in _in_order(tuple(agreed), _FIRST)}


def _laid_out(value: Any, known: Mapping[Key, str]) -> Any:
    kind = type(value)
    if kind is dict:
        made = {
            name: _laid_out(child, known) if type(child := value[name]) is dict or type(child) is list else child
            for name in _in_order(tuple(value), _EARLY)
        }
        if "identifier" in made and "reference" not in made and is_logical(made):
            key = key_of(made)
            if key is not None and key in known:
                made["reference"] = f"{key[0]}/{known[key]}"
        return made
    if kind is list:
        return [_laid_out(child, known) if type(child) is dict or type(child) is list else child for child in value]
    return value


@lru_cache(maxsize=4096)  # Elements come in few shapes.
def _in_order(names: tuple[str, ...], first: tuple[str, ...]) -> tuple[str, ...]:
    """Names of members in their order: some first, then by the alphabet."""
    return tuple(sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name)))
