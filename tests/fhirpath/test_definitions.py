"""The expressions that R4 itself is made of: each of its invariants and search parameters compiles."""

from __future__ import annotations

from gateway.definitions import load
from gateway.fhirpath import compile

DEFINITIONS = load()

# A rule of R4 about an element that its type does not have.
MISTAKEN = {"cid-0"}


def test_every_search_parameter_of_every_type_compiles_against_its_type() -> None:
    count = 0
    for resource_type in DEFINITIONS.resource_types:
        for parameter in DEFINITIONS.search_parameters(resource_type).values():
            if "." in parameter.expression:
                compile(parameter.expression, resource_type, DEFINITIONS)
                count += 1
    assert count > 2500


def test_every_invariant_compiles_against_the_type_it_holds_for() -> None:
    count = 0
    for kind, invariants in DEFINITIONS.invariants.items():
        for invariant in invariants:
            concrete = invariant.path == kind and not DEFINITIONS.types[kind].abstract
            context = kind if concrete and invariant.key not in MISTAKEN else None
            compile(invariant.expression, context, DEFINITIONS)
            count += 1
    assert count > 1000
