"""What the definitions say, as frozen values: types, elements, search parameters, operations, invariants.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["resource", "complex", "primitive", "backbone"]
Binding = tuple[str, str]
"""Strength (`required`, `extensible`, `preferred`, `example`) and the value set's url, without version."""


@dataclass(frozen=True, slots=True)
class ElementDef:
    """One element of a type under its JSON name; `value[x]` appears once per type it can have (`valueQuantity`).

    `max` is None where there is no limit, `type` is a key of `Definitions.types` (a backbone's is its path), `targets`
    are the resource types that a reference may name (`Resource`: any). `order` is the place within the type, which XML
    needs. For a choice, `min` and `max` are the group's.
    """

    name: str
    path: str
    type: str
    min: int
    max: int | None
    targets: tuple[str, ...]
    binding: Binding | None
    is_summary: bool
    is_modifier: bool
    order: int
    choice_of: str | None
    profiles: tuple[str, ...] = ()
    """Profiles of the type, by name, of which the value meets one (`SimpleQuantity`)."""
    limit: str | None = None
    """The value set beyond which no code is allowed, however weak the binding is (`maxValueSet`)."""

    @property
    def is_list(self) -> bool:
        return self.max is None or self.max > 1


@dataclass(frozen=True, slots=True)
class TypeDef:
    """A resource type, data type, primitive or backbone (`Patient.contact`) with all its elements, inherited first.

    `choices["value"]` gives the JSON name for each type that `value[x]` can have.
    """

    name: str
    kind: Kind
    base: str | None
    abstract: bool
    elements: Mapping[str, ElementDef]
    choices: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule of the specification, in FHIRPath, that holds for each value at `path`."""

    key: str
    severity: str
    human: str
    expression: str
    path: str


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter as it applies to one resource type.

    `expression` holds the alternatives of that type only; it is empty where the server has to know by itself
    (`_text`, `_content`, `_query`, `_filter`). `components` are (parameter url, expression) of a composite.
    """

    code: str
    type: str
    expression: str
    target: tuple[str, ...]
    components: tuple[tuple[str, str], ...]
    url: str
    comparators: tuple[str, ...]
    modifiers: tuple[str, ...]
    base: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OperationParameter:
    """One parameter of an operation; `use` is `in` or `out`."""

    name: str
    use: str
    min: int
    max: int | None
    type: str
    search_type: str
    parts: tuple[OperationParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its code, where it can be invoked (system, type, instance) and on which types."""

    id: str
    code: str
    url: str
    name: str
    resources: tuple[str, ...]
    system: bool
    type: bool
    instance: bool
    affects_state: bool
    parameters: tuple[OperationParameter, ...]
