"""A search parameter as it applies to the types that are searched, and why one cannot be used.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.definitions import Definitions, SearchParameter
from gateway.search.conditions import Numbers
from gateway.search.index import kind_of
from gateway.search.numbers import identifier_number, number, within

Types = tuple[str, ...]
"""The resource types that are searched together."""


class Refused(Exception):
    """One parameter cannot be used; `unknown` when a lenient search may leave it out."""

    def __init__(self, rule: str, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text
        self.unknown = unknown


def unknown_modifier(modifier: str, known: Sequence[str]) -> Refused:
    hint = f"There are: {', '.join(known[:20])}." if known else "It takes none."
    return Refused("unknown-modifier", f"The modifier :{modifier[:50]} is not served here. {hint}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with a number of its own in each of the types, and maybe some that it shares."""

    code: str
    kind: str
    types: Types
    targets: tuple[str, ...]
    """The types that a reference parameter names; none: any."""
    definition: SearchParameter
    within: bool = False
    """Whether it is looked for in what is contained in other resources."""
    shared: tuple[tuple[str, str], ...] = ()
    """Type and code of more that its rows stand under (`alike.py`); what is contained has none of these."""

    @property
    def numbers(self) -> Numbers:
        return self._found_by(number)

    @property
    def identifiers(self) -> Numbers:
        """Of the identifiers of a reference parameter's references."""
        return self._found_by(identifier_number)

    @property
    def places(self) -> tuple[tuple[str, Numbers], ...]:
        """Where a row says that the resource has it."""
        found = ((self.kind, self.numbers),)
        return (*found, ("token", self.identifiers)) if self.kind == "reference" else found

    def _found_by(self, by: Callable[[str, str], int]) -> Numbers:
        shared = () if self.within else self.shared
        return (*self.numbered(by), *(by(one, code) for one, code in shared))

    def numbered(self, by: Callable[[str, str], int]) -> Numbers:
        return tuple(by(within(one) if self.within else one, self.code) for one in self.types)


def served(definitions: Definitions, resource_type: str) -> dict[str, SearchParameter]:
    """The parameters of a type that a search may name: what /metadata announces."""
    known = definitions.search_parameters(resource_type)
    return {code: one for code, one in known.items() if kind_of(one) is not None}
