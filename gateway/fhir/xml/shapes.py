"""What XML has to know of each type: its elements in order, which repeat, and which are attributes.

https://hl7.org/fhir/R4/xml.html

Made from the definitions when a type is first met, for reading and writing alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, NamedTuple

from gateway.definitions import Definitions, ElementDef
from gateway.fhir.json import number

FHIR: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"

Kind = Literal["object", "primitive", "holder", "resource", "narrative"]
"""An object; a value with its id and extensions; an element around a resource; a resource; the narrative's div."""


class Member(NamedTuple):
    """One element of a type.

    `order` is its place in XML, `levels` how much deeper in JSON its content lies; `convert` gives the JSON value that
    a text stands for, None where it stands for none. `step` is the element's name in FHIRPath.
    """

    kind: Kind
    key: str
    many: bool
    order: int
    levels: int
    shape: Shape
    convert: Callable[[str], Any] | None
    type: str
    step: str


class Shape:
    """A type as XML has it. `attributes` are the elements that are attributes, of which there are few."""

    def __init__(self, attributes: tuple[str, ...], make: Callable[[], Mapping[str, Member]]) -> None:
        self.attributes = attributes
        self._make = make

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """The other elements, by their name in JSON."""
        return self._make()

    @cached_property
    def named(self) -> Mapping[str, Member]:
        """The other elements, by their name in XML as expat gives it: namespace, brace, local name."""
        return {
            f"{XHTML if member.kind == 'narrative' else FHIR}}}{name}": member for name, member in self.members.items()
        }


class Shapes:
    """One shape per type of a snapshot."""

    def __init__(self, d: Definitions) -> None:
        self._d = d
        self._shapes: dict[str, Shape] = {}
        self.resources = Shape((), self._resources)
        self.root = Member("holder", "resource", False, 0, 0, self.resources, None, "Resource", "")

    def __getitem__(self, name: str) -> Shape:
        shape = self._shapes.get(name)
        if shape is None:
            attributes = attributes_of(self._d, name)
            shape = self._shapes[name] = Shape(attributes, lambda: self._members(name, attributes))
        return shape

    def _resources(self) -> dict[str, Member]:
        names = self._d.resource_types
        return {name: Member("resource", name, False, 0, 0, self[name], None, name, name) for name in names}

    def _members(self, name: str, attributes: tuple[str, ...]) -> dict[str, Member]:
        elements = self._d.types[name].elements
        return {key: self._member(element) for key, element in elements.items() if key not in attributes}

    def _member(self, element: ElementDef) -> Member:
        kind: Kind = "object"
        match self._d.types[element.type].kind:
            case "primitive":
                kind = "narrative" if element.type == "xhtml" else "primitive"
            case "resource":
                kind = "holder"
        return Member(
            kind,
            element.name,
            element.is_list,
            element.order,
            2 if element.is_list else 1,
            self.resources if kind == "holder" else self[element.type],
            CONVERT.get(element.type),
            element.type,
            element.choice_of or element.name,
        )


def attributes_of(d: Definitions, name: str) -> tuple[str, ...]:
    """The elements of a type that are attributes in XML, and that can so have no extensions."""
    if d.types[name].kind == "resource":
        return ()
    return ("id", "url") if name == "Extension" else ("id",)


@lru_cache(maxsize=4)
def shapes(d: Definitions) -> Shapes:
    """The shapes of a snapshot: they live as long as it is in use."""
    return Shapes(d)


WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def _whole(text: str) -> Any:
    return _in_range(text.removeprefix("+")) if WHOLE.fullmatch(text) else None


def _decimal(text: str) -> Any:
    return _in_range(text) if DECIMAL.fullmatch(text) else None


def _in_range(text: str) -> Any:
    """The number; None where it is larger than JSON's numbers are read here."""
    try:
        return number(text)
    except ValueError:
        return None


CONVERT: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": {"true": True, "false": False}.get,
    "decimal": _decimal,
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt"), _whole),
}
"""The types whose JSON is no string."""
