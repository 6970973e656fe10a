"""A search as SQL: the page of a result, its count, what it includes. Pages are found by the keys of the last resource.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, false, func, or_, true
from sqlalchemy import select as sql_select

from gateway.keysets import among
from gateway.search.criteria import UPDATED, AsId, all_met, in_any, matching, one_of
from gateway.search.cursor import START, Cursor
from gateway.search.match import TABLES, Test
from gateway.search.numbers import number
from gateway.search.query import Include, Query, Sort
from gateway.search.rows import local
from gateway.tables import locator, resource, search_reference, search_uri

Columns = Sequence[ColumnElement[Any]]
Located = tuple[int, str, str]
"""A resource's row id, type and id."""


def _sort_key(sort: Sort, position: int, found: Select[Any]) -> tuple[ColumnElement[Any], Select[Any]]:
    if sort.kind == "_id":
        return resource.c.id, found
    if sort.kind == "_lastUpdated":
        return UPDATED, found
    rows = TABLES[sort.kind].alias(f"sort_{position}")
    edge = (2, 3) if sort.descending else (1, 3)
    found = found.outerjoin(
        rows, and_(rows.c.rid == resource.c.rid, one_of(rows.c.param, sort.numbers), rows.c.edge.in_(edge))
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


def _beyond(keys: Sequence[tuple[ColumnElement[Any], bool]], cursor: Cursor) -> Test:
    """What comes behind the cursor: later in a key while all before it are equal; a missing key comes last.

    Backward, what comes in front of it: earlier in a key.
    """
    tests: list[Test] = []
    equal: list[Test] = []
    for (column, descending), value in zip(keys, cursor.keys, strict=True):
        if value is None:
            if cursor.backward:
                tests.append(and_(*equal, column.is_not(None)))
        elif cursor.backward:
            tests.append(and_(*equal, column > value if descending else column < value))
        else:
            later = column < value if descending else column > value
            tests.append(and_(*equal, or_(later, column.is_(None))))
        equal.append(column.is_(None) if value is None else column == value)
    rid = resource.c.rid
    tests.append(and_(*equal, rid < cursor.rid if cursor.backward else rid > cursor.rid))
    return or_(*tests)


def select(
    query: Query,
    *columns: ColumnElement[Any],
    after: Cursor = START,
    visible: Test | None = None,
    counted: bool = False,
) -> Select[Any]:
    """The resources of one page and one more, in order; their columns, then the sort keys and the row id.

    `counted`: behind the columns how many resources match, on this page and on all others.

    Without columns all of the resource's. `visible` is a condition on `resource` that holds for what the caller may
    see: on the matches, and on everything that a chain looks at. More rows than `size` mean another page. A page that
    is asked for backward comes in reverse.
    """
    found = sql_select(*(columns or tuple(resource.c))).select_from(resource)
    keys: list[tuple[ColumnElement[Any], bool]] = []
    for position, sort in enumerate(_sorts(query)):
        key, found = _sort_key(sort, position, found)
        keys.append((key, sort.descending))
    wanted = all_met(query.types, query.criteria, visible)
    if counted:
        whole = sql_select(func.count()).select_from(resource).where(*wanted).correlate(None)
        found = found.add_columns(whole.scalar_subquery().label("total"))
    found = (
        found.where(*wanted)
        .correlate(None)
        .add_columns(
            *(key.label(f"sort_{position}") for position, (key, _) in enumerate(keys)),
            resource.c.rid.label("cursor_rid"),
        )
    )
    if after.rid is not None:
        found = found.where(_beyond(keys, after))
    for key, descending in keys:
        # NULLS LAST in words that both databases answer from an index.
        missing = key.is_(None)
        reverse = descending != after.backward
        found = found.order_by(missing.desc() if after.backward else missing, key.desc() if reverse else key.asc())
    rid = resource.c.rid
    return found.order_by(rid.desc() if after.backward else rid).limit(size(query, after) + 1)


def size(query: Query, after: Cursor) -> int:
    """How many resources a page holds."""
    return query.count if after.most is None else after.most


_BY_ID = Sort("_id", "_id", (), False)


def _sorts(query: Query) -> tuple[Sort, ...]:
    """What is sorted by. The id breaks ties, and where nothing is sorted by, the order of arrival is as good as any."""
    return (*query.sort, _BY_ID) if query.sort and all(one.kind != "_id" for one in query.sort) else query.sort


def cursor(query: Query, row: Any, *, backward: bool = False) -> Cursor:
    """The cursor behind a row of `select`, or in front of it."""
    keys = tuple(row[-1 - len(_sorts(query)) : -1])
    return Cursor(keys, row[-1], backward)


def count(query: Query, *, visible: Test | None = None) -> Select[tuple[int]]:
    """How many resources match."""
    whole = sql_select(func.count()).select_from(resource)
    return matching(query.types, query.criteria, whole, visible)


def canonical(resource_type: str, url: str, bases: tuple[str, ...] = ()) -> tuple[Select[Any], dict[str, str]]:
    """The body of a kept resource by its canonical url (with a version after a bar), or by its id: the newest one.

    The statement and its parameters: one is made for each type, as a validation asks for dozens of urls.
    """
    own = local(url, bases)
    if own is None:
        return _by_url(resource_type), {"url": url}
    found = _bodies(resource_type)
    return found.where(resource.c.id == own[1], true() if own[0] == resource_type else false()), {}


def _bodies(resource_type: str) -> Select[Any]:
    return sql_select(resource.c.body).where(resource.c.deleted.is_(False), resource.c.resource_type == resource_type)


@cache
def _by_url(resource_type: str) -> Select[Any]:
    urls = sql_select(search_uri.c.rid).where(
        search_uri.c.param == number(resource_type, "url"), search_uri.c.value == bindparam("url")
    )
    found = _bodies(resource_type).where(resource.c.rid.in_(urls))
    return found.order_by(resource.c.last_updated.desc()).limit(1)


# --- includes


def included(
    query: Query,
    found: Sequence[Located],
    *columns: ColumnElement[Any],
    again: bool = False,
) -> list[Select[Any]]:
    """What belongs to resources (row id, type, id) by `_include` and `_revinclude`.

    Call it with the matches, then with `again` on what was new until nothing is: only `:iterate` goes on.
    """
    wanted = columns or tuple(resource.c)
    selects: list[Select[Any]] = []
    for include, kind, group in leading(query, found, again=again):
        rids, ids = [rid for rid, _, _ in group], [id for _, _, id in group]
        selects.append(forward(include, rids, wanted) if kind is None else backward(include, kind, rids, ids, wanted))
    return selects


def leading(
    query: Query, found: Sequence[Located], *, again: bool
) -> Iterator[tuple[Include, str | None, list[Located]]]:
    """Which includes lead on from which of the resources found; where they lead back, to those of a type."""
    for include in query.includes:
        group = [one for one in found if include.source in (None, one[1])]
        if group and (include.iterate or not again):
            yield include, None, group
    for include in query.revincludes:
        if include.iterate or not again:
            for kind in dict.fromkeys(one[1] for one in found if include.target in (None, one[1])):
                yield include, kind, [one for one in found if one[1] == kind]


def forward(include: Include, rids: Sequence[int] | str, columns: Columns) -> Select[Any]:
    """What resources refer to; a name stands for row ids that are given later."""
    link = search_reference
    tests: list[Test] = [among(link.c.rid, rids)]
    if include.numbers:
        tests.append(one_of(link.c.param, include.numbers))
    if include.target is not None:
        tests.append(link.c.target_type == include.target)
    targets = (
        sql_select(locator.c.rid)
        .join(link, and_(AsId(link.c.target_id) == locator.c.id, AsId(link.c.target_type) == locator.c.resource_type))
        .where(*tests)
    )
    sets: list[Select[Any]] = [targets]
    if include.urls:
        tests = [among(link.c.rid, rids), *([one_of(link.c.param, include.numbers)] if include.numbers else [])]
        named = (
            sql_select(search_uri.c.rid)
            .join(link, and_(link.c.target_type == "", link.c.target_id == search_uri.c.value))
            .where(*tests, one_of(search_uri.c.param, include.urls))
        )
        sets.append(named)
    return _current(columns).where(in_any(sets))


def backward(
    include: Include, kind: str, rids: Sequence[int] | str, ids: Sequence[str] | str, columns: Columns
) -> Select[Any]:
    """What refers to resources of a type; names stand for row ids and ids that are given later."""
    link = search_reference
    by = one_of(link.c.param, include.numbers)
    sources = sql_select(link.c.rid).where(by, link.c.target_type == kind, among(link.c.target_id, ids))
    urls = sql_select(search_uri.c.value).where(
        search_uri.c.param == number(kind, "url"), among(search_uri.c.rid, rids)
    )
    naming = sql_select(link.c.rid).where(by, link.c.target_type == "", link.c.target_id.in_(urls))
    return _current(columns).where(in_any([sources, naming]))


def _current(columns: Columns) -> Select[Any]:
    return sql_select(*columns).where(resource.c.deleted.is_(False)).order_by(resource.c.rid)
