"""Search over what is stored: the selects of `gateway.search.sql`, narrowed to what a caller may see.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, or_, select

from gateway.fhir.json import parse
from gateway.records import Resource
from gateway.search import sql
from gateway.search.query import Query
from gateway.search.sql import END, START, Cursor
from gateway.store.sets import among
from gateway.store.versions import COLUMNS, Stored, stored
from gateway.tables import contributor, resource, search_token, takes_part


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a caller sees: what is about the persons in whose care one of `parties` (HSA-ids) takes part.

    A resource with the security label `withheld` (system, code) is seen only where `sources`, the caller's own, state
    it, and nobody else does.
    Types in `open_types` are about nobody, and seen whole.
    """

    parties: tuple[str, ...]
    sources: tuple[str, ...]
    withheld: tuple[str, str]
    open_types: Collection[str]

    def test(self) -> ColumnElement[bool]:
        persons = select(takes_part.c.person).where(among(takes_part.c.hsa_id, self.parties))
        system, code = self.withheld
        labelled = exists().where(
            search_token.c.rid == resource.c.rid, search_token.c.system == system, search_token.c.code == code
        )
        stated = exists().where(contributor.c.rid == resource.c.rid)
        by_others = exists().where(contributor.c.rid == resource.c.rid, ~among(contributor.c.source, self.sources))
        return or_(
            among(resource.c.resource_type, sorted(self.open_types)),
            resource.c.person.in_(persons) & or_(~labelled, stated & ~by_others),
        )


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The matches of a page in order, and where the pages before and behind it are; None where there is none."""

    matches: tuple[Stored, ...] = ()
    before: Cursor | None = None
    behind: Cursor | None = None
    total: int | None = None


class Searches:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def canonical(self, resource_type: str, url: str, bases: tuple[str, ...]) -> Resource | None:
        """A kept resource by its canonical url, which may name a version, or by its id."""
        body = self._connection.scalar(*sql.canonical(resource_type, url, bases))
        return None if body is None else parse(body)

    def page(
        self, query: Query, *, after: Cursor = START, narrowing: Narrowing | None = None, counted: bool = False
    ) -> SearchPage:
        """The page behind the cursor, or in front of a backward one; `counted`: with the total, asked in one."""
        visible = None if narrowing is None else narrowing.test()
        found = sql.select(query, *COLUMNS, after=after, visible=visible, counted=counted)
        rows = self._connection.execute(found).all()
        total: int | None = None
        if counted:
            at = len(COLUMNS)
            total = rows[0][at] if rows else 0 if after == START else self.total(query, narrowing=narrowing)
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
        return SearchPage(tuple(map(stored, shown)), before, behind, total)

    def total(self, query: Query, *, narrowing: Narrowing | None = None) -> int:
        """How many match."""
        visible = None if narrowing is None else narrowing.test()
        return int(self._connection.scalar(sql.count(query, visible=visible)) or 0)

    def included(
        self, query: Query, matches: Sequence[Stored], *, narrowing: Narrowing | None = None, most: int = 1000
    ) -> tuple[list[Stored], bool]:
        """What the matches include, each once, and whether that was all: at most so many."""
        seen = {one.rid for one in matches}
        found: list[Stored] = []
        fresh: Sequence[Stored] = matches
        again = False
        while fresh:
            met: list[Stored] = []
            for statement in sql.included(
                query, [(one.rid, one.resource_type, one.id) for one in fresh], *COLUMNS, again=again
            ):
                if narrowing is not None:
                    statement = statement.where(narrowing.test())  # noqa: PLW2901
                for row in self._connection.execute(statement.limit(most + 1 + len(seen))):
                    one = stored(row)
                    if one.rid not in seen:
                        seen.add(one.rid)
                        met.append(one)
                if len(found) + len(met) > most:
                    return [*found, *met][:most], False
            found += met
            fresh, again = met, True
        return found, True
