"""The latest of each kind among what a search finds: two selects, whatever is found, however many kinds there are.

https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from gateway.keysets import among
from gateway.search.criteria import matching
from gateway.search.query import Query
from gateway.store.narrowing import Narrowing
from gateway.store.versions import COLUMNS, Stored, stored
from gateway.tables import resource, search_date, search_string, search_token

Time = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What a resource found is of: its codes, or the texts that stand for one; and when it was."""

    codes: frozenset[tuple[str, str]] = frozenset()
    texts: frozenset[str] = frozenset()
    time: Time | None = None


class Latest:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def kinds(
        self, query: Query, narrowing: Narrowing | None, *, code: int, text: int, date: int, most: int
    ) -> dict[int, Kinds] | None:
        """Of each resource that is found, by its row, by the numbers of three parameters; None where it is too many."""
        found = select(resource.c.rid).select_from(resource)
        visible = None if narrowing is None else narrowing.test()
        rids = list(self._connection.scalars(matching(query.types, query.criteria, found, visible).limit(most + 1)))
        if len(rids) > most:
            return None
        codes: dict[int, set[tuple[str, str]]] = {}
        tokens = search_token.c
        for rid, system, folded, cased in self._rows(
            select(tokens.rid, tokens.system, tokens.code, tokens.cased).where(tokens.param == code), tokens.rid, rids
        ):
            codes.setdefault(rid, set()).add((system, cased or folded))
        strings = search_string.c
        texts: dict[int, set[str]] = {}
        for rid, exact in self._rows(
            select(strings.rid, strings.exact).where(strings.param == text),
            strings.rid,
            [rid for rid in rids if rid not in codes],
        ):
            texts.setdefault(rid, set()).add(exact)
        times: dict[int, Time] = {}
        days = search_date.c
        for rid, low, high in self._rows(
            select(days.rid, days.low, days.high).where(days.param == date), days.rid, rids
        ):
            times[rid] = max(times.get(rid, (high, low)), (high, low))
        return {
            rid: Kinds(frozenset(codes.get(rid, ())), frozenset(texts.get(rid, ())), times.get(rid)) for rid in rids
        }

    def read(self, rids: Collection[int]) -> dict[int, Stored]:
        """The resources of these rows."""
        rows = self._connection.execute(select(*COLUMNS).where(among(resource.c.rid, sorted(rids))))
        return {one.rid: one for one in map(stored, rows)}

    def _rows(self, found: Select[Any], column: ColumnElement[int], rids: Collection[int]) -> Sequence[Any]:
        return self._connection.execute(found.where(among(column, sorted(rids)))).all()
