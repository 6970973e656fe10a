"""Search over what is stored: the selects of `gateway.search.sql`, narrowed to what a caller may see.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from gateway.fhir.json import parse
from gateway.records import Resource
from gateway.search import sql
from gateway.search.cursor import END, START, Cursor
from gateway.search.query import Query
from gateway.search.shape import shape
from gateway.store import kept
from gateway.store.failures import driver_errors
from gateway.store.kept import Statement
from gateway.store.narrowing import Narrowing
from gateway.store.sets import settle
from gateway.store.versions import COLUMNS, Stored, stored, stored_plain

_NONE: Mapping[str, Any] = MappingProxyType({})


F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class SearchPage(Generic[F]):
    """The matches of a page in order, and where the pages before and behind it are; None where there is none."""

    matches: tuple[F, ...] = ()
    before: Cursor | None = None
    behind: Cursor | None = None


def page_of(query: Query, after: Cursor, rows: Sequence[Any], read: Callable[[Any], F]) -> SearchPage[F]:
    """The page of some rows of `sql.select`; `read` makes a match of one."""
    size = sql.size(query, after)
    shown, goes_on = rows[:size], len(rows) > size > 0
    if after.backward:
        shown = shown[::-1]
        before = sql.cursor(query, shown[0], backward=True) if goes_on else None
        # There was something behind; where all of this page is gone meanwhile, it begins there.
        behind = None if after.rid is None else sql.cursor(query, shown[-1]) if shown else START
    else:
        before = None if after.rid is None else sql.cursor(query, shown[0], backward=True) if shown else END
        behind = sql.cursor(query, shown[-1]) if goes_on else None
    return SearchPage(tuple(map(read, shown)), before, behind)


class Searches:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name

    def canonical(self, resource_type: str, url: str, bases: tuple[str, ...]) -> Resource | None:
        """A kept resource by its canonical url, which may name a version, or by its id."""
        body = self._connection.scalar(*sql.canonical(resource_type, url, bases))
        return None if body is None else parse(body)

    def page(self, query: Query, *, after: Cursor = START, narrowing: Narrowing | None = None) -> SearchPage[Stored]:
        """The page behind the cursor, or in front of a backward one."""
        found = shape(query, after)
        if found is None:
            visible = None if narrowing is None else narrowing.test()
            select = sql.select(query, *COLUMNS, after=after, visible=visible)
            return page_of(query, after, self._connection.execute(select).all(), stored)
        one, values = found
        statement = kept.page(one, self._dialect, narrowed=narrowing is not None, counted=False)
        return page_of(query, after, self._rows(statement, values, narrowing), stored_plain)

    def rows_of_several(
        self, statement: Statement, asked: Sequence[Mapping[str, Any]], narrowing: Narrowing | None
    ) -> list[list[Any]]:
        """The rows of each question that differs from the others in these values alone."""
        several = statement.of_several if len(asked) > 1 else None
        if several is None:
            return [self._rows(statement, values, narrowing) for values in asked]
        found: list[list[Any]] = [[] for _ in asked]
        seen = _NONE if narrowing is None else statement.written(narrowing.values())
        with driver_errors(self._connection, several.sql):
            cursor = self._connection.connection.cursor()
            for n, *row in cursor.execute(several.sql, several.parameters(asked, seen)).fetchall():
                found[n].append(row)
        return found

    def _rows(
        self, statement: Statement, values: Mapping[str, Any] = _NONE, narrowing: Narrowing | None = None
    ) -> list[Any]:
        given = values if narrowing is None else {**values, **narrowing.values()}
        settle(self._connection, statement.sql)
        with driver_errors(self._connection, statement.sql):
            cursor = self._connection.connection.cursor()
            return list(cursor.execute(statement.sql, statement.parameters(given)).fetchall())

    def total(self, query: Query, *, narrowing: Narrowing | None = None) -> int:
        """How many match."""
        found = shape(query, START)
        if found is None:
            visible = None if narrowing is None else narrowing.test()
            return int(self._connection.scalar(sql.count(query, visible=visible)) or 0)
        one, values = found
        statement = kept.count(one, self._dialect, narrowed=narrowing is not None)
        return int(self._rows(statement, values, narrowing)[0][0])

    def included(
        self, query: Query, matches: Sequence[Stored], *, narrowing: Narrowing | None = None, most: int = 1000
    ) -> tuple[list[Stored], bool]:
        """What the matches include, each once, and whether that was all: at most so many."""
        narrowed = narrowing is not None
        seen = {one.rid for one in matches}
        found: list[Stored] = []
        fresh: Sequence[Stored] = matches
        again = False
        while fresh:
            met: list[Stored] = []
            places = [(one.rid, one.resource_type, one.id) for one in fresh]
            for include, kind, group in sql.leading(query, places, again=again):
                values = {
                    "rids": [rid for rid, _, _ in group],
                    "ids": [id for _, _, id in group],
                    "most": most + 1 + len(seen),
                }
                statement = kept.included(include, kind, self._dialect, narrowed=narrowed)
                for row in self._rows(statement, values, narrowing):
                    one = stored_plain(row)
                    if one.rid not in seen:
                        seen.add(one.rid)
                        met.append(one)
                if len(found) + len(met) > most:
                    return [*found, *met][:most], False
            found += met
            fresh, again = met, True
        return found, True
