"""A search as SQL: the page of a result, its count, what it includes. Pages are found by the keys of the last resource.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_
from sqlalchemy import select as sql_select

from gateway.search.criteria import UPDATED, matching
from gateway.search.match import TABLES, Test
from gateway.search.query import Include, Query, Sort
from gateway.tables import locator, resource, search_reference

Columns = Sequence[ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last resource of a page: its sort keys (None where it has none) and its row id."""

    keys: tuple[Any, ...]
    rid: int


def _sort_key(sort: Sort, position: int, found: Select[Any]) -> tuple[ColumnElement[Any], Select[Any]]:
    if sort.kind == "_id":
        return resource.c.id, found
    if sort.kind == "_lastUpdated":
        return UPDATED, found
    rows = TABLES[sort.kind].alias(f"sort_{position}")
    edge = (2, 3) if sort.descending else (1, 3)
    found = found.outerjoin(
        rows, and_(rows.c.rid == resource.c.rid, rows.c.param == sort.number, rows.c.edge.in_(edge))
    )
    return rows.c[_SORTED[sort.kind][sort.descending]], found


# The column that a parameter type is sorted by, ascending and descending.
_SORTED: Mapping[str, tuple[str, str]] = {
    "token": ("code", "code"),
    "reference": ("target_id", "target_id"),
    "date": ("low", "high"),
    "string": ("value", "value"),
    "uri": ("value", "value"),
    "number": ("low", "high"),
    "quantity": ("low", "high"),
}


def _after(keys: Sequence[tuple[ColumnElement[Any], bool]], cursor: Cursor) -> Test:
    """What comes behind the cursor: later in a key while all before it are equal; a missing key comes last."""
    tests: list[Test] = []
    equal: list[Test] = []
    for (column, descending), value in zip(keys, cursor.keys, strict=True):
        if value is not None:
            later = column < value if descending else column > value
            tests.append(and_(*equal, or_(later, column.is_(None))))
        equal.append(column.is_(None) if value is None else column == value)
    tests.append(and_(*equal, resource.c.rid > cursor.rid))
    return or_(*tests)


def select(
    query: Query, *columns: ColumnElement[Any], after: Cursor | None = None, visible: Test | None = None
) -> Select[Any]:
    """The resources of one page and one more, in order; their columns, then the sort keys and the row id.

    Without columns all of the resource's. `visible` is a condition on `resource` that holds for what the caller may
    see: on the matches, and on everything that a chain looks at. More rows than `query.count` mean a next page.
    """
    found = sql_select(*(columns or tuple(resource.c))).select_from(resource)
    keys: list[tuple[ColumnElement[Any], bool]] = []
    for position, sort in enumerate(query.sort):
        key, found = _sort_key(sort, position, found)
        keys.append((key, sort.descending))
    found = matching(query.resource_type, query.criteria, found, visible).add_columns(
        *(key.label(f"sort_{position}") for position, (key, _) in enumerate(keys)), resource.c.rid.label("cursor_rid")
    )
    if after is not None:
        found = found.where(_after(keys, after))
    for key, descending in keys:
        # NULLS LAST in words that both databases answer from an index.
        found = found.order_by(key.is_(None), key.desc() if descending else key.asc())
    return found.order_by(resource.c.rid).limit(query.count + 1)


def cursor(query: Query, row: Any) -> Cursor:
    """The cursor behind a row of `select`."""
    keys = tuple(row[-1 - len(query.sort) : -1])
    return Cursor(keys, row[-1])


def count(query: Query, *, visible: Test | None = None) -> Select[tuple[int]]:
    """How many resources match."""
    whole = sql_select(func.count()).select_from(resource)
    return matching(query.resource_type, query.criteria, whole, visible)


# --- includes


def included(
    query: Query,
    found: Sequence[tuple[int, str, str]],
    *columns: ColumnElement[Any],
    again: bool = False,
) -> list[Select[Any]]:
    """What belongs to resources (row id, type, id) by `_include` and `_revinclude`.

    Call it with the matches, then with `again` on what was new until nothing is: only `:iterate` goes on.
    """
    wanted = columns or tuple(resource.c)
    selects: list[Select[Any]] = []
    for include in query.includes:
        rids = [rid for rid, kind, _ in found if kind == include.source]
        if rids and (include.iterate or not again):
            selects.append(_forward(include, rids, wanted))
    for include in query.revincludes:
        ids: dict[str, list[str]] = {}
        for _, kind, id in found:
            if include.target in (None, kind):
                ids.setdefault(kind, []).append(id)
        if include.iterate or not again:
            selects.extend(_backward(include, kind, group, wanted) for kind, group in ids.items())
    return selects


def _forward(include: Include, rids: Sequence[int], columns: Columns) -> Select[Any]:
    link = search_reference
    tests = [link.c.param == include.number, link.c.rid.in_(rids)]
    if include.target is not None:
        tests.append(link.c.target_type == include.target)
    targets = (
        sql_select(locator.c.rid)
        .join(link, and_(link.c.target_id == locator.c.id, link.c.target_type == locator.c.resource_type))
        .where(*tests)
    )
    return sql_select(*columns).where(resource.c.rid.in_(targets), resource.c.deleted.is_(False))


def _backward(include: Include, kind: str, ids: Sequence[str], columns: Columns) -> Select[Any]:
    link = search_reference
    sources = sql_select(link.c.rid).where(
        link.c.param == include.number, link.c.target_type == kind, link.c.target_id.in_(ids)
    )
    return sql_select(*columns).where(resource.c.rid.in_(sources), resource.c.deleted.is_(False))
