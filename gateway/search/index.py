"""From a resource to its search rows: every search parameter of its type, compiled once, then pure and fast.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from gateway.definitions import Definitions, SearchParameter
from gateway.fhirpath import Element, FHIRPathError, Path, compile
from gateway.fhirpath.values import type_name
from gateway.records import Resource
from gateway.search.expressions import code_systems, entrances
from gateway.search.rows import READERS, SYSTEM_TYPES, Place, Reader, Row, extension_value

IndexRows = dict[str, list[Row]]
"""Search table to its rows: the table's columns after `partition` and `rid`."""

DEFAULT_ZONE = ZoneInfo("Europe/Stockholm")

# What the store knows by itself, or what has no expression.
_OWN = frozenset({"_id", "_lastUpdated"})
_FROM_IDENTIFIER = ":identifier"


@lru_cache(maxsize=16384)
def number(resource_type: str, code: str) -> int:
    """The number that stands for a parameter of a type in every search table: a hash, the same everywhere for ever."""
    digest = blake2b(f"{resource_type}.{code}".encode(), digest_size=4, person=b"search").digest()
    return int.from_bytes(digest, "big") >> 1


def identifier_number(resource_type: str, code: str) -> int:
    """The number for the identifiers of a reference parameter's references, which are tokens."""
    return number(resource_type, code + _FROM_IDENTIFIER)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one parameter is read."""

    code: str
    kind: str
    number: int
    identifier: int
    path: Path
    place: Place
    readers: Mapping[str, Reader]
    edges: bool


class Indexer:
    """Indexes resources of any type by a snapshot of definitions.

    `zone` is where times without a zone are read, `bases` are the urls under which this server is known.
    """

    def __init__(self, definitions: Definitions, *, zone: tzinfo = DEFAULT_ZONE, bases: Iterable[str] = ()) -> None:
        self.definitions = definitions
        self.place = Place(zone, tuple(base.rstrip("/") + "/" for base in bases))
        self._plans: dict[str, tuple[Mapping[str, tuple[int, ...]], tuple[_Plan, ...], tuple[int, ...]]] = {}

    def rows(self, resource: Resource) -> IndexRows:
        """The rows of a resource, by table."""
        resource_type = resource["resourceType"]
        known = self._plans.get(resource_type)
        if known is None:
            known = self._plans[resource_type] = self._prepare(resource_type)
        by_key, plans, always = known
        wanted = set(always)
        for key in resource:
            wanted.update(by_key.get(key, ()))
        rows: IndexRows = {}
        for position in sorted(wanted):
            _read(plans[position], resource, rows)
        return rows

    def __call__(self, resource: Resource) -> IndexRows:
        return self.rows(resource)

    def _prepare(self, resource_type: str) -> tuple[Mapping[str, tuple[int, ...]], tuple[_Plan, ...], tuple[int, ...]]:
        plans: list[_Plan] = []
        by_key: dict[str, list[int]] = {}
        always: list[int] = []
        for parameter in self.definitions.search_parameters(resource_type).values():
            plan = self._plan(resource_type, parameter)
            if plan is None:
                continue
            keys = entrances(self.definitions.types[resource_type], plan.path.syntax)
            for key in keys or ():
                by_key.setdefault(key, []).append(len(plans))
                by_key.setdefault("_" + key, []).append(len(plans))
            if keys is None:
                always.append(len(plans))
            plans.append(plan)
        return {key: tuple(found) for key, found in by_key.items()}, tuple(plans), tuple(always)

    def _plan(self, resource_type: str, parameter: SearchParameter) -> _Plan | None:
        readers = READERS.get(parameter.type)
        if readers is None or parameter.code in _OWN or not _is_path(parameter.expression):
            return None
        path = compile(parameter.expression, resource_type, self.definitions)
        place = self.place
        if path.result_type == "code":
            place = replace(place, systems=code_systems(self.definitions, resource_type, path.syntax))
        return _Plan(
            code=parameter.code,
            kind=parameter.type,
            number=number(resource_type, parameter.code),
            identifier=identifier_number(resource_type, parameter.code),
            path=path,
            place=place,
            readers=readers,
            edges=parameter.type == "date",
        )


def _is_path(expression: str) -> bool:
    # One parameter of R4 has the name of an element where its expression should stand.
    return bool(expression) and "." in expression


def _read(plan: _Plan, resource: Resource, rows: IndexRows) -> None:
    try:
        found, kind = plan.path.typed(resource)
    except FHIRPathError:
        # The resource was checked; what a search parameter makes of a rare shape must not keep it from being saved.
        return
    if not found:
        return
    reader = None if kind is None else plan.readers.get(kind)
    if reader is not None:
        keys = [row for value in found for row in reader(value, plan.place)]
    elif kind is not None:
        keys = [row for value in found for row in _of_item(plan, Element(value, kind))]
    else:
        keys = [row for item in found for row in _of_item(plan, item)]
    if keys:
        _add(rows.setdefault(_TABLES[plan.kind], []), plan.number, keys, plan.edges)
    if plan.kind == "reference":
        identifiers = [row for value in found for row in _identifier_of(value)]
        if identifiers:
            _add(rows.setdefault("search_token", []), plan.identifier, identifiers, False)


def _of_item(plan: _Plan, item: Any) -> Iterable[Row]:
    """The rows of an item that knows its type."""
    if isinstance(item, Element):
        if item.value is None:
            return ()
        if item.type == "Extension":
            inner = extension_value(item.value)
            return () if inner is None else _of_item(plan, inner)
        reader = plan.readers.get(item.type or "")
        if reader is None and isinstance(item.value, dict) and "resourceType" in item.value:
            reader = plan.readers.get("Resource")
        return () if reader is None else reader(item.value, plan.place)
    reader = plan.readers.get(SYSTEM_TYPES.get(type_name(item)[1], ""))
    return () if reader is None else reader(item if isinstance(item, bool | int | str) else str(item), plan.place)


def _identifier_of(item: Any) -> Iterable[Row]:
    value = item.value if isinstance(item, Element) else item
    identifier = value.get("identifier") if isinstance(value, dict) and "resourceType" not in value else None
    return READERS["token"]["Identifier"](identifier, _NOWHERE) if isinstance(identifier, dict) else ()


_NOWHERE = Place(DEFAULT_ZONE)
_TABLES = {kind: f"search_{kind}" for kind in READERS}
_MIN, _MAX, _ONLY = 1, 2, 3


def _add(rows: list[Row], number: int, keys: list[Row], ranges: bool) -> None:
    """Append the keys of a parameter, equal ones once, the smallest and the largest marked."""
    if len(keys) == 1:
        rows.append((len(rows), number, *keys[0], _ONLY))
        return
    keys = sorted(set(keys))
    last = keys.index(max(keys, key=_high)) if ranges else len(keys) - 1
    for position, key in enumerate(keys):
        edge = (_MIN if position == 0 else 0) | (_MAX if position == last else 0)
        rows.append((len(rows), number, *key, edge))


def _high(key: Row) -> Any:
    return key[1]


@lru_cache(maxsize=16)
def _indexer(definitions: Definitions) -> Indexer:
    return Indexer(definitions)


def rows(resource: Resource, definitions: Definitions) -> IndexRows:
    """The search rows of a resource, with the default zone and no base url."""
    return _indexer(definitions).rows(resource)


def problems(definitions: Definitions) -> list[str]:
    """What keeps parameters from being indexed: an expression that does not compile, a number that is another's too.

    A snapshot of definitions with a problem is not to be taken into use.
    """
    found: list[str] = []
    taken: dict[int, str] = {}
    for resource_type in definitions.resource_types:
        for code, parameter in definitions.search_parameters(resource_type).items():
            name = f"{resource_type}.{code}"
            for place in (number(resource_type, code), identifier_number(resource_type, code)):
                if taken.setdefault(place, name) != name:
                    found.append(f"{name} has the same number as {taken[place]}: rename it.")
            try:
                compile(parameter.expression or "{}", resource_type, definitions)
            except FHIRPathError as error:
                found.append(f"{name}: {error.text}")
    return found
