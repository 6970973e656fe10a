"""The conditions of writes: what meets them that the caller may see, and what keeps others from meeting them meanwhile.

Two writes that each look for a thing and make it where there is none must not pass each other: both would make it. On
PostgreSQL they lock what a condition and a body name by identifier, or else everything of the type that is conditional.

https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gateway.access.caller import Caller
from gateway.access.commands import Command, Create, Matching
from gateway.access.decision import DIRECTORY, SHARED
from gateway.access.reading import Reading, Rooms
from gateway.coordination.compartments import COMPARTMENT
from gateway.coordination.plans.basis import WITHHELD
from gateway.errors import BadRequest, GatewayError
from gateway.records import Resource
from gateway.search.query import Limits, Query, parse
from gateway.store import Stored, UnitOfWork
from gateway.store.narrowing import Narrowing
from gateway.terminology import Terminology

Find = Callable[[str, Matching], tuple[list[Stored], bool]]
"""What meets a condition that the caller may see, and whether that is all of it."""

TOGETHER = 100
"""Identifiers that are looked for in one search."""
NO_CRITERIA = "A condition says by search parameters which resource is meant."


def narrowing(reading: Reading, caller: Caller) -> Narrowing | None:
    """To what the caller may see. It holds for the directory too: includes and chains lead from it to persons."""
    if caller.operator:
        return None
    own = tuple(sorted(reading.own(caller)))
    return Narrowing(caller.organisations, own, WITHHELD, DIRECTORY, COMPARTMENT, SHARED)


def terminology(rooms: Rooms, base: str, *given: Resource, uow: UnitOfWork | None = None) -> Terminology:
    """With what is kept here, and before it what is given. Value sets and code systems say nothing of persons.

    `uow`: the unit of work that one is in, which is asked rather than another one that waits for a connection.
    """
    store, bases = rooms.store, (base.rstrip("/") + "/",)
    first = {(one["resourceType"], str(one.get("url", ""))): one for one in given}

    def find(kind: str, url: str) -> Resource | None:
        if own := first.get((kind, url.partition("|")[0])):
            return own
        if uow is not None:
            return uow.searches.canonical(kind, url, bases)
        return store.read(lambda fresh: fresh.searches.canonical(kind, url, bases))

    return Terminology(rooms.definitions, find)


def criteria(resource_type: str, condition: Matching, rooms: Rooms) -> Query:
    """The search of a condition. BadRequest for what is unknown, whatever the client prefers, or no criterion."""
    query = parse(
        resource_type,
        condition.params,
        rooms.definitions,
        zone=rooms.zone,
        bases=(condition.base,) if condition.base else (),
        now=rooms.clock(),
        limits=Limits(),
        terminology=terminology(rooms, condition.base),
    )
    # A search passes over a parameter without a value; a condition that did so would meet more than it says.
    if not query.criteria or not all(value for _, value in condition.params):
        raise BadRequest(NO_CRITERIA, rule="condition-missing")
    plain = Query(query.types, criteria=query.criteria, used=query.used)
    if query != plain or query.types != (resource_type,):
        text = f"{NO_CRITERIA} How a result is shown, sorted, counted or included has no place in it."
        raise BadRequest(text, rule="condition-not-criteria")
    return query


def meeting(uow: UnitOfWork, query: Query, visible: Narrowing | None, *, most: int) -> tuple[list[Stored], bool]:
    """What meets the condition, and whether that is all of it."""
    page = uow.searches.page(replace(query, count=most), narrowing=visible)
    return list(page.matches), page.behind is None


def unmet(commands: Sequence[Command], find: Find) -> set[int]:
    """The places of creations on an identifier that nothing has, as far as that is told by a few searches for many."""
    alike: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for place, command in enumerate(commands):
        condition = command.if_none_exist if isinstance(command, Create) else None
        if condition is not None and _is_one_identifier(condition):
            alike[command.resource_type, condition.base].append((place, condition.params[0][1]))
    found: set[int] = set()
    for (resource_type, base), wanted in alike.items():
        for start in range(0, len(wanted), TOGETHER):
            some = wanted[start : start + TOGETHER]
            anyone = Matching((("identifier", ",".join(value for _, value in some)),), base)
            with suppress(GatewayError):  # One of them is wrong: which, is told when each is looked at.
                if len(some) > 1 and not find(resource_type, anyone)[0]:
                    found.update(place for place, _ in some)
    return found


def _is_one_identifier(condition: Matching) -> bool:
    return len(condition.params) == 1 and any(_sought(condition))


def locks(resource_type: str, condition: Matching, resource: Resource) -> tuple[set[str], set[str]]:
    """The keys to hold alone, and those to share, where a condition that nothing meets makes a resource."""
    every = f"condition|{resource_type}"
    sought = set(_sought(condition))
    if not sought:
        return {every}, set()
    return {f"{every}|{value.casefold()}" for value in sought | set(_identified(resource))}, {every}


def _sought(condition: Matching) -> Iterator[str]:
    """The identifiers, each by itself, that a resource must have to meet the condition."""
    for name, value in condition.params:
        if name == "identifier" and "," not in value and "\\" not in value and (number := value.rpartition("|")[2]):
            yield number


def _identified(resource: Resource) -> Iterator[str]:
    for name, given in resource.items():
        if name.lower().endswith("identifier"):
            yield from _values(given if isinstance(given, list) else [given])


def _values(identifiers: Iterable[Any]) -> Iterator[str]:
    for one in identifiers:
        if isinstance(one, dict) and isinstance(value := one.get("value"), str):
            yield value
