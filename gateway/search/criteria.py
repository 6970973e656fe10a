"""Criteria on resources as SQL: semi-joins on the search rows, for the resource itself and along its references.

Sets of candidates come from `rid IN (SELECT …)`, which both databases turn into an index look-up. No select is
correlated with the one around it: each looks at tables of its own. https://hl7.org/fhir/R4/search.html#chaining
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, not_, or_, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from gateway.search.conditions import AnyOf, Chain, Criterion, DateIs, IdIs, Missing, Own, ReverseChain, Where
from gateway.search.match import TABLES, Test, any_of, date
from gateway.tables import locator, resource, search_reference

UPDATED: ColumnElement[int] = type_coerce(resource.c.last_updated, BigInteger)


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


def _rows_of(kind: str, number: int, test: Test | None = None) -> Select[Any]:
    table = TABLES[kind]
    found = select(table.c.rid).where(table.c.param == number).correlate(None)
    return found if test is None else found.where(test)


def _criterion(what: Criterion, visible: Test | None) -> Test:
    """A criterion on `resource`; `visible` tells of which others a chain may say something."""
    rid = resource.c.rid
    match what:
        case Where(kind=kind, number=number, conditions=conditions, negated=negated):
            found = rid.in_(_rows_of(kind, number, any_of(conditions)))
            return not_(found) if negated else found
        case Missing(places=places, missing=missing):
            there = or_(*(rid.in_(_rows_of(kind, number)) for kind, number in places))
            return not_(there) if missing else there
        case Own():
            return _own(what)
        case AnyOf(criteria=criteria):
            return or_(*(_criterion(one, visible) for one in criteria))
        case Chain():
            return rid.in_(_chain(what, visible))
        case ReverseChain():
            return rid.in_(_reverse_chain(what, visible))


def _own(what: Own) -> Test:
    tests: list[Test] = [date(one, UPDATED, UPDATED + 1) for one in what.conditions if isinstance(one, DateIs)]
    if ids := [one.id for one in what.conditions if isinstance(one, IdIs)]:
        tests.append(resource.c.id == ids[0] if len(ids) == 1 else resource.c.id.in_(ids))
    return not_(or_(*tests)) if what.negated else or_(*tests)


def _chain(what: Chain, visible: Test | None) -> Select[Any]:
    links = search_reference.c
    targets = _aside(matching(what.type, what.inner, select(resource.c.id), visible))
    tests = (links.param == what.number, links.target_type == what.type, links.target_id.in_(targets))
    return select(links.rid).where(*tests).correlate(None)


def _reverse_chain(what: ReverseChain, visible: Test | None) -> Select[Any]:
    links = search_reference.c
    sources = _aside(matching(what.type, what.inner, select(resource.c.rid), visible))
    tests = (links.param == what.number, links.target_type == what.target, links.rid.in_(sources))
    ids = select(links.target_id).where(*tests).correlate(None)
    return select(locator.c.rid).where(locator.c.id.in_(ids), locator.c.resource_type == what.target)


def _aside(found: Select[Any]) -> Select[Any]:
    """The select under a name of its own: SQLite's parser takes few selects within one another, and many in a row."""
    return select(*found.cte().c)


def _narrows(what: Criterion) -> bool:
    """Whether a criterion names what it finds, so that the search can begin with it."""
    match what:
        case Where(negated=negated):
            return not negated
        case Own(what=own, negated=negated):
            return own == "_id" and not negated
        case Missing(missing=missing):
            return not missing
        case AnyOf(criteria=criteria):
            return all(map(_narrows, criteria))
        case _:
            return True


def matching(
    resource_type: str, criteria: Sequence[Criterion], found: Select[Any], visible: Test | None
) -> Select[Any]:
    """The current resources of a type that meet all criteria, and that may be seen."""
    kind = resource.c.resource_type
    tests = [
        (_Plain(kind) if any(map(_narrows, criteria)) else kind) == resource_type,
        resource.c.deleted.is_(False),
        *(_criterion(one, visible) for one in criteria),
    ]
    if visible is not None:
        tests.append(visible)
    return found.where(*tests).correlate(None)
