"""From an item to its children, whatever kind of tree it stands in.

https://hl7.org/fhirpath/N1/#path-selection
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.model import Field, Model
from gateway.fhirpath.quantity import Quantity
from gateway.fhirpath.values import SYSTEM, Element, Items, TypeInfo, system

_NOTHING: tuple[Any, ...] = ()
_INFO = {
    TypeInfo: {"name": lambda item: item.name, "namespace": lambda item: item.namespace},
    Quantity: {"value": lambda item: item.value, "unit": lambda item: item.unit},
}


def step(item: Any, name: str, model: Model) -> Sequence[Any]:
    """The children of an item by that name; none where there is no such element."""
    kind = type(item)
    if kind is Element:
        value = item.value
        if type(value) is not dict:
            return _of_meta(item, name)
        if item.type is None:
            return _untyped(value, name)
        field = model.fields(item.type).get(name)
        return _NOTHING if field is None else of_field(value, field)
    if kind in _INFO:
        getter = _INFO[kind].get(name)
        return _NOTHING if getter is None else [getter(item)]
    if kind in SYSTEM:
        return _NOTHING
    if name == "value":
        return own_value(item)
    found: Sequence[Any] = item.kids.get(name, _NOTHING)
    return found


def own_value(node: Any) -> Sequence[Any]:
    """The `value` of a node: a child of that name or, as FHIR primitives have it, what the node itself holds."""
    found: Sequence[Any] | None = node.kids.get("value")
    return found or ([node] if node.value is not None else _NOTHING)


def of_field(value: Mapping[str, Any], field: Field) -> Items:
    found: Items = []
    for key, type in field.keys:
        content = value.get(key)
        meta = value.get("_" + key)
        if content is None and meta is None:
            continue
        if field.many:
            contents = content if isinstance(content, list) else []
            metas = meta if isinstance(meta, list) else []
            for i in range(max(len(contents), len(metas))):
                part = contents[i] if i < len(contents) else None
                about = metas[i] if i < len(metas) else None
                if part is not None or about is not None:
                    found.append(Element(part, _actual(part, type), about))
        else:
            found.append(Element(content, _actual(content, type), meta))
    return found


def _actual(value: Any, type: str) -> str:
    """The type of a value: a contained resource says its own."""
    if isinstance(value, dict) and (own := value.get("resourceType")) is not None:
        return str(own)
    return type


def _of_meta(item: Element, name: str) -> Items:
    """A primitive has an id and extensions, which JSON keeps beside it."""
    if item.meta is None:
        return []
    if name == "extension":
        return [Element(extension, "Extension") for extension in item.meta.get("extension", _NOTHING)]
    if name == "id" and "id" in item.meta:
        return [Element(item.meta["id"], "string")]
    return []


def _untyped(value: Mapping[str, Any], name: str) -> Items:
    content = value.get(name)
    if content is None:
        return []
    parts = content if isinstance(content, list) else [content]
    return [_untyped_item(part) for part in parts if part is not None]


def _untyped_item(part: Any) -> Any:
    if isinstance(part, dict):
        return Element(part, part.get("resourceType"))
    return Decimal(str(part)) if isinstance(part, float) else part


def children(item: Any, model: Model) -> Iterator[Any]:
    """All children, in the order of the definition (JSON has none of its own)."""
    kind = type(item)
    if kind is Element:
        value = item.value
        if type(value) is not dict:
            yield from _of_meta(item, "extension")
        elif item.type is None:
            for name in value:
                yield from _untyped(value, name)
        else:
            for field in model.fields(item.type).values():
                yield from of_field(value, field)
    elif kind not in SYSTEM and kind not in _INFO:
        for kids in item.kids.values():
            yield from kids


_MAX_DESCENDANTS = 1_000_000


def descendants(items: Sequence[Any], model: Model) -> Items:
    """All levels below, level by level; the items themselves are not among them."""
    found: Items = []
    level = list(items)
    while level:
        level = [child for item in level for child in children(item, model)]
        found.extend(level)
        if len(found) > _MAX_DESCENDANTS:
            raise EvaluationError("There are too many descendants.", f"At most {_MAX_DESCENDANTS}.")
    return found


def at_index(items: Sequence[Any], index: Any) -> Items:
    position = system(index)
    if position is None:
        return []
    if type(position) is not int:
        raise EvaluationError("An index is a whole number.")
    return [items[position]] if 0 <= position < len(items) else []
