"""Weak links: what several sources tell of one person, unit and code at one time may be one thing; a person is asked.

Nothing is merged by what stands here. The table is `conformance/agreements/weak-links.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from gateway.coordination import agreements
from gateway.coordination.values import SWEDEN, instant, reference_key
from gateway.records import Link, Resource
from gateway.search import dates

REASON: Final = "one person, unit, code and time"
"""Why such a link is proposed, as it is kept."""
MOST: Final = 20
"""Of how many others one thing may be proposed to be the same: beyond, a person would not know where to begin."""
_MICROSECOND: Final = 1_000_000
_DAY: Final = len("2026-03-03")


@dataclass(frozen=True, slots=True)
class Rule:
    """What two things of a type must have in common."""

    unit: tuple[str, ...]
    code: tuple[str, ...]
    time: tuple[str, ...]
    near: int
    """Microseconds."""
    unless: frozenset[str]
    searched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """A moment or period, in microseconds: from the first to the last moment that may be its start, to its end."""

    first: int
    last: int
    end: int | None

    def meets(self, other: Time, near: int) -> bool:
        if self.end is not None and other.end is not None:
            return self.first < other.end and other.first < self.end
        return max(self.first, other.first) - min(self.last, other.last) <= near


@cache
def rules() -> Mapping[str, Rule]:
    """The shipped table, by resource type."""
    return {
        kind: Rule(
            unit=tuple(row["unit"]),
            code=tuple(row["code"]),
            time=tuple(row["time"]),
            near=round(agreements.duration(row["near"]).total_seconds() * _MICROSECOND),
            unless=frozenset(row["unless"]),
            searched=tuple(row["searched"]),
        )
        for kind, row in agreements.read("weak-links")["types"].items()
    }


def window(resource: Resource) -> tuple[int, int] | None:
    """Between which moments that is told of which may be the same; None where nothing may."""
    rule = rules().get(resource["resourceType"])
    if rule is None or resource.get("status") in rule.unless or (rule.unit and not _units(resource, rule)):
        return None
    times = [time for path in rule.time for time in _times(resource, path)]
    if not times:
        return None
    return min(one.first for one in times) - rule.near, max(one.end or one.last for one in times) + rule.near


def may_be_one(one: Resource, other: Resource) -> bool:
    """Whether a person is to be asked about two resources of one person, each told of by sources of its own."""
    rule = rules().get(one["resourceType"])
    if rule is None or one["resourceType"] != other["resourceType"]:
        return False
    if {one.get("status"), other.get("status")} & rule.unless:
        return False
    codes, others = _codes(one, rule), _codes(other, rule)
    if not codes & others or (rule.unit and not _units(one, rule) & _units(other, rule)):
        return False
    told_apart = _told_apart(codes, others) or _told_apart(_identifiers(one), _identifiers(other))
    return not told_apart and _meet(one, other, rule)


def proposal(kind: str, one: str, other: str, recorded: datetime) -> Link:
    """The link of two ids, which way round they were found."""
    low, high = sorted((one, other))
    return Link(kind, high, low, "proposed", REASON, recorded)


def units_of(resource: Resource) -> list[str]:
    """The units that are compared, as they are called, or by their HSA-ids; none of a type that has no rule."""
    rule = rules().get(resource["resourceType"])
    found = [one for path in rule.unit for one in at(resource, path)] if rule else []
    return [str(one.get("display") or one.get("identifier", {}).get("value", "")) for one in found]


def times_of(resource: Resource) -> list[tuple[datetime | None, datetime | None]]:
    """The times that are compared, from and to."""
    rule = rules().get(resource["resourceType"])
    found = [one for path in rule.time for one in at(resource, path)] if rule else []
    return [
        (instant(one.get("start")), instant(one.get("end"))) if isinstance(one, dict) else (instant(one), None)
        for one in found
    ]


def _meet(one: Resource, other: Resource, rule: Rule) -> bool:
    """By the first element that both state; where they state different ones, by what each states first.

    One may say when it was asked, and the other when it was done.
    """
    said = [(list(_times(one, path)), list(_times(other, path))) for path in rule.time]
    both = next(((mine, theirs) for mine, theirs in said if mine and theirs), None)
    mine, theirs = both or (_first(mine for mine, _ in said), _first(theirs for _, theirs in said))
    return any(a.meets(b, rule.near) for a in mine for b in theirs)


def _first(found: Iterable[list[Time]]) -> list[Time]:
    return next(filter(None, found), [])


def _times(resource: Resource, path: str) -> Iterator[Time]:
    for value in at(resource, path):
        if isinstance(value, str) and (span := dates.span(value, SWEDEN)):
            yield Time(span[0], span[1], None)
        if isinstance(value, dict) and (start := dates.span(str(value.get("start", "")), SWEDEN)):
            # What ends at a time has ended then: what begins with it is another. A day is over with its end.
            until = str(value.get("end", ""))
            end = dates.span(until, SWEDEN)
            yield Time(start[0], start[1], end[len(until) <= _DAY] if end else None)


def _units(resource: Resource, rule: Rule) -> set[str]:
    return {key for path in rule.unit for one in at(resource, path) if (key := reference_key(one))}


def _codes(resource: Resource, rule: Rule) -> set[tuple[str, str]]:
    found = [one for path in rule.code for one in at(resource, path) if isinstance(one, dict)]
    codings: Iterable[Any] = (coding for one in found for coding in one.get("coding", (one,)))
    return {(one.get("system", ""), one["code"]) for one in codings if "code" in one}


def _identifiers(resource: Resource) -> set[tuple[str, str]]:
    return {
        (one["system"], one["value"]) for one in resource.get("identifier", ()) if {"system", "value"} <= one.keys()
    }


def _told_apart(mine: Set[tuple[str, str]], theirs: Set[tuple[str, str]]) -> bool:
    """Whether both use a system, and have nothing of it in common."""
    common = {system for system, _ in mine & theirs}
    return bool(({system for system, _ in mine} & {system for system, _ in theirs}) - common)


def at(value: Any, path: str) -> Iterator[Any]:
    """The values that stand at a path, whichever of its elements are lists."""
    name, _, rest = path.partition(".")
    child = value.get(name) if isinstance(value, dict) else None
    for one in child if isinstance(child, list) else [child]:
        if one is not None:
            yield from at(one, rest) if rest else (one,)
