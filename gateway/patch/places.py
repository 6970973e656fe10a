"""Where a value stands in a resource: a copy in which every value, primitives too, has an object of its own.

In FHIR's JSON a primitive's id and extensions stand beside it, in `_name`. In a tracked copy each primitive has such
an object, empty where there is nothing to say; FHIRPath hands it on with the value, and by its identity the place is
found again, whatever way the path took.

https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from gateway.definitions import Definitions, ElementDef
from gateway.records import Resource


@dataclass(frozen=True, slots=True)
class Place:
    """An element in the object that holds it; `index` where it is one of a list."""

    holder: Resource
    element: ElementDef
    index: int | None

    def take(self) -> None:
        """Take the element out, with what stands beside it."""
        for key in (self.element.name, "_" + self.element.name):
            if key not in self.holder:
                continue
            if self.index is not None:
                del self.holder[key][self.index]
            if self.index is None or not self.holder[key]:
                del self.holder[key]


def tracked(value: Resource) -> Resource:
    """A copy in which each primitive has an object beside it."""
    copy: Resource = {}
    for name in dict.fromkeys(key.removeprefix("_") for key in value):
        content, beside = value.get(name), value.get("_" + name)
        if name == "resourceType":
            copy[name] = content
        elif type(content) is list or type(beside) is list:
            _track_list(copy, name, content or [], beside or [])
        elif type(content) is dict:
            copy[name] = tracked(content)
        else:
            if content is not None:
                copy[name] = content
            copy["_" + name] = tracked(beside or {})
    return copy


def _track_list(copy: Resource, name: str, content: list[Any], beside: list[Any]) -> None:
    if content and type(content[0]) is dict:
        copy[name] = [tracked(one) for one in content]
        return
    pairs = list(zip_longest(content, beside))
    copy[name] = [one for one, _ in pairs]
    copy["_" + name] = [tracked(about or {}) for _, about in pairs]


def plain(value: Resource) -> Resource:
    """The resource that a tracked copy stands for, without the objects that say nothing."""
    result: Resource = {}
    for name, one in value.items():
        if type(one) is dict:
            content: Any = plain(one)
        elif type(one) is list:
            content = _plain_list(one, keep_places=name[0] == "_")
        else:
            content = one
        if content is not None and content != {}:
            result[name] = content
    return result


def _plain_list(items: list[Any], *, keep_places: bool) -> list[Any] | None:
    """The same for a list; what stands beside values keeps its place, an object that was emptied goes."""
    found = [(plain(item) or None) if type(item) is dict else item for item in items]
    if not any(item is not None for item in found):
        return None
    if not keep_places:
        return [one for one, item in zip(found, items, strict=True) if one is not None or item is None]
    return found


def size(value: Any) -> int:
    """How many values there are in a value, itself among them."""
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return 1 + sum(map(size, inner))


def locate(root: Resource, wanted: Resource, d: Definitions) -> Place | None:
    """The place of the value whose own object is `wanted`; None where the definitions know no such place."""
    ahead: list[tuple[Resource, str]] = [(root, str(root.get("resourceType")))]
    while ahead:
        holder, kind = ahead.pop()
        elements = d.types[kind].elements
        for name, index, item in _objects(holder):
            element = elements.get(name.removeprefix("_"))
            if element is None:
                continue
            if item is wanted:
                return Place(holder, element, index)
            inner = "Element" if name[0] == "_" else str(item.get("resourceType", element.type))
            ahead.append((item, inner))
    return None


def _objects(holder: Resource) -> Iterator[tuple[str, int | None, Resource]]:
    for name, content in holder.items():
        if type(content) is dict:
            yield name, None, content
        elif type(content) is list:
            yield from ((name, index, item) for index, item in enumerate(content) if type(item) is dict)
