"""What belongs to resources of one type, and is of a time, as a search: the members of their compartments.

https://hl7.org/fhir/R4/patient-operation-everything.html
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.definitions import Definitions
from gateway.search.alike import numbers
from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Criterion,
    DateIs,
    IdIs,
    Missing,
    OfType,
    Own,
    RefersTo,
    RefersToAny,
    Where,
)
from gateway.search.dates import HIGHEST, LOWEST
from gateway.search.index import kind_of
from gateway.search.numbers import number
from gateway.search.parameters import served
from gateway.search.query import Query
from gateway.search.reading import ITSELF

NOT_OF_CARE = frozenset({"birthdate", "death-date"})
"""Dates of a person's life: they say nothing of when care was given."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one microsecond until another, which is not in it."""

    low: int = LOWEST
    high: int = HIGHEST


ALWAYS = Span()


def members(definitions: Definitions, compartment: str) -> tuple[str, ...]:
    """The types that a compartment holds, that of the resource itself first."""
    return tuple(dict.fromkeys((compartment, *definitions.compartments[compartment])))


def query(
    definitions: Definitions,
    compartment: str,
    ids: Collection[str] | None,
    types: Collection[str],
    *,
    care: Span,
    since: int | None,
    count: int,
) -> Query:
    """The resources of these ids (None: all of the type), and what belongs to them, of these types.

    `care` is when the care was given: a resource is of the whole time between the first and the last date that it can
    be searched by, and of any time where it has none. `since` is when it was last changed, in microseconds.
    """
    held = definitions.compartments[compartment]
    found_by = numbers(definitions, [(one, code) for one in types for code in held.get(one, ()) if code != ITSELF])
    targets: tuple[Condition, ...] = (RefersToAny(compartment),)
    themselves: tuple[Criterion, ...] = (OfType(compartment),)
    if ids is not None:
        targets = tuple(RefersTo(compartment, id) for id in sorted(ids))
        themselves = (*themselves, Own("_id", tuple(IdIs(id) for id in sorted(ids))))
    belonging = [Where("reference", found_by, targets), *_given(definitions, types, care)]
    criteria: list[Criterion] = [AnyOf((AllOf(themselves), AllOf(tuple(belonging))))]
    if since is not None:
        criteria.append(Own("_lastUpdated", (DateIs("ge", since, since + 1),)))
    return Query(tuple(types), criteria=tuple(criteria), count=count)


def _given(definitions: Definitions, types: Collection[str], care: Span) -> tuple[Criterion, ...]:
    """The care was given within the span, or it is not said when."""
    dates = tuple(
        number(one, code)
        for one in types
        for code, parameter in served(definitions, one).items()
        if kind_of(parameter) == "date" and code not in NOT_OF_CARE
    )
    if care == ALWAYS or not dates:
        return ()
    begins = Where("date", dates, (DateIs("lt", care.high, care.high),))
    ends = Where("date", dates, (DateIs("gt", care.low, care.low),))
    return (AnyOf((Missing((("date", dates),), True), AllOf((begins, ends)))),)
