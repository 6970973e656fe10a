"""What an expression works on: system values, elements of FHIR JSON, nodes of other formats; and how they compare.

A system value is a plain `bool`, `str`, `int`, `Decimal`, a temporal or a Quantity. A part of a FHIR resource is an
`Element`, because JSON does not say of which type it is. Any other tree takes part by its `name`, `value` and `kids`
(the source nodes of `gateway.formats` do). https://hl7.org/fhirpath/N1/#fhirpath-model
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.fhirpath import quantity, temporal
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.quantity import Quantity
from gateway.fhirpath.temporal import Date, DateTime, Temporal, Time

Items = list[Any]


class Element:
    """A value out of FHIR JSON with its type; `meta` is the `_name` object beside a primitive.

    `value` is None where a primitive has an extension only.
    """

    __slots__ = ("meta", "type", "value")

    def __init__(self, value: Any, type: str | None, meta: Mapping[str, Any] | None = None) -> None:
        self.value = value
        self.type = type
        self.meta = meta

    def __repr__(self) -> str:
        # Never the value: a representation ends up in logs and tracebacks.
        return f"<Element {self.type}>"


class TypeInfo:
    """What `type()` gives."""

    __slots__ = ("name", "namespace")

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


SYSTEM: Final[dict[type, str]] = {
    bool: "Boolean",
    str: "String",
    int: "Integer",
    Decimal: "Decimal",
    Date: "Date",
    DateTime: "DateTime",
    Time: "Time",
    Quantity: "Quantity",
}
QUANTITIES: Final = frozenset({"Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity", "MoneyQuantity"})
_PARSED: Final[dict[str | None, type[Temporal]]] = {
    "date": Date,
    "dateTime": DateTime,
    "instant": DateTime,
    "time": Time,
}


def element(value: Any) -> Any:
    """Any value as something self-describing: a resource as an Element of its type, other JSON as an untyped one."""
    if isinstance(value, dict):
        return Element(value, value.get("resourceType"))
    if isinstance(value, float):
        return Decimal(str(value))
    return value


def collection(value: Any) -> Items:
    """What a caller passed, as a collection."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [element(item) for item in value if item is not None]
    return [element(value)]


def box_all(values: Sequence[Any], type: str) -> Items:
    return [Element(value, type) for value in values]


def system(item: Any) -> Any:
    """The system value that operators see; a complex element or a node without a value stays what it is."""
    kind = type(item)
    if kind in SYSTEM or item is None:
        return item
    if kind is Element:
        return from_fhir(item.value, item.type) if not isinstance(item.value, dict) else _complex(item)
    if kind is float:
        return Decimal(str(item))
    if kind is TypeInfo:
        return str(item)
    value, of = item.value, item.type
    if value is None:
        return _quantity_of(item) if of in QUANTITIES and namespace(of) == "FHIR" else item
    if type(value) not in SYSTEM and isinstance(value, str):
        return str(value)
    return from_fhir(value, of) if of is not None and namespace(of) == "FHIR" else value


def namespace(of: Any) -> str:
    """Whose type a node's type is: a node out of a FHIR resource says so."""
    return getattr(of, "namespace", "Source")


def _quantity_of(node: Any) -> Any:
    """A node of a FHIR Quantity as a quantity, where it holds an amount."""
    found = {name: kids[0].value for name in ("value", "code", "unit") if (kids := node.kids.get(name))}
    if found.get("value") is None:
        return node
    return Quantity(Decimal(str(found["value"])), found.get("code") or found.get("unit") or "1")


def from_fhir(value: Any, type: str | None) -> Any:
    """A JSON primitive of a FHIR type as its system value; text that is no date stays text."""
    parser = _PARSED.get(type)
    if parser is not None and isinstance(value, str):
        parsed = parser.parse(value)
        return value if parsed is None else parsed
    if isinstance(value, float):
        return Decimal(str(value))
    if type == "decimal" and isinstance(value, int):
        return Decimal(value)
    return value


def _complex(item: Element) -> Any:
    if item.type in QUANTITIES:
        amount = item.value.get("value")
        if amount is not None:
            return Quantity(Decimal(str(amount)), item.value.get("code") or item.value.get("unit") or "1")
    return item


def raw(item: Any) -> Any:
    """The value as a caller gets it: JSON as it stands, a leaf's value, a system value."""
    kind = type(item)
    if kind is Element:
        return item.value
    if kind in SYSTEM or kind is TypeInfo:
        return item
    kids = getattr(item, "kids", None)
    return item if kids or kids is None else item.value


def raw_all(items: Sequence[Any]) -> Items:
    """As `raw`; a primitive that has only an extension has no value to give."""
    return [value for item in items if (value := raw(item)) is not None]


def type_name(item: Any) -> tuple[str, str]:
    """Namespace and name of an item's type."""
    kind = type(item)
    if kind in SYSTEM:
        return "System", SYSTEM[kind]
    if kind is Element:
        return "FHIR", item.type or "Element"
    if kind is TypeInfo:
        return "System", "TypeInfo"
    if item is None:
        return "System", "Empty"
    of = item.type
    return namespace(of), str(of or "Element")


def one(items: Sequence[Any]) -> Any:
    """The only item, or None; more than one cannot be used where one value is needed."""
    if not items:
        return None
    if len(items) > 1:
        raise EvaluationError(
            f"One value is needed here, {len(items)} were found.", "Choose with first(), where(…) or an index."
        )
    return items[0]


def truth(item: Any) -> bool | None:
    """A single item as a Boolean: itself, or true for anything else that is there."""
    value = system(item)
    if value is None:
        return None
    return value if isinstance(value, bool) else True


def is_number(value: Any) -> bool:
    return type(value) is int or type(value) is Decimal


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Both values brought to one type where FHIRPath converts implicitly."""
    kind_a, kind_b = type(a), type(b)
    if kind_a is kind_b:
        return a, b
    # Text from a source tree has no type; it is compared as what the other side is.
    if kind_a is Quantity and is_number(b):
        return a, Quantity(Decimal(b))
    if kind_b is Quantity and is_number(a):
        return Quantity(Decimal(a)), b
    if isinstance(a, Temporal) and kind_b is str:
        return a, type(a).parse(b) or b
    if isinstance(b, Temporal) and kind_a is str:
        return type(b).parse(a) or a, b
    return a, b


def equal(a: Any, b: Any) -> bool | None:
    """`=` between two items; None where precision cannot tell."""
    a, b = _pair(system(a), system(b))
    kind_a, kind_b = type(a), type(b)
    if isinstance(a, Temporal) and isinstance(b, Temporal):
        if (kind_a is Time) != (kind_b is Time):
            return False
        order = temporal.compare(a, b)
        return None if order is None else order == 0
    if kind_a is Quantity and kind_b is Quantity:
        order = quantity.compare(a, b)
        if order is None and (a.calendar != b.calendar):
            return None
        return order == 0
    if kind_a is Element and kind_b is Element:
        return _same_json(a.value, b.value)
    if is_number(a) and is_number(b):
        return bool(a == b)
    if kind_a is not kind_b:
        return False
    if kind_a in SYSTEM:
        return bool(a == b)
    return _same_node(a, b)


def _same_json(a: Any, b: Any) -> bool:
    return bool(a is b or a == b)


def _same_node(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if getattr(a, "value", None) != getattr(b, "value", None):
        return False
    kids_a, kids_b = getattr(a, "kids", None), getattr(b, "kids", None)
    if kids_a is None or kids_b is None or kids_a.keys() != kids_b.keys():
        return False
    return all(
        len(kids_a[name]) == len(kids_b[name])
        and all(_same_node(x, y) for x, y in zip(kids_a[name], kids_b[name], strict=True))
        for name in kids_a
    )


def equals(left: Sequence[Any], right: Sequence[Any]) -> bool | None:
    """`=` between collections: as many, in the same order, each equal."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    result: bool | None = True
    for a, b in zip(left, right, strict=True):
        same = equal(a, b)
        if same is False:
            return False
        if same is None:
            result = None
    return result


def differs(left: Sequence[Any], right: Sequence[Any]) -> bool | None:
    same = equals(left, right)
    return None if same is None else not same


def equivalent_items(a: Any, b: Any) -> bool:
    """`~` between two items."""
    a, b = _pair(system(a), system(b))
    if isinstance(a, str) and isinstance(b, str):
        return " ".join(a.lower().split()) == " ".join(b.lower().split())
    if isinstance(a, Temporal) and isinstance(b, Temporal):
        return equal(a, b) is True
    if type(a) is Quantity and type(b) is Quantity:
        return quantity.equivalent(a, b)
    if is_number(a) and is_number(b):
        return quantity.alike(Decimal(a), Decimal(b))
    if type(a) is Element and type(b) is Element and isinstance(a.value, dict) and isinstance(b.value, dict):
        return _equivalent_json(a.value, b.value)
    return equal(a, b) is True


def _equivalent_json(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        # An element's id does not take part.
        keys_a, keys_b = a.keys() - {"id"}, b.keys() - {"id"}
        return keys_a == keys_b and all(_equivalent_json(a[key], b[key]) for key in keys_a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and _match(a, b, _equivalent_json)
    if isinstance(a, str) and isinstance(b, str):
        return " ".join(a.lower().split()) == " ".join(b.lower().split())
    return bool(a == b)


def _match(left: Sequence[Any], right: Sequence[Any], same: Any) -> bool:
    """Whether each of the left has a partner of its own on the right."""
    rest = list(right)
    for a in left:
        partner = next((i for i, b in enumerate(rest) if same(a, b)), None)
        if partner is None:
            return False
        del rest[partner]
    return True


def equivalent(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """`~` between collections: the same items in any order."""
    return len(left) == len(right) and _match(left, right, equivalent_items)


def order(a: Any, b: Any) -> int | None:
    """Negative, zero or positive; None where an operand is missing or precision cannot tell."""
    if a is None or b is None:
        return None
    a, b = _pair(system(a), system(b))
    if is_number(a) and is_number(b):
        return bool(a > b) - bool(a < b)
    if isinstance(a, str) and isinstance(b, str):
        return (a > b) - (a < b)
    if isinstance(a, Temporal) and isinstance(b, Temporal) and (type(a) is Time) == (type(b) is Time):
        return temporal.compare(a, b)
    if type(a) is Quantity and type(b) is Quantity:
        return quantity.compare(a, b)
    raise EvaluationError(f"{type_name(a)[1]} and {type_name(b)[1]} cannot be compared by order.")


_KEYED: Final = (str, bool, int, Decimal)
_MOST_COMPARED: Final = 5_000_000


def bounded(count: int, other: int) -> None:
    """Refuse to compare so many items with one another."""
    if count * other > _MOST_COMPARED:
        raise EvaluationError("There are too many items to compare with one another.", "Narrow them with where(…).")


def identity(item: Any) -> Any:
    """A key that equal items share and no others, or None where `equal` has to be asked."""
    value = system(item)
    return (type(value) is bool, value) if type(value) in _KEYED else None


def distinct(items: Sequence[Any]) -> Items:
    """Each item once, the first of equal ones."""
    if len(items) < 2:
        return list(items)
    seen: set[Any] = set()
    others: Items = []
    result: Items = []
    for item in items:
        key = identity(item)
        if key is None:
            bounded(len(others), len(items))
            if contains(others, item):
                continue
            others.append(item)
        elif key in seen:
            continue
        else:
            seen.add(key)
        result.append(item)
    return result


def among(items: Sequence[Any]) -> Callable[[Any], bool]:
    """Whether an item is one of these, to be asked many times."""
    keys = {key for item in items if (key := identity(item)) is not None}
    others = [item for item in items if identity(item) is None]
    asked = 0

    def within(item: Any) -> bool:
        nonlocal asked
        key = identity(item)
        if key is not None and key in keys:
            return True
        asked += 1
        bounded(asked, len(others))
        # A text of a source may equal a date, which is compared and not looked up.
        return contains(others, item) or (key is None and contains(items, item))

    return within


def contains(items: Sequence[Any], item: Any) -> bool:
    return any(equal(other, item) for other in items)
