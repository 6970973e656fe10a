"""What a patch puts in: a part's value, or the parts of an element whose type has no name of its own.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.definitions import Definitions, ElementDef
from gateway.patch.places import Place, tracked
from gateway.records import Resource


class Misfit(Exception):
    """What was given does not fit where it should go."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Given:
    """A value of a type, with what stands beside it; or, without a type, the parts of an object."""

    type: str | None
    value: Any
    beside: Resource | None
    parts: tuple[tuple[str, Given], ...]


def given(part: Resource, d: Definitions) -> Given:
    """What a part of a Parameters resource gives."""
    if "resource" in part:
        return Given(str(part["resource"]["resourceType"]), part["resource"], None, ())
    for kind, key in d.types["Parameters.parameter"].choices["value"].items():
        if key in part or "_" + key in part:
            return Given(kind, part.get(key), part.get("_" + key), ())
    return Given(None, None, None, tuple((str(one.get("name")), given(one, d)) for one in part.get("part", ())))


class Maker:
    """Puts what is given into a tracked copy, as the definitions have it."""

    def __init__(self, d: Definitions) -> None:
        self._d = d

    def put(self, holder: Resource, kind: str, name: str, what: Given, *, at: int | None = None) -> None:
        """Put it under that name, into a list at the end or at an index."""
        element = self._element(kind, name, what)
        present = element.name in holder or "_" + element.name in holder
        if at is not None and not element.is_list:
            raise Misfit(f"{name} is no list: add it, or replace it.")
        if element.is_list:
            self._into_list(holder, element, what, at)
        elif present or any(key in holder or "_" + key in holder for key in self._alternatives(kind, element)):
            raise Misfit(f"{name} is there already, and does not repeat: replace it.")
        else:
            self._keep(holder, element, *self._made(element, what))

    def replace(self, place: Place, what: Given) -> None:
        """Put it where something stands; of a choice it may be of another type than that."""
        holder, element, index = place.holder, place.element, place.index
        if index is not None:
            value, beside = self._made(element, what)
            holder[element.name][index] = value
            if beside is not None:
                holder["_" + element.name][index] = beside
            return
        if element.choice_of is not None:
            kind = element.path.rpartition(".")[0]
            element = self._element(kind, element.choice_of, what)
        value, beside = self._made(element, what)
        place.take()
        self._keep(holder, element, value, beside)

    def move(self, holder: Resource, kind: str, name: str, source: int, destination: int) -> None:
        """Move an item of a list to another index of it."""
        element = self._d.types[kind].elements.get(name)
        if element is None or not element.is_list:
            raise Misfit(f"{name} is no list.")
        count = len(holder.get(name, ()))
        for index in (source, destination):
            if not 0 <= index < count:
                raise Misfit(f"The list {name} has the indexes 0 to {count - 1}." if count else f"{name} is empty.")
        for key in (name, "_" + name):
            if key in holder:
                holder[key].insert(destination, holder[key].pop(source))

    def _element(self, kind: str, name: str, what: Given) -> ElementDef:
        """The element of that name, as FHIRPath has it: of a choice the one for the type that is given."""
        definition = self._d.types.get(kind)
        if definition is None:
            raise Misfit("Nothing can be added here.")
        name = name.removesuffix("[x]")
        alternatives = definition.choices.get(name)
        key = name if alternatives is None else alternatives.get(str(what.type))
        element = definition.elements.get(key or "")
        if element is None:
            shown = f", such as {sorted(alternatives)[0]}" if alternatives else ""
            raise Misfit(
                f"{kind}.{name} has no such type: give it as one of its types{shown}."
                if alternatives
                else f"R4's {kind} has no element of the name that is to be added."
            )
        return element

    def _alternatives(self, kind: str, element: ElementDef) -> tuple[str, ...]:
        """The other names of a choice."""
        return tuple(self._d.types[kind].choices[element.choice_of].values()) if element.choice_of else ()

    def _keep(self, holder: Resource, element: ElementDef, value: Any, beside: Resource | None) -> None:
        if value is not None:
            holder[element.name] = value
        if beside is not None:
            holder["_" + element.name] = beside

    def _into_list(self, holder: Resource, element: ElementDef, what: Given, at: int | None) -> None:
        value, beside = self._made(element, what)
        count = len(holder.get(element.name, ()))
        if at is not None and not 0 <= at <= count:
            raise Misfit(f"The list has {count} items: an index to insert at is 0 to {count}.")
        index = count if at is None else at
        holder.setdefault(element.name, []).insert(index, value)
        if beside is not None:
            holder.setdefault("_" + element.name, []).insert(index, beside)

    def _made(self, element: ElementDef, what: Given) -> tuple[Any, Resource | None]:
        """The value for an element, tracked, and what stands beside it where it is a primitive."""
        target = self._d.types[element.type]
        if what.type is None:
            if target.kind in ("primitive", "resource"):
                raise Misfit(f"{element.name} is a {element.type}: give it as a value, not in parts.")
            made: Resource = {}
            for name, one in what.parts:
                self.put(made, element.type, name, one)
            if not made:
                raise Misfit("There is nothing in the value.")
            return made, None
        source = self._d.types[what.type]
        if target.kind == "primitive":
            if source.kind != "primitive" or not _alike(what.type, element.type):
                raise self._wrong(element, what)
            return what.value, tracked(what.beside or {})
        if not self._fits(what.type, element.type):
            raise self._wrong(element, what)
        return tracked(what.value), None

    def _fits(self, kind: str, wanted: str) -> bool:
        return self._d.is_a(kind, wanted) or self._d.is_a(wanted, kind)

    def _wrong(self, element: ElementDef, what: Given) -> Misfit:
        shown = element.type if "." not in element.type else "made of parts"
        return Misfit(f"{element.name} is {shown}, and {what.type} was given.")


NUMBERS = {"integer": "whole", "positiveInt": "whole", "unsignedInt": "whole", "decimal": "decimal", "boolean": "bool"}
"""The primitives that are no strings in JSON."""


def _alike(kind: str, wanted: str) -> bool:
    """Whether a primitive is written in JSON as the other is; whether its form fits, the structural check says."""
    given_as, needed = NUMBERS.get(kind, "text"), NUMBERS.get(wanted, "text")
    return given_as == needed or (given_as == "whole" and needed == "decimal")
