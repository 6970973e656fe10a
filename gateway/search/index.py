"""From a resource to its search rows: every search parameter of its type, compiled once, then pure and fast.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gateway.definitions import Definitions, SearchParameter
from gateway.fhirpath import Element, Environment, FHIRPathError, Path, compile
from gateway.fhirpath.values import type_name
from gateway.records import Resource
from gateway.search import words
from gateway.search.alike import alike
from gateway.search.expressions import code_systems, entrances, last_element
from gateway.search.numbers import (
    component_number,
    contained_number,
    identifier_number,
    link_number,
    number,
    text_number,
    typed_number,
    within,
)
from gateway.search.rows import (
    PART,
    READERS,
    SYSTEM_TYPES,
    TEXTS,
    Place,
    Reader,
    Row,
    extension_value,
    position_of_element,
    reference_of_reference,
    string_of_family,
    token_of_identifier,
    typed_of_identifier,
)
from gateway.search.text import folded
from gateway.search.units import BASE_UNITS, UCUM

IndexRows = dict[str, list[Row]]
"""Search table to its rows: the table's columns after `partition` and `rid`."""

DEFAULT_ZONE = ZoneInfo("Europe/Stockholm")

# What the store knows by itself.
_OWN = frozenset({"_id", "_lastUpdated"})
TEXT = ("_text", "_content")
"""The parameters that look for words: in the narrative, and in everything."""
_NEAR = ("special", "near")
MAX_CONTAINED = 200
"""Contained resources of one resource that a search can see."""


def kind_of(parameter: SearchParameter) -> str | None:
    """The kind of rows that a parameter is found by, or what it is answered by instead; None where it is not."""
    if parameter.code in TEXT:
        return "text"
    if not _is_path(parameter.expression):
        return "composite" if parameter.type == "composite" and parameter.components else None
    if (parameter.type, parameter.code) == _NEAR:
        return "position"
    return parameter.type if parameter.type in READERS or parameter.type == "composite" else None


def whole(parameter: SearchParameter, resource_type: str) -> bool:
    """Whether a composite's only element is the resource itself: then its components are met by what they are of."""
    return parameter.expression == resource_type


def component_kind(definitions: Definitions, url: str) -> str | None:
    found = definitions.search_parameter(url)
    return found.type if found is not None and found.type in READERS else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one parameter is read."""

    code: str
    kind: str
    number: int
    more: tuple[int, int]
    """The numbers of what modifiers look at: `:identifier` of references, `:text` and `:of-type` of tokens."""
    path: Path
    place: Place
    readers: Mapping[str, Reader]
    table: str
    versioned: bool = False
    """Whether it is the url of what has a version, with which a search may name it."""
    straight: _Straight | None = None


@dataclass(frozen=True, slots=True)
class _Straight:
    """The code that finds the values of a parameter, all of one type, and what reads that type: most need no more."""

    find: Callable[[Any, Any], list[Any]]
    reader: Reader
    identified: bool
    texts: Callable[[Mapping[str, Any]], list[Row]] | None
    typed: bool


def _straight(path: Path, kind: str, readers: Mapping[str, Reader]) -> _Straight | None:
    code = path.code()
    reader = readers.get(code[1]) if code else None
    if code is None or reader is None:
        return None
    texts = TEXTS.get(code[1]) if kind == "token" else None
    return _Straight(code[0], reader, (kind, code[1]) == ("reference", "Reference"), texts, code[1] == "Identifier")


@dataclass(frozen=True, slots=True)
class _Alike:
    """A parameter and those that find the same where it leads to a type: what two find has one row (`alike.py`)."""

    wide: _Plan
    find: Callable[[Any, Any], list[Any]]
    narrow: tuple[tuple[str, _Plan, _Plan], ...]
    """The type, how the other one is read, and how what both find is stored."""


@dataclass(frozen=True, slots=True)
class _Component:
    kind: str
    number: int
    expression: str


@dataclass(frozen=True, slots=True)
class _Composite:
    """How a composite parameter is read: its elements, and of each what its components find."""

    code: str
    path: Path
    components: tuple[_Component, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A component for elements of one type, and the members without one of which it finds nothing."""

    path: Path
    place: Place
    entrances: frozenset[str] | None


class Indexer:
    """Indexes resources of any type by a snapshot of definitions.

    `zone` is where times without a zone are read, `bases` are the urls under which this server is known.
    """

    def __init__(self, definitions: Definitions, *, zone: tzinfo = DEFAULT_ZONE, bases: Iterable[str] = ()) -> None:
        self.definitions = definitions
        self.place = Place(zone, tuple(base.rstrip("/") + "/" for base in bases), cased=_cased(definitions))
        self._plans: dict[str, list[tuple[frozenset[str] | None, _Plan | _Composite]]] = {}
        # Resources come in few shapes.
        self._fitting = lru_cache(maxsize=4096)(self._choose)
        self._paired = lru_cache(maxsize=4096)(self._pair)
        self._parts: dict[tuple[str, str], _Part] = {}
        self._contained: dict[tuple[str, str], _Plan] = {}

    def rows(self, resource: Resource) -> IndexRows:
        """The rows of a resource, by table."""
        resource_type = resource["resourceType"]
        rows: IndexRows = {}
        for plan in self._paired(resource_type, tuple(resource)):
            try:
                if isinstance(plan, _Plan):
                    _read(plan, resource, rows)
                elif isinstance(plan, _Alike):
                    _read_alike(plan, resource, rows)
                else:
                    self._read_composite(plan, resource, rows)
            except FHIRPathError:
                # The resource was checked; what a parameter makes of a rare shape must not keep it from being saved.
                continue
        if contained := resource.get("contained"):
            self._read_contained(resource, contained, rows)
        _add_words(resource, (number(resource_type, TEXT[0]), number(resource_type, TEXT[1])), rows)
        return rows

    def _read_contained(self, resource: Resource, contained: Sequence[Resource], rows: IndexRows) -> None:
        """The rows of what the resource contains, and of its references to that: `edge` says which of them it is."""
        places: dict[str, int] = {}
        for place, one in enumerate(contained[:MAX_CONTAINED]):
            kind, id = one.get("resourceType"), one.get("id")
            if kind not in self.definitions.resource_types or not isinstance(id, str):
                continue
            places[f"#{id}"] = place
            found: IndexRows = {"search_token": [(0, contained_number(kind, "_id"), "", folded(id), id, 0)]}
            for plan in self._fitting(kind, tuple(one)):
                if isinstance(plan, _Plan):
                    with suppress(FHIRPathError):
                        _read(self._inside(plan, kind), one, found)
            for table, keys in found.items():
                known = rows.setdefault(table, [])
                known += [(len(known) + n, *key[1:-1], place) for n, key in enumerate(keys)]
        links = rows.setdefault("search_reference", [])
        for plan in self._fitting(resource["resourceType"], tuple(resource)):
            if isinstance(plan, _Plan) and plan.kind == "reference":
                place_number = link_number(resource["resourceType"], plan.code)
                for text in dict.fromkeys(_texts_of(plan, resource)):
                    if text in places:
                        links.append((len(links), place_number, "", text, places[text]))

    def _inside(self, plan: _Plan, resource_type: str) -> _Plan:
        """The same for a resource of the type that is contained."""
        known = self._contained.get((resource_type, plan.code))
        if known is None:
            kind = within(resource_type)
            first, other = (identifier_number,) * 2 if plan.kind == "reference" else (text_number, typed_number)
            more = first(kind, plan.code), other(kind, plan.code)
            known = replace(plan, number=number(kind, plan.code), more=more)
            self._contained[resource_type, plan.code] = known
        return known

    def __call__(self, resource: Resource) -> IndexRows:
        return self.rows(resource)

    def _choose(self, resource_type: str, members: tuple[str, ...]) -> list[_Plan | _Composite]:
        """The plans that may find something in a resource of these members."""
        plans = self._plans.get(resource_type)
        if plans is None:
            plans = self._plans[resource_type] = list(self._prepared(resource_type))
        given = {name.removeprefix("_") for name in members}
        return [plan for needed, plan in plans if needed is None or not needed.isdisjoint(given)]

    def _pair(self, resource_type: str, members: tuple[str, ...]) -> list[_Plan | _Composite | _Alike]:
        """The same, and together those of which one finds what another does."""
        plans: dict[str, _Plan | _Composite | _Alike] = {one.code: one for one in self._fitting(resource_type, members)}
        pairs = alike(self.definitions, resource_type)
        for code in dict.fromkeys(one.wide for one in pairs):
            wide = plans.get(code)
            if not isinstance(wide, _Plan) or wide.straight is None:
                continue
            narrow = []
            for one in pairs:
                if one.wide == code and isinstance(own := plans.pop(one.narrow, None), _Plan):
                    more = identifier_number(resource_type, one.code)
                    stored = replace(wide, number=number(resource_type, one.code), more=(more, more))
                    narrow.append((one.type, own, stored))
            plans[code] = _Alike(wide, wide.straight.find, tuple(narrow))
        return list(plans.values())

    def _prepared(self, resource_type: str) -> Iterator[tuple[frozenset[str] | None, _Plan | _Composite]]:
        """Every parameter's plan, and the members without one of which it finds nothing."""
        for parameter in self.definitions.search_parameters(resource_type).values():
            plan = self._plan(resource_type, parameter)
            if plan is not None:
                yield entrances(self.definitions, resource_type, plan.path.syntax), plan

    def _plan(self, resource_type: str, parameter: SearchParameter) -> _Plan | _Composite | None:
        kind, code = kind_of(parameter), parameter.code
        if kind is None or kind == "text" or code in _OWN:
            return None
        path = compile(parameter.expression, resource_type, self.definitions)
        if kind == "composite":
            return None if whole(parameter, resource_type) else self._composite(resource_type, parameter, path)
        place, readers = self.place, READERS.get(kind, {})
        if path.result_type == "code":
            place = replace(place, systems=code_systems(self.definitions, resource_type, path.syntax))
        last = last_element(self.definitions, resource_type, path.syntax)
        if kind == "position" and path.result_type:
            readers = {path.result_type: position_of_element}
        elif kind == "string" and last is not None and last.path == "HumanName.family":
            readers = {**readers, "string": string_of_family}
        more = (identifier_number, identifier_number) if kind == "reference" else (text_number, typed_number)
        elements = self.definitions.types[resource_type].elements
        versioned = kind == "uri" and parameter.expression == f"{resource_type}.url" and "version" in elements
        return _Plan(
            code=code,
            kind=kind,
            number=number(resource_type, code),
            more=(more[0](resource_type, code), more[1](resource_type, code)),
            path=path,
            place=place,
            readers=readers,
            table=_table(kind),
            versioned=versioned,
            straight=None if versioned else _straight(path, kind, readers),
        )

    def _composite(self, resource_type: str, parameter: SearchParameter, path: Path) -> _Composite | None:
        components = []
        for position, (url, expression) in enumerate(parameter.components):
            kind = component_kind(self.definitions, url)
            if kind is None:
                return None
            components.append(_Component(kind, component_number(resource_type, parameter.code, position), expression))
        return _Composite(parameter.code, path, tuple(components))

    def _read_composite(self, plan: _Composite, resource: Resource, rows: IndexRows) -> None:
        """The rows of every element in which each component finds something: `edge` says of which."""
        environment = Environment(variables={"resource": resource})
        for position, element in enumerate(plan.path.elements(resource)):
            if not isinstance(element, Element) or element.type is None:
                continue
            found: list[tuple[_Component, list[Row]]] = []
            # The value before the code, which is hardly ever missing.
            for component in reversed(plan.components):
                part = self._part(component.expression, element.type)
                if part.entrances is not None and part.entrances.isdisjoint(element.value):
                    break
                values, kind = part.path.typed(element.value, environment)
                keys = _keys(values, kind, READERS[component.kind], part.place)
                if not keys:
                    break
                found.append((component, keys))
            else:
                for component, keys in found:
                    table = rows.setdefault(_table(component.kind), [])
                    table += [
                        (number, component.number, *key, position)
                        for number, key in enumerate(dict.fromkeys(keys), start=len(table))
                    ]

    def _part(self, expression: str, type: str) -> _Part:
        """A component's expression for elements of a type."""
        known = self._parts.get((expression, type))
        if known is None:
            path = compile(expression, type, self.definitions)
            systems = code_systems(self.definitions, type, path.syntax) if path.result_type == "code" else None
            found = entrances(self.definitions, type, path.syntax)
            known = self._parts[expression, type] = _Part(path, replace(self.place, systems=systems), found)
        return known


def _texts_of(plan: _Plan, resource: Resource) -> Iterator[str]:
    """What a reference parameter's references say."""
    with suppress(FHIRPathError):
        for item in plan.path.typed(resource)[0]:
            value = item.value if isinstance(item, Element) else item
            text = value.get("reference") if isinstance(value, dict) else None
            if isinstance(text, str):
                yield text


def _cased(definitions: Definitions) -> Callable[[str], bool]:
    """Whether a code system minds case, as it says itself."""

    @lru_cache(maxsize=1024)
    def cased(system: str) -> bool:
        found = definitions.code_system(system)
        return system == UCUM if found is None else found.cased

    return cased


def _is_path(expression: str) -> bool:
    # One parameter of R4 has the name of an element where its expression should stand.
    return bool(expression) and ("." in expression or expression[:1].isupper())


def _read(plan: _Plan, resource: Resource, rows: IndexRows) -> None:
    straight = plan.straight
    if straight is None:
        _read_typed(plan, resource, rows)
        return
    try:
        found = straight.find(resource, None)
    except Exception:  # A rare shape.
        _read_typed(plan, resource, rows)
        return
    if not found:
        return
    if straight.identified:
        _read_references(plan, found, rows)
        return
    place, reader = plan.place, straight.reader
    keys = reader(found[0], place) if len(found) == 1 else [row for value in found for row in reader(value, place)]
    if keys:
        _add(rows.setdefault(plan.table, []), plan, keys)
    if straight.texts is not None:
        _append(rows, "search_string", plan.more[0], [row for value in found for row in straight.texts(value)])
        if straight.typed:
            types = [row for value in found if "type" in value for row in typed_of_identifier(value)]
            _append(rows, "search_token", plan.more[1], types)


def _read_alike(plan: _Alike, resource: Resource, rows: IndexRows) -> None:
    """Where there is one value, its row stands for each that finds it; of a rare shape each has rows of its own."""
    try:
        found = plan.find(resource, None)
    except Exception:  # A rare shape.
        found = []
    if len(found) == 1:
        _read_references(_stored(plan, found[0], resource), found, rows)
        return
    for one in (plan.wide, *(own for _, own, _ in plan.narrow)):
        _read(one, resource, rows)


def _stored(plan: _Alike, value: Mapping[str, Any], resource: Resource) -> _Plan:
    """How a value is stored: as both find it, or as the wider one alone does."""
    for kind, own, stored in plan.narrow:
        # What the reference itself says of its type counts first.
        if value.get("type") == kind or own.path.typed(resource)[0]:
            return stored
    return plan.wide


def _read_references(plan: _Plan, found: Sequence[Mapping[str, Any]], rows: IndexRows) -> None:
    """Of References their targets, and their identifiers as tokens: nearly always it is one, with both."""
    place = plan.place
    if len(found) == 1:
        value = found[0]
        for key in reference_of_reference(value, place):
            targets = rows.setdefault(plan.table, [])
            targets.append((len(targets), plan.number, *key, _ONLY))
        for key in token_of_identifier(value["identifier"], place) if "identifier" in value else ():
            tokens = rows.setdefault("search_token", [])
            tokens.append((len(tokens), plan.more[0], *key, 0))
        return
    keys = [row for value in found for row in reference_of_reference(value, place)]
    if keys:
        _add(rows.setdefault(plan.table, []), plan, keys)
    named = [value["identifier"] for value in found if "identifier" in value]
    _append(rows, "search_token", plan.more[0], [row for one in named for row in token_of_identifier(one, place)])


def _read_typed(plan: _Plan, resource: Resource, rows: IndexRows) -> None:
    found, kind = plan.path.typed(resource)
    if not found:
        return
    if kind == "Reference" and plan.kind == "reference":
        _read_references(plan, found, rows)
        return
    keys = _keys(found, kind, plan.readers, plan.place)
    if plan.versioned and keys and "version" in resource:
        keys.append((f"{keys[0][0]}|{resource['version']}",))
    if keys:
        _add(rows.setdefault(plan.table, []), plan, keys)
    if plan.kind == "reference":
        _append(rows, "search_token", plan.more[0], [row for value in found for row in _identifier_of(value)])
    elif plan.kind == "token" and (kind is None or kind in TEXTS):
        _add_token_details(plan, found, kind, rows)


def _keys(found: Iterable[Any], kind: str | None, readers: Mapping[str, Reader], place: Place) -> list[Row]:
    reader = None if kind is None else readers.get(kind)
    if reader is not None:
        return [row for value in found for row in reader(value, place)]
    items = found if kind is None else (Element(value, kind) for value in found)
    return [row for item in items for row in _of_item(item, readers, place)]


def _of_item(item: Any, readers: Mapping[str, Reader], place: Place) -> Iterable[Row]:
    """The rows of an item that knows its type."""
    if isinstance(item, Element):
        if item.value is None:
            return ()
        if item.type == "Extension":
            inner = extension_value(item.value)
            return () if inner is None else _of_item(inner, readers, place)
        reader = readers.get(item.type or "")
        if reader is None and isinstance(item.value, dict) and "resourceType" in item.value:
            reader = readers.get("Resource")
        return () if reader is None else reader(item.value, place)
    reader = readers.get(SYSTEM_TYPES.get(type_name(item)[1], ""))
    return () if reader is None else reader(item if isinstance(item, bool | int | str) else str(item), place)


def _add_token_details(plan: _Plan, found: Iterable[Any], kind: str | None, rows: IndexRows) -> None:
    """What `:text` and `:of-type` look at."""
    texts: list[Row] = []
    typed: list[Row] = []
    for item in found:
        value, of = (item.value, item.type) if isinstance(item, Element) else (item, kind)
        if of is not None and of in TEXTS and isinstance(value, dict):
            texts += TEXTS[of](value)
            if of == "Identifier" and "type" in value:
                typed += typed_of_identifier(value)
    _append(rows, "search_string", plan.more[0], texts)
    _append(rows, "search_token", plan.more[1], typed)


def _identifier_of(item: Any) -> Iterable[Row]:
    value = item.value if isinstance(item, Element) else item
    identifier = value.get("identifier") if isinstance(value, dict) and "resourceType" not in value else None
    return READERS["token"]["Identifier"](identifier, _NOWHERE) if isinstance(identifier, dict) else ()


def _add_words(resource: Resource, numbers: tuple[int, int], rows: IndexRows) -> None:
    texts = [
        (number, text, edge)
        for edge, (text, number) in enumerate(zip(words.of(resource), numbers, strict=True))
        if text
    ]
    rows["search_text"] = [(position, *row) for position, row in enumerate(texts)]


_NOWHERE = Place(DEFAULT_ZONE)
_MIN, _MAX, _ONLY = 1, 2, 3


def _table(kind: str) -> str:
    return f"search_{kind}"


def _append(rows: IndexRows, table: str, number: int, keys: list[Row]) -> None:
    """Append keys that nobody sorts by, equal ones once."""
    if not keys:
        return
    found = rows.setdefault(table, [])
    for key in keys if len(keys) == 1 else dict.fromkeys(keys):
        found.append((len(found), number, *key, 0))


def _add(rows: list[Row], plan: _Plan, keys: Sequence[Row]) -> None:
    """Append the keys of a parameter, equal ones once, the smallest and the largest marked."""
    if len(keys) == 1:
        rows.append((len(rows), plan.number, *keys[0], _ONLY))
        return
    keys = sorted(set(keys))
    sorted_by = [key for key in keys if _has_order(plan.kind, key)] or keys
    last = max(sorted_by, key=_high) if plan.kind == "date" else sorted_by[-1]
    for key in keys:
        edge = (_MIN if key == sorted_by[0] else 0) | (_MAX if key == last else 0)
        rows.append((len(rows), plan.number, *key, edge))


def _has_order(kind: str, key: Row) -> bool:
    """Whether a key is sorted by: a text as a whole, and a quantity as it is in the units that all are converted to."""
    return key[1] != PART if kind == "string" else key[2] == BASE_UNITS if kind == "quantity" else True


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
            for place in numbers_of(resource_type, parameter):
                if taken.setdefault(place, name) != name:
                    found.append(f"{name} has the same number as {taken[place]}: rename it.")
            try:
                compile(parameter.expression or "{}", resource_type, definitions)
            except FHIRPathError as error:
                found.append(f"{name}: {error.text}")
        for pair in alike(definitions, resource_type):
            name = f"{resource_type}.{pair.code}"
            for place in (number(resource_type, pair.code), identifier_number(resource_type, pair.code)):
                if taken.setdefault(place, name) != name:
                    found.append(f"{name} has the same number as {taken[place]}: rename it.")
    return found


def numbers_of(resource_type: str, parameter: SearchParameter) -> Iterable[int]:
    """Every number that a parameter takes, for what stands by itself and for what is contained."""
    code = parameter.code
    for kind in (resource_type, within(resource_type)):
        yield number(kind, code)
        if parameter.type == "reference":
            yield identifier_number(kind, code)
        if parameter.type == "token":
            yield text_number(kind, code)
            yield typed_number(kind, code)
    if parameter.type == "reference":
        yield link_number(resource_type, code)
    for position in range(len(parameter.components)):
        yield component_number(resource_type, code, position)
