"""An agreed resource in one order of its members, with its marks: equal content is equal bytes.

https://hl7.org/fhir/R4/resource.html#tags
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.definitions import CANONICAL
from gateway.records import Resource

MARKS = f"{CANONICAL}/CodeSystem/mark"
_FIRST = ("resourceType", "id", "meta", "text", "contained", "extension", "modifierExtension", "identifier", "status")
_EARLY = {
    name: n for n, name in enumerate(("id", "url", "use", "reference", "type", "system", "code", "value", "start"))
}


def laid_out(kind: str, id: str, agreed: Resource, marks: Iterable[str]) -> Resource:
    """The resource in one order of its members, marked."""
    made: Resource = {"resourceType": kind, "id": id}
    meta = dict(agreed.pop("meta", {}))
    tags = [tag for tag in meta.pop("tag", []) if tag.get("system") != MARKS]
    tags += [{"system": MARKS, "code": mark} for mark in sorted(marks)]
    if tags:
        meta["tag"] = tags
    if meta:
        agreed["meta"] = meta
    made |= {name: _ordered(agreed[name]) for name in _FIRST if name in agreed}
    return made | {name: _ordered(agreed[name]) for name in sorted(agreed.keys() - made.keys())}


def _ordered(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        names = sorted(value, key=_place) if len(value) > 1 else value
        return {name: _ordered(value[name]) if type(value[name]) in _NESTED else value[name] for name in names}
    if kind is list:
        return [_ordered(child) if type(child) in _NESTED else child for child in value]
    return value


def _place(name: str) -> tuple[int, str]:
    return _EARLY.get(name, 99), name


_NESTED = (dict, list)
