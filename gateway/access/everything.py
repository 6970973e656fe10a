"""$everything: the record of a person, or of an encounter, in pages; decided, narrowed and audited as a search is.

What belongs to it are the members of its compartment; with them comes what they refer to, and who answers for them.
A person's record is that of all Patients that are this person.

https://hl7.org/fhir/R4/patient-operation-everything.html, https://hl7.org/fhir/R4/encounter-operation-everything.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing
from gateway.access.decision import Decision, decide, source_of
from gateway.access.searching import MOST_INCLUDED, PAGE, Params, Searching, url_of
from gateway.errors import BadRequest, Gone
from gateway.fhir import bundle
from gateway.fhir.json import dump
from gateway.fhir.links import Kind, renamed
from gateway.identity.resolve import logical_references
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.search.conditions import IdIs, Own
from gateway.search.cursor import START, Cursor
from gateway.search.everything import ALWAYS, Span, members, query
from gateway.search.links import Page
from gateway.search.numbers import number
from gateway.search.query import Include, Query
from gateway.search.rows import local
from gateway.store import Stored, UnitOfWork
from gateway.store.narrowing import Narrowing

MOST: Final = 1000
"""Members on a page, also where the caller sets no number: larger records have further pages."""
HOPS: Final = 3
"""How far references are followed: from a task to a unit, and to those above it. From person to person none is."""
BEHIND: Final = Include("Provenance", (number("Provenance", "target"),), None)
"""Who answers for what is there is not in the compartment, and belongs to it all the same, the operation says."""
Key = tuple[str, str]
"""Resource type and id."""
Identified = tuple[str, str, str]
Walk = Callable[[Stored], tuple[set[Key], set[Identified]]]
"""What a resource refers to: by type and id, and by identifiers that may be known."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the record: of when the care was given, of when it was changed, of which types (none: all)."""

    care: Span = ALWAYS
    since: int | None = None
    types: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A page of the record: its members, what comes with them, and whether that is all of it."""

    matches: Sequence[Stored] = ()
    beside: Sequence[Stored] = ()
    before: Cursor | None = None
    behind: Cursor | None = None
    whole: bool = True
    total: int | None = None


class Everything(Searching):
    """everything."""

    def everything(
        self,
        asking: Asking,
        resource_type: str,
        id: str | None,
        wanted: Wanted,
        *,
        base: str,
        params: Params = (),
        page: str | None = None,
        shown: Params = (),
    ) -> bytes:
        """A searchset Bundle: the record of one resource, or (without an id) of all of the type that may be seen.

        `params` are those that `wanted` says, as they were given; `page` is where an earlier answer leads to. NotFound,
        Gone, BadRequest.
        """
        path = "/".join(filter(None, (resource_type, id, "$everything")))
        cursor = self._place(asking, path, params, page)
        self._types(wanted.types)
        ids = None if id is None else self._those(asking, resource_type, id)
        asked = self._query(resource_type, ids, wanted)
        visible = narrowing(self, asking.caller)
        part = self._rooms.store.read(lambda uow: self._part(uow, asked, cursor, visible, wanted, base))
        self.audit(asking, decide(asking.caller, resource_type, takes_part=None), *part.matches, *part.beside)

        def to(cursor: Cursor) -> Params:
            return ((PAGE, self._rooms.links.seal(Page(path, params, cursor), source_of(asking.caller))),)

        places = {"first": START if part.before or part.behind else None, "prev": part.before, "next": part.behind}
        links = {"self": url_of(base, path, (*params, *(((PAGE, page),) if page else ()), *shown))}
        links |= {name: url_of(base, path, (*params, *to(place), *shown)) for name, place in places.items() if place}
        return dump(_answer(part, base, links))

    def _place(self, asking: Asking, path: str, params: Params, page: str | None) -> Cursor:
        if page is None:
            return START
        found = self._rooms.links.open(page, source_of(asking.caller))
        if (found.path, found.params) != (path, params):
            raise BadRequest("This page belongs to another search.", rule="page-link")
        return found.cursor

    def _types(self, types: Iterable[str]) -> None:
        for one in types:
            if one not in self._rooms.definitions.resource_types:
                text = "Name R4's resource types, with commas between them."
                raise BadRequest(text, rule="unknown-resource-type", where="_type")

    def _those(self, asking: Asking, resource_type: str, id: str) -> Collection[str]:
        """The ids whose record it is: of a person all of them. NotFound, Gone."""

        def ask(uow: UnitOfWork) -> tuple[Stored | None, list[str], Decision]:
            found = uow.resources.read(resource_type, id)
            alike = uow.persons.patients_of([found.person]) if found is not None and found.person else {}
            known = next(iter(alike.values()), [])
            return found, known if id in known else [], self.judge(uow, asking, found)

        found, alike, decision = self._rooms.store.read(ask)
        if self.known(asking, found, decision).deleted:
            raise Gone()
        return {id, *alike}

    def _query(self, resource_type: str, ids: Collection[str] | None, wanted: Wanted) -> Query:
        definitions = self._rooms.definitions
        held = members(definitions, resource_type)
        # What is in no compartment is found from its members, of whatever type.
        only = set(wanted.types) if wanted.types and set(wanted.types) <= set(held) else set(held)
        types = [one for one in held if one in only]
        count = MOST if wanted.count is None else min(wanted.count, MOST)
        return query(definitions, resource_type, ids, types, care=wanted.care, since=wanted.since, count=count)

    def _part(
        self, uow: UnitOfWork, asked: Query, cursor: Cursor, visible: Narrowing | None, wanted: Wanted, base: str
    ) -> _Part:
        if asked.count == 0:
            return _Part(total=uow.searches.total(asked, narrowing=visible))
        page = uow.searches.page(asked, after=cursor, narrowing=visible)
        beside, whole = _beside(uow, self._walked(base), page.matches, asked, visible)
        matches, beside = ([one for one in some if _is_of(one, wanted)] for some in (page.matches, beside))
        total = len(matches) if cursor == START and page.behind is None else None
        return _Part(matches, beside, page.before, page.behind, whole, total)

    def _walked(self, base: str) -> Walk:
        definitions, bases = self._rooms.definitions, (f"{base.rstrip('/')}/",)

        def walk(one: Stored) -> tuple[set[Key], set[Identified]]:
            keys: set[Key] = set()

            def look(text: str, kind: Kind, path: str) -> None:
                if kind != "narrative" and (key := local(text, bases)) and key[0] in definitions.resource_types:
                    keys.add(key)

            resource = one.resource()
            renamed(resource, definitions, look)
            return keys, {key for _, key in logical_references(resource)}

        return walk


def _beside(
    uow: UnitOfWork,
    walk: Walk,
    matches: Sequence[Stored],
    asked: Query,
    visible: Narrowing | None,
) -> tuple[list[Stored], bool]:
    """What comes with the members of a page, each once, and whether that is all."""
    seen = {(one.resource_type, one.id) for one in matches}
    found: list[Stored] = []
    behind, whole = uow.searches.included(
        Query((), revincludes=(BEHIND,)), matches, narrowing=visible, most=MOST_INCLUDED
    )
    fresh: list[Stored] = [*matches, *behind]
    found += behind
    seen |= {(one.resource_type, one.id) for one in behind}
    for _ in range(HOPS):
        keys: set[Key] = set()
        identified: set[Identified] = set()
        for one in fresh:
            named, known = walk(one)
            keys |= named
            identified |= known
        keys |= {(key[0], id) for key, id in uow.identifiers.find(identified).items()}
        keys -= seen
        seen |= keys
        if not keys:
            break
        if len(found) + len(keys) > MOST_INCLUDED:
            keys, whole = set(sorted(keys)[: max(0, MOST_INCLUDED - len(found))]), False
        met = _fetched(uow, keys, visible)
        found += met
        # What is about a person has a record of its own; on from what is about nobody.
        fresh = [one for one in met if one.person is None]
    return _others(uow, found, asked, visible), whole


def _fetched(uow: UnitOfWork, keys: set[Key], visible: Narrowing | None) -> list[Stored]:
    if not keys:
        return []
    types, ids = sorted({kind for kind, _ in keys}), tuple(IdIs(id) for id in sorted({id for _, id in keys}))
    # Ids and types are asked for crosswise: there may be one of each type under each id.
    asked = Query(tuple(types), criteria=(Own("_id", ids),), count=len(types) * len(ids))
    page = uow.searches.page(asked, narrowing=visible)
    return [one for one in page.matches if (one.resource_type, one.id) in keys]


def _others(uow: UnitOfWork, found: list[Stored], asked: Query, visible: Narrowing | None) -> list[Stored]:
    """Without what is a member itself, and so has its own place on one of the pages."""
    some = [one for one in found if one.resource_type in asked.types]
    if not some:
        return found
    ids = tuple(IdIs(id) for id in sorted({one.id for one in some}))
    own = Query(asked.types, criteria=(*asked.criteria, Own("_id", ids)), count=len(asked.types) * len(ids))
    placed = {one.rid for one in uow.searches.page(own, narrowing=visible).matches}
    return [one for one in found if one.rid not in placed]


def _is_of(one: Stored, wanted: Wanted) -> bool:
    return not wanted.types or one.resource_type in wanted.types


def _answer(part: _Part, base: str, links: dict[str, str]) -> Resource:
    entries = [bundle.Found(one.resource_type, one.id, one.body) for one in part.matches]
    entries += [bundle.Found(one.resource_type, one.id, one.body, "include") for one in part.beside]
    answer = bundle.searchset(entries, base=base, links=links, total=part.total)
    if not part.whole:
        text = f"More than {MOST_INCLUDED} resources come with these; the rest is left out. Ask for smaller pages."
        outcome = operation_outcome([Issue("warning", "too-costly", "too-many-included", text)])
        answer.setdefault("entry", []).append({"resource": outcome, "search": {"mode": "outcome"}})
    return answer
