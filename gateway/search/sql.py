"""A search as SQL: semi-joins on the search rows, keyset paging, includes.

Sets of candidates come from `rid IN (SELECT …)`, which both databases turn into an index look-up from whichever side is
smaller. https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Table, and_, false, func, not_, or_, type_coerce
from sqlalchemy import select as sql_select

from gateway.search.conditions import (
    AnyOf,
    Chain,
    Condition,
    Criterion,
    DateIs,
    IdIs,
    Missing,
    NumberIs,
    Own,
    QuantityIs,
    RefersTo,
    ReverseChain,
    StringIs,
    TokenIs,
    UriIs,
    Where,
)
from gateway.search.query import Include, Query, Sort
from gateway.search.rows import BASE_UNITS
from gateway.tables import (
    locator,
    resource,
    search_date,
    search_number,
    search_quantity,
    search_reference,
    search_string,
    search_token,
    search_uri,
)

Test = ColumnElement[bool]
Columns = Sequence[ColumnElement[Any]]

TABLES: Mapping[str, Table] = {
    "token": search_token,
    "reference": search_reference,
    "date": search_date,
    "string": search_string,
    "uri": search_uri,
    "number": search_number,
    "quantity": search_quantity,
}
_LAST = "\U0010ffff"
"""Behind every text that begins with what stands before it."""

# --- conditions on one row

_UPDATED: ColumnElement[int] = type_coerce(resource.c.last_updated, BigInteger)


def _date(is_: DateIs, low: ColumnElement[int], high: ColumnElement[int]) -> Test:
    """The prefixes by their words in the specification: https://hl7.org/fhir/R4/search.html#prefix"""
    within = and_(low >= is_.low, high <= is_.high)
    match is_.prefix:
        case "eq":
            return within
        case "ne":
            return or_(low < is_.low, high > is_.high)
        case "gt":
            return high > is_.high
        case "lt":
            return low < is_.low
        case "ge":
            return or_(high > is_.high, within)
        case "le":
            return or_(low < is_.low, within)
        case "sa":
            return low >= is_.high
        case "eb":
            return high <= is_.low
        case "ap":
            return and_(low < is_.high, high > is_.low)


def _number(is_: NumberIs, low: ColumnElement[float], high: ColumnElement[float]) -> Test:
    """Only equality looks at precision; the other prefixes compare with exactly the number that was written."""
    match is_.prefix:
        case "eq":
            return and_(low >= is_.low, high < is_.high)
        case "ne":
            return or_(low < is_.low, high >= is_.high)
        case "gt":
            return high > is_.value
        case "lt":
            return low < is_.value
        case "ge":
            return high >= is_.value
        case "le":
            return low <= is_.value
        case "sa":
            return low > is_.value
        case "eb":
            return high < is_.value
        case "ap":
            return and_(low <= is_.high, high >= is_.low)


def _begins(column: ColumnElement[str], text: str) -> Test:
    return and_(column >= text, column < text + _LAST)


def _string(is_: StringIs) -> Test:
    value = search_string.c.value
    if is_.how == "exact":
        return and_(value == is_.value, search_string.c.exact == is_.exact)
    if is_.how == "contains":
        return value.contains(is_.value, autoescape=True)
    return _begins(value, is_.value)


def _uri(is_: UriIs) -> Test:
    value = search_uri.c.value
    if is_.how == "below":
        return _begins(value, is_.value)
    if is_.how == "above":
        ends = [i for i, char in enumerate(is_.value) if char in "/#|:."]
        return value.in_([*{is_.value[:end] for end in ends}, *{is_.value[: end + 1] for end in ends}, is_.value])
    return value == is_.value


def _token(is_: TokenIs) -> Test:
    tests = []
    if is_.code is not None:
        tests.append(search_token.c.code == is_.code)
    if is_.system is not None:
        tests.append(search_token.c.system == is_.system)
    return and_(*tests)


def _reference(is_: RefersTo) -> Test:
    kind = search_reference.c.target_type
    return and_(search_reference.c.target_id == is_.id, kind != "" if is_.type is None else kind == is_.type)


def _quantity(is_: QuantityIs) -> Test:
    table = search_quantity.c
    tests = [_number(is_.number, table.low, table.high)]
    tests.append(table.system != BASE_UNITS if is_.system is None else table.system == is_.system)
    if is_.code is not None:
        # Without a system the unit may be meant as it is shown.
        tests.append(table.code == is_.code if is_.system else or_(table.code == is_.code, table.unit == is_.code))
    return and_(*tests)


def _row(condition: Condition) -> Test:
    match condition:
        case TokenIs():
            return _token(condition)
        case RefersTo():
            return _reference(condition)
        case DateIs():
            return _date(condition, search_date.c.low, search_date.c.high)
        case StringIs():
            return _string(condition)
        case UriIs():
            return _uri(condition)
        case NumberIs():
            return _number(condition, search_number.c.low, search_number.c.high)
        case QuantityIs():
            return _quantity(condition)
        case IdIs():
            raise AssertionError("An id is no search row.")


# --- criteria on a resource


def _rows_of(kind: str, number: int, test: Test | None = None) -> Select[tuple[int]]:
    table = TABLES[kind]
    found = sql_select(table.c.rid).where(table.c.param == number)
    return found if test is None else found.where(test)


def criterion(what: Criterion, rid: ColumnElement[int], alias: int = 0, visible: Test | None = None) -> Test:
    """A criterion on the resource with this row id; `visible` tells of which others a chain may say something."""
    match what:
        case Where(kind=kind, number=number, conditions=conditions, negated=negated):
            found = rid.in_(_rows_of(kind, number, or_(false(), *map(_row, conditions))))
            return not_(found) if negated else found
        case Missing(places=places, missing=missing):
            there = or_(*(rid.in_(_rows_of(kind, number)) for kind, number in places))
            return not_(there) if missing else there
        case Own():
            return _own(what, rid, alias)
        case AnyOf(criteria=criteria):
            return or_(*(criterion(one, rid, alias, visible) for one in criteria))
        case Chain():
            return rid.in_(_chain(what, alias + 1, visible))
        case ReverseChain():
            return rid.in_(_reverse_chain(what, alias + 1, visible))


def _own(what: Own, rid: ColumnElement[int], alias: int) -> Test:
    mine = resource if alias == 0 else resource.alias(f"resource_{alias}")
    updated: ColumnElement[int] = type_coerce(mine.c.last_updated, BigInteger)
    tests = []
    for condition in what.conditions:
        if isinstance(condition, IdIs):
            tests.append(mine.c.id == condition.id)
        elif isinstance(condition, DateIs):
            tests.append(_date(condition, updated, updated + 1))
    test = not_(or_(*tests)) if what.negated else or_(*tests)
    return test if alias == 0 else rid.in_(sql_select(mine.c.rid).where(test))


def _may_be_told(rid: ColumnElement[int], visible: Test | None) -> list[Test]:
    """Without this, a chain would tell the values of what the caller may not see."""
    if visible is None:
        return []
    return [rid.in_(sql_select(resource.c.rid).where(visible).correlate(None))]


def _chain(what: Chain, alias: int, visible: Test | None) -> Select[tuple[int]]:
    link = search_reference.alias(f"link_{alias}")
    target = locator.alias(f"target_{alias}")
    current = resource.alias(f"current_{alias}")
    met = [criterion(one, target.c.rid, alias, visible) for one in what.inner]
    met += _may_be_told(target.c.rid, visible)
    return (
        sql_select(link.c.rid)
        .join(target, and_(target.c.id == link.c.target_id, target.c.resource_type == link.c.target_type))
        .join(current, current.c.rid == target.c.rid)
        .where(
            link.c.param == what.number,
            link.c.target_type.in_(what.types),
            # What is deleted has no rows, so that anything negative would be true of it.
            current.c.deleted.is_(False),
            *met,
        )
    )


def _reverse_chain(what: ReverseChain, alias: int, visible: Test | None) -> Select[tuple[int]]:
    link = search_reference.alias(f"link_{alias}")
    target = locator.alias(f"target_{alias}")
    met = [criterion(one, link.c.rid, alias, visible) for one in what.inner]
    met += _may_be_told(link.c.rid, visible)
    return (
        sql_select(target.c.rid)
        .join(link, and_(link.c.target_id == target.c.id, link.c.target_type == target.c.resource_type))
        .where(link.c.param == what.number, link.c.target_type == what.target, *met)
    )


# --- order and pages


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last resource of a page: its sort keys (None where it has none) and its row id."""

    keys: tuple[Any, ...]
    rid: int


def _sort_key(sort: Sort, position: int, found: Select[Any]) -> tuple[ColumnElement[Any], Select[Any]]:
    if sort.kind == "_id":
        return resource.c.id, found
    if sort.kind == "_lastUpdated":
        return _UPDATED, found
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


def _matching(query: Query, found: Select[Any], visible: Test | None) -> Select[Any]:
    tests = [criterion(one, resource.c.rid, visible=visible) for one in query.criteria]
    if visible is not None:
        tests.append(visible)
    return found.where(resource.c.resource_type == query.resource_type, resource.c.deleted.is_(False), *tests)


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
    found = _matching(query, found, visible).add_columns(
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
    return _matching(query, sql_select(func.count()).select_from(resource), visible)


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
