"""Existence, subsetting, combining: functions that look at a collection as a whole.

https://hl7.org/fhirpath/N1/#existence
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from gateway.fhirpath import values
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import MOST_STEPS, listed
from gateway.fhirpath.operators import LONGEST
from gateway.fhirpath.values import Items, system

_MAX_REPEAT = 100_000


def _booleans(items: Items) -> list[bool]:
    found = [system(item) for item in items]
    if not all(isinstance(value, bool) for value in found):
        raise EvaluationError("All items must be Boolean here.")
    return found


@listed("allTrue", result="Boolean")
def all_true(items: Items) -> bool:
    return all(_booleans(items))


@listed("anyTrue", result="Boolean")
def any_true(items: Items) -> bool:
    return any(_booleans(items))


@listed("allFalse", result="Boolean")
def all_false(items: Items) -> bool:
    return not any(_booleans(items))


@listed("anyFalse", result="Boolean")
def any_false(items: Items) -> bool:
    return not all(_booleans(items))


@listed("subsetOf", "list", result="Boolean")
def subset_of(items: Items, other: Items) -> bool:
    within = values.among(other)
    return all(within(item) for item in items)


@listed("supersetOf", "list", result="Boolean")
def superset_of(items: Items, other: Items) -> bool:
    within = values.among(items)
    return all(within(item) for item in other)


@listed("distinct")
def distinct(items: Items) -> Items:
    return values.distinct(items)


@listed("isDistinct", result="Boolean")
def is_distinct(items: Items) -> bool:
    return len(values.distinct(items)) == len(items)


@listed("single")
def single(items: Items) -> Items:
    values.one(items)
    return items


@listed("last")
def last(items: Items) -> Items:
    return items[-1:]


@listed("tail")
def tail(items: Items) -> Items:
    return items[1:]


def _count(value: Any) -> int:
    if type(value) is not int:
        raise EvaluationError("A number of items is a whole number.")
    return max(value, 0)


@listed("skip", "value")
def skip(items: Items, number: Any) -> Items:
    return [] if number is None else items[_count(number) :]


@listed("take", "value")
def take(items: Items, number: Any) -> Items:
    return [] if number is None else items[: _count(number)]


@listed("intersect", "list")
def intersect(items: Items, other: Items) -> Items:
    within = values.among(other)
    return values.distinct([item for item in items if within(item)])


@listed("exclude", "list")
def exclude(items: Items, other: Items) -> Items:
    within = values.among(other)
    return [item for item in items if not within(item)]


@listed("union", "list")
def union(items: Items, other: Items) -> Items:
    return values.distinct([*items, *other])


@listed("combine", "list")
def combine(items: Items, other: Items) -> Items:
    # Of variables that are defined one by the other, each may be twice the last.
    if len(items) + len(other) > MOST_STEPS:
        raise EvaluationError("The collection would become too long.", f"At most {MOST_STEPS} items.")
    return [*items, *other]


@listed("repeat", "each")
def repeat(items: Items, project: Callable[[Any, int], Items]) -> Items:
    """What the projection gives, and what it gives of that, until nothing new comes."""
    found: Items = []
    seen: set[Any] = set()
    others: Items = []
    level, letters = items, 0
    while level:
        fresh: Items = []
        for index, item in enumerate(level):
            for candidate in project(item, index):
                key = _same_part(candidate)
                if key is None:
                    values.bounded(len(others), len(found) + len(fresh))
                    if values.contains(others, candidate):
                        continue
                    others.append(candidate)
                elif key in seen:
                    continue
                else:
                    seen.add(key)
                fresh.append(candidate)
                letters += len(candidate) if isinstance(candidate, str) else 0
        found.extend(fresh)
        if len(found) > _MAX_REPEAT or letters > LONGEST:
            raise EvaluationError("repeat() does not come to an end.", f"At most {_MAX_REPEAT} items.")
        level = fresh
    return found


def _same_part(candidate: Any) -> Any:
    """Parts of a tree are the same when they are the same part: comparing them deeply would cost the square of it."""
    value = candidate.value if isinstance(candidate, values.Element) else candidate
    if isinstance(value, dict) or hasattr(value, "kids"):
        return "part", id(value)
    return values.identity(candidate)


def sort(items: Items, keys: list[tuple[Callable[[Any, int], Items], bool]]) -> Items:
    """By each key in turn; `True` beside a key means descending. What has no key comes first, either way."""
    decorated = [(item, [values.one(key(item, index)) for key, _ in keys]) for index, item in enumerate(items)]

    def compare(a: tuple[Any, list[Any]], b: tuple[Any, list[Any]]) -> int:
        for (_, descending), left, right in zip(keys, a[1], b[1], strict=True):
            if left is None or right is None:
                if left is not right:
                    return -1 if left is None else 1
            elif order := values.order(left, right):
                return -order if descending else order
        return 0

    return [item for item, _ in sorted(decorated, key=cmp_to_key(compare))]
