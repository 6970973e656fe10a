"""Criteria on resources as SQL: semi-joins on the search rows, for the resource itself and along its references.

Sets of candidates come from `rid IN (SELECT …)`, which both databases turn into an index look-up. No select is
correlated with the one around it, each looks at tables of its own; but for what asks that a resource has no row.
https://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    false,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Chain,
    Criterion,
    DateIs,
    Hierarchy,
    IdIs,
    Itself,
    Missing,
    Not,
    Numbers,
    OfType,
    Own,
    ReverseChain,
    Together,
    Where,
)
from gateway.search.match import TABLES, Test, any_of, date
from gateway.tables import locator, resource, search_reference, search_uri

UPDATED: ColumnElement[int] = type_coerce(resource.c.last_updated, BigInteger)
MOST_SETS = 100
"""Selects in one union; SQLite takes 500."""


class _Plain(FunctionElement[str]):
    """A column that the database is not to look up by: what it is compared with is tested on each candidate.

    SQLite would take the index of the type, which finds every resource of it, before the few that a criterion finds.
    """

    name = "plain"
    type = Text()
    inherit_cache = True


@compiles(_Plain)
def _plain(element: _Plain, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(_Plain, "sqlite")
def _plain_sqlite(element: _Plain, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


class AsId(FunctionElement[str]):
    """An id that stands in a search row, to look up the resource by it.

    Search rows are ordered by code points, ids as the database orders texts: unless told so, PostgreSQL compares the
    two by the former, and reads every id there is.
    """

    name = "as_id"
    type = Text()
    inherit_cache = True


@compiles(AsId)
def _as_id(element: AsId, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(AsId, "postgresql")
def _as_id_postgresql(element: AsId, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({compiler.process(element.clauses, **kw)} COLLATE "default")'


def one_of(column: ColumnElement[Any], values: Sequence[Any]) -> Test:
    """`column` is one of these: of a single one in the words that leave an index its order."""
    return column == values[0] if len(values) == 1 else column.in_(values)


def _rows_of(kind: str, numbers: Numbers, test: Test | None = None) -> Select[Any]:
    table = TABLES[kind]
    found = select(table.c.rid).where(one_of(table.c.param, numbers)).correlate(None)
    return found if test is None else found.where(test)


def _has_no(kind: str, numbers: Numbers) -> Test:
    """The resource has no such row: asked of each candidate by the rows' key, which begins with its row id.

    As a set those that have one would be gathered first, and they are nearly all; a page needs a few that have none.
    """
    rows = TABLES[kind].alias("present")
    found = select(rows.c.rid).where(rows.c.rid == resource.c.rid, one_of(rows.c.param, numbers))
    return not_(found.correlate(resource).exists())


def _criterion(what: Criterion, visible: Test | None) -> Test:
    """A criterion on `resource`; `visible` tells of which others a chain may say something."""
    sets = list(_sets(what, visible) or ())
    if sets:
        return in_any(sets)
    match what:
        case Where(negated=True):
            return not_(_criterion(replace(what, negated=False), visible))
        case Missing(places=places, missing=True):
            return and_(*(_has_no(kind, numbers) for kind, numbers in places))
        case Own():
            return _own(what)
        case OfType(type=kind):
            return _is_of((kind,), ())
        case AnyOf(criteria=criteria):
            return or_(false(), *(_criterion(one, visible) for one in criteria))
        case AllOf(criteria=(OfType(type=kind), *others)):
            return and_(_is_of((kind,), others), *(_criterion(one, visible) for one in others))
        case AllOf(criteria=criteria):
            return and_(true(), *(_criterion(one, visible) for one in criteria))
        case Not(criterion=criterion):
            return not_(_criterion(criterion, visible))
    raise AssertionError(what)


def _sets(what: Criterion, visible: Test | None) -> Sequence[Select[Any]] | None:
    """The selects whose row ids together are what a criterion finds; None where it is a test on each resource."""
    match what:
        case Where(kind=kind, numbers=numbers, conditions=conditions, negated=False):
            return [_rows_of(kind, numbers, any_of(conditions))]
        case Missing(places=places, missing=False):
            return [_rows_of(kind, numbers) for kind, numbers in places]
        case Itself(type=kind, id=id):
            return [_located((kind,), (id,))]
        case Together():
            return [_together(what)]
        case Hierarchy():
            return [_along(what, visible)]
        case Chain():
            return list(_chain(what, visible))
        case ReverseChain():
            return list(_reverse_chain(what, visible))
        case AnyOf(criteria=criteria):
            found = [_sets(one, visible) for one in criteria]
            return None if None in found else [one for each in found for one in each or ()]
    return None


def in_any(sets: Sequence[Select[Any]]) -> Test:
    """The resource is in one of the sets of row ids.

    Not `IN … OR IN …`: for that PostgreSQL reads every resource, and looks each up in both.
    """
    rid = resource.c.rid
    if len(sets) == 1:
        return rid.in_(sets[0])
    if len(sets) > MOST_SETS:
        return or_(*map(rid.in_, sets))
    return rid.in_(union_all(*sets))


def _own(what: Own) -> Test:
    tests: list[Test] = [date(one, UPDATED, UPDATED + 1) for one in what.conditions if isinstance(one, DateIs)]
    if ids := [one.id for one in what.conditions if isinstance(one, IdIs)]:
        tests.append(resource.c.rid.in_(_located((), ids)))
    return not_(or_(*tests)) if what.negated else or_(*tests)


def _together(what: Together) -> Select[Any]:
    """The resources in one element of which every component is met; `edge` says in which."""
    first, *others = [
        _rows_of(kind, numbers, any_of(conditions) if conditions else None).add_columns(TABLES[kind].c.edge).subquery()
        for kind, numbers, conditions in what.parts
    ]
    found = select(first.c.rid)
    for other in others:
        found = found.join(other, and_(other.c.rid == first.c.rid, other.c.edge == first.c.edge))
    return found.correlate(None)


def _along(what: Hierarchy, visible: Test | None) -> Select[Any]:
    """The resources that refer to one, or to what a walk over its hierarchy reaches, through what may be seen."""
    steps = search_reference.alias("steps")
    seen = select(resource.c.rid).where(resource.c.resource_type == what.type, resource.c.deleted.is_(False))
    if visible is not None:
        seen = seen.where(visible)
    lower, upper = locator.alias("lower"), locator.alias("upper")
    reached = select(literal(what.id, Text).label("id")).cte(recursive=True)
    # Of each step one end is reached already; what was reached before is reached once.
    begin, end = (lower, upper) if what.up else (upper, lower)
    step = (
        select(end.c.id)
        .join_from(steps, lower, lower.c.rid == steps.c.rid)
        .join(
            upper,
            and_(
                upper.c.id == (AsId(steps.c.target_id) if what.up else steps.c.target_id),
                upper.c.resource_type == what.type,
            ),
        )
        .join(reached, reached.c.id == begin.c.id)
        .where(steps.c.param == what.part_of, steps.c.target_type == what.type, end.c.rid.in_(seen.correlate(None)))
    )
    reached = reached.union(step)
    links = search_reference.c
    tests = (one_of(links.param, what.numbers), links.target_type == what.type)
    return select(links.rid).where(*tests, links.target_id.in_(select(reached.c.id))).correlate(None)


def _located(types: Sequence[str], ids: Sequence[str]) -> Select[Any]:
    """The resources of these ids; without types, of any type."""
    found = select(locator.c.rid).where(one_of(locator.c.id, ids)).correlate(None)
    return found.where(one_of(locator.c.resource_type, types)) if types else found


def _chain(what: Chain, visible: Test | None) -> Iterator[Select[Any]]:
    links = search_reference.c
    targets = _aside(matching((what.type,), what.inner, select(resource.c.id), visible))
    tests = (one_of(links.param, what.numbers), links.target_type == what.type, links.target_id.in_(targets))
    yield select(links.rid).where(*tests).correlate(None)
    if what.url is not None:
        named = _aside(matching((what.type,), what.inner, select(resource.c.rid), visible))
        urls = select(search_uri.c.value).where(search_uri.c.param == what.url, search_uri.c.rid.in_(named))
        tests = (one_of(links.param, what.numbers), links.target_type == "", links.target_id.in_(urls.correlate(None)))
        yield select(links.rid).where(*tests).correlate(None)


def _reverse_chain(what: ReverseChain, visible: Test | None) -> Iterator[Select[Any]]:
    links = search_reference.c
    sources = _aside(matching((what.type,), what.inner, select(resource.c.rid), visible))
    tests = (one_of(links.param, what.numbers), links.rid.in_(sources))
    met = and_(locator.c.id == AsId(links.target_id), locator.c.resource_type == AsId(links.target_type))
    found = select(locator.c.rid).join(search_reference, met)
    yield found.where(*tests, one_of(links.target_type, what.targets)).correlate(None)
    if what.urls:
        named = select(search_uri.c.rid).join(search_reference, links.target_id == search_uri.c.value)
        of_urls = (links.target_type == "", one_of(search_uri.c.param, what.urls))
        yield named.where(*tests, *of_urls).correlate(None)


def _aside(found: Select[Any]) -> Select[Any]:
    """The select under a name of its own: SQLite's parser takes few selects within one another, and many in a row."""
    return select(*found.cte().c)


def _narrows(what: Criterion) -> bool:
    """Whether a criterion names what it finds, so that the search can begin with it."""
    match what:
        case Where(negated=negated):
            return not negated
        case Itself():
            return True
        case Not() | OfType():
            return False
        case Own(what=own, negated=negated):
            return own == "_id" and not negated
        case Missing(missing=missing):
            return not missing
        case AnyOf(criteria=criteria):
            return all(map(_narrows, criteria))
        case AllOf(criteria=criteria):
            return any(map(_narrows, criteria))
        case _:
            return True


def _is_of(types: Sequence[str], criteria: Sequence[Criterion]) -> Test:
    """The resource is of one of the types, where it meets the criteria beside."""
    kind = resource.c.resource_type
    return one_of(_Plain(kind) if any(map(_narrows, criteria)) else kind, types)


def matching(
    types: Sequence[str], criteria: Sequence[Criterion], found: Select[Any], visible: Test | None
) -> Select[Any]:
    """The current resources of these types (none: of any) that meet all criteria, and that may be seen."""
    return found.where(*all_met(types, criteria, visible)).correlate(None)


def all_met(types: Sequence[str], criteria: Sequence[Criterion], visible: Test | None) -> list[Test]:
    """What holds for them."""
    found = [resource.c.deleted.is_(False), *(_criterion(one, visible) for one in criteria)]
    if types:
        found.insert(0, _is_of(types, criteria))
    if visible is not None:
        found.append(visible)
    return found
