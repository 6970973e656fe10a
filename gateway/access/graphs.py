"""$graphql: a query over what the caller may see, read in batches within one snapshot, and audited as a whole.

https://hl7.org/fhir/R4/graphql.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing, terminology
from gateway.access.decision import decide, source_of
from gateway.access.reading import Rooms
from gateway.access.searching import Searching, others
from gateway.definitions import Definitions
from gateway.errors import BadRequest
from gateway.fhir import json
from gateway.fhir.json import dump
from gateway.fhirpath import Environment
from gateway.identity.identifiers import is_logical, key_of
from gateway.records import Resource
from gateway.search.conditions import IdIs, Own
from gateway.search.cursor import START
from gateway.search.links import Page
from gateway.search.query import Limits, Query, parse, served
from gateway.search.rows import local
from gateway.store import Stored, UnitOfWork
from gateway.store.narrowing import Narrowing

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from gateway.graphql.execution import Answered, Asked, Found

Key = tuple[str, str]
RELATIONS = {"first": "first", "prev": "previous", "next": "next", "last": "last"}
"""What the pages of a connection are called, by what they are called elsewhere."""

MOST_KEPT = 16_000_000
"""Bytes of an answer about the schema that is kept for those who ask the same."""


class Graphs(Searching):
    """graphql."""

    def graphql(self, asking: Asking, asked: Asked, base: str) -> tuple[bytes, bool]:
        """The answer to a query, and whether it was understood. NotFound, Gone for the resource that it is about."""
        # The library and the schema are for those who ask: they would cost every start a second.
        from gateway.graphql.execution import of_the_schema

        if asked.root is not None:
            self.read(asking, *asked.root)
        elif of_the_schema(asked):
            self.audit(asking, decide(asking.caller, "Resource", takes_part=None))
            told = asked.query, asked.operation, dump(dict(asked.variables))
            return _of_the_schema(self._rooms.definitions, *told)
        answered = self._answered(asking, asked, base)
        return dump(answered.body()), answered.executed

    def _answered(self, asking: Asking, asked: Asked, base: str) -> Answered:
        from gateway.graphql.execution import answer

        definitions = self._rooms.definitions
        schema = _schema(definitions)
        visible = narrowing(self, asking.caller)
        env = Environment(now=self._rooms.clock())

        def ask(uow: UnitOfWork) -> tuple[Answered, list[Stored]]:
            reader = _Reader(self._rooms, uow, asking, visible, base)
            return answer(schema, definitions, reader, asked, env), list(reader.found.values())

        answered, found = self._rooms.store.read(ask)
        self.audit(asking, decide(asking.caller, "Resource", takes_part=None), *found)
        return answered


@lru_cache(maxsize=2)
def _schema(definitions: Definitions) -> GraphQLSchema:
    from gateway.graphql.schema import schema

    return schema(definitions, partial(served, definitions))


class _NotKept(Exception):
    """An answer that is not worth its memory."""

    def __init__(self, told: tuple[bytes, bool]) -> None:
        super().__init__()
        self.told = told


def _of_the_schema(definitions: Definitions, query: str, operation: str | None, variables: bytes) -> tuple[bytes, bool]:
    try:
        return _kept(definitions, query, operation, variables)
    except _NotKept as one:
        return one.told


@lru_cache(maxsize=2)
def _kept(definitions: Definitions, query: str, operation: str | None, variables: bytes) -> tuple[bytes, bool]:
    """The whole schema is some 12 MB: it is written once for each query that clients send for it. _NotKept."""
    from gateway.graphql.execution import Asked, answer

    asked = Asked(query, operation, json.parse(variables))
    answered = answer(_schema(definitions), definitions, None, asked, Environment())
    told = dump(answered.body()), answered.executed
    if answered.errors or len(told[0]) > MOST_KEPT:
        raise _NotKept(told)
    return told


@dataclass(slots=True)
class _Reader:
    """Reads within one unit of work, narrowed; remembers what was found, for the audit."""

    rooms: Rooms
    uow: UnitOfWork
    asking: Asking
    visible: Narrowing | None
    base: str
    found: dict[int, Stored] = field(default_factory=dict)

    def read(self, keys: Sequence[Key]) -> Mapping[Key, Resource]:
        ids = tuple(IdIs(id) for id in sorted({id for _, id in keys}))
        types = tuple(sorted({kind for kind, _ in keys}))
        query = Query(types, criteria=(Own("_id", ids),), count=len(ids) * len(types))
        page = self.uow.searches.page(query, narrowing=self.visible)
        wanted = set(keys)
        met = [one for one in page.matches if (one.resource_type, one.id) in wanted]
        return {(one.resource_type, one.id): self._met(one) for one in met}

    def target(self, references: Sequence[Mapping[str, Any]]) -> Sequence[Key | None]:
        bases = (f"{self.base.rstrip('/')}/",)
        literal = [local(str(one.get("reference", "")), bases) for one in references]
        logical = [None if key else dict(one) for one, key in zip(references, literal, strict=True)]
        named = [key_of(one) if one is not None and is_logical(one) else None for one in logical]
        known = self.uow.identifiers.find([one for one in named if one is not None])
        ids = [(key[0], known[key]) if key is not None and key in known else None for key in named]
        return [key or other for key, other in zip(literal, ids, strict=True)]

    def search(
        self,
        resource_type: str,
        params: Sequence[tuple[str, str]],
        *,
        count: int | None,
        offset: int,
        cursor: str | None,
        total: bool,
    ) -> Found:
        from gateway.graphql.execution import Found

        path, place, owner = f"$graphql/{resource_type}", START, source_of(self.asking.caller)
        asked = [*params, *([("_count", str(count))] if count is not None else [])]
        if cursor is not None:
            page = self.rooms.links.open(cursor, owner)
            if page.path != path:
                raise BadRequest("This page belongs to another search.", rule="page-link")
            asked, place = list(page.params), page.cursor
        query = parse(
            resource_type,
            asked,
            self.rooms.definitions,
            progress=self.rooms.known.percent,
            zone=self.rooms.zone,
            bases=(self.base,),
            now=self.rooms.clock(),
            limits=Limits(count=self.rooms.page_size),
            terminology=terminology(self.rooms, self.base, uow=self.uow),
        )
        most = Limits().most
        if offset < 0 or offset + query.count > most:
            text = f"_offset and _count are not negative, and {most} together at most: go on by _cursor."
            raise BadRequest(text, rule="parameter-malformed", where="_offset")
        size = query.count
        found = self.uow.searches.page(_sized(query, offset + size), after=place, narrowing=self.visible)
        counted = self.uow.searches.total(query, narrowing=self.visible) if total else None
        pages = {} if offset else others(query, found, counted)
        return Found(
            [self._met(one) for one in found.matches[offset:]],
            counted,
            offset,
            size,
            {
                RELATIONS[name]: self.rooms.links.seal(Page(path, tuple(asked), place), owner)
                for name, place in pages.items()
            },
        )

    def _met(self, one: Stored) -> Resource:
        self.found[one.rid] = one
        return one.resource()


def _sized(query: Query, count: int) -> Query:
    return query if query.count == count else Query(query.types, query.criteria, query.sort, count)
