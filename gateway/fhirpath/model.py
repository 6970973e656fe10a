"""The types as FHIRPath sees them: an element by its FHIRPath name, choices included, and which type is which.

https://hl7.org/fhir/R4/fhirpath.html#types
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from weakref import WeakKeyDictionary

from gateway.definitions import Definitions

SYSTEM_TYPES = ("Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any")
# The System type that an operator sees in an element of a FHIR primitive type.
PRIMITIVES = {
    "boolean": "Boolean",
    "integer": "Integer",
    "unsignedInt": "Integer",
    "positiveInt": "Integer",
    "decimal": "Decimal",
    "date": "Date",
    "dateTime": "DateTime",
    "instant": "DateTime",
    "time": "Time",
}


@dataclass(frozen=True, slots=True)
class Field:
    """An element by its FHIRPath name. `keys` are its JSON names with their types: more than one for a choice."""

    name: str
    many: bool
    keys: tuple[tuple[str, str], ...]


class Model:
    """The definitions, turned to how FHIRPath asks."""

    def __init__(self, definitions: Definitions) -> None:
        self.types = definitions.types
        self._fields: dict[str, Mapping[str, Field]] = {}
        self._lineage: dict[str, frozenset[str]] = {}

    def fields(self, type: str) -> Mapping[str, Field]:
        """The elements of a type by their FHIRPath names; empty for a type that is not known."""
        found = self._fields.get(type)
        if found is None:
            found = self._fields[type] = self._make_fields(type)
        return found

    def _make_fields(self, type: str) -> Mapping[str, Field]:
        definition = self.types.get(type)
        if definition is None:
            return {}
        fields: dict[str, Field] = {}
        for name, element in definition.elements.items():
            if element.choice_of is None:
                fields[name] = Field(name, element.is_list, ((name, element.type),))
            elif element.choice_of not in fields:
                keys = tuple((key, kind) for kind, key in definition.choices[element.choice_of].items())
                fields[element.choice_of] = Field(element.choice_of, element.is_list, keys)
        return fields

    def is_primitive(self, type: str) -> bool:
        definition = self.types.get(type)
        return definition is not None and definition.kind == "primitive"

    def is_abstract(self, type: str) -> bool:
        definition = self.types.get(type)
        return definition is None or definition.abstract

    def lineage(self, type: str) -> frozenset[str]:
        """The type itself and all that it inherits from."""
        found = self._lineage.get(type)
        if found is None:
            names = []
            current: str | None = type
            while current is not None and current not in names:
                names.append(current)
                definition = self.types.get(current)
                current = None if definition is None else definition.base
            found = self._lineage[type] = frozenset(names)
        return found

    def is_a(self, type: str | None, ancestor: str) -> bool:
        return type is not None and ancestor in self.lineage(type)

    def resolve(self, specifier: str) -> str | None:
        """A type specifier as a FHIR type name, or `System.X`; None where there is no such type."""
        namespace, _, name = specifier.rpartition(".")
        if namespace in ("", "FHIR") and name in self.types:
            return name
        if namespace in ("", "System") and name in SYSTEM_TYPES:
            return f"System.{name}"
        # `FHIR.Foo` and `System.Foo` without such a Foo are simply not the type of anything.
        return f"{namespace}.{name}" if namespace == "System" else None

    def similar_type(self, name: str) -> str:
        return _did_you_mean(name, [type for type in self.types if "." not in type])

    def similar_field(self, type: str, name: str) -> str:
        choice = next((f.name for f in self.fields(type).values() if name in [key for key, _ in f.keys]), None)
        if choice is not None:
            return f"In FHIRPath a choice has its short name: {choice}."
        return _did_you_mean(name, list(self.fields(type)))


def _did_you_mean(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=3)
    return f"Did you mean {', '.join(close)}?" if close else ""


_models: WeakKeyDictionary[Definitions, Model] = WeakKeyDictionary()


def model_of(definitions: Definitions) -> Model:
    """The one model of a snapshot of definitions."""
    found = _models.get(definitions)
    if found is None:
        found = _models[definitions] = Model(definitions)
    return found
