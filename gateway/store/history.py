"""FHIR vread and history: the current version and those before it, latest first.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, or_, select, text, union_all

from gateway.keysets import among
from gateway.store.narrowing import is_shared, stated_by
from gateway.store.versions import COLUMNS, FIELDS, Stored, stored
from gateway.tables import locator, resource, resource_version, takes_part

_OLDEST = text(
    "SELECT date_trunc('milliseconds', min(xact_start)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND (backend_xid IS NOT NULL OR xact_start > now() - interval '1 minute')"
)
Keyset = tuple[datetime, int]
"""Where the page before ended: a version's last_updated and rid."""


@dataclass(frozen=True, slots=True)
class Concerning:
    """Versions about persons in whose care one of `parties` (HSA-ids) takes part, and all of `open_types`.

    `shared`: as of a Narrowing.
    """

    parties: tuple[str, ...]
    open_types: Collection[str]
    shared: tuple[str, str] = ("", "")


class History:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def settled(self) -> datetime | None:
        """Before this time, a millisecond as versions have it, nothing is being written any more; None where nobody
        else writes.

        Ask in a unit of work before the one that reads: what commits between the two is then behind this time, or is
        read. A transaction that has written nothing for a minute reads only. SQLite has one writer: us.
        """
        if self._connection.dialect.name == "sqlite":
            return None
        found: datetime | None = self._connection.scalar(_OLDEST)
        return found

    def vread(self, resource_type: str, id: str, version: str) -> Stored | None:
        for table in (resource, resource_version):
            query = _versions(table).where(table.c.version == version)
            row = self._connection.execute(_of(query, table, resource_type, id)).first()
            if row is not None:
                return stored(row)
        return None

    def history(
        self,
        resource_type: str | None = None,
        id: str | None = None,
        *,
        since: datetime | None = None,
        at: tuple[datetime, datetime] | None = None,
        before: Keyset | None = None,
        limit: int = 100,
        ascending: bool = False,
        concerning: Concerning | None = None,
        until: datetime | None = None,
    ) -> list[Stored]:
        """Versions of an instance, of a type or of all, latest first, or `ascending`.

        `since`: recorded at or after it; `at`: current at some time from the first instant until before the second;
        `before`: those that come behind it in this order; `until`: recorded before it.
        """
        parts = []
        for table in (resource, resource_version):
            query = _selected(table, _versions(table), resource_type, id, since, at, concerning)
            if before is not None:
                query = query.where(_behind(table, before, ascending))
            if until is not None:
                query = query.where(table.c.last_updated < until)
            query = query.order_by(*_order(table.c, ascending)).limit(limit)
            parts.append(select(query.subquery()))
        both = union_all(*parts).subquery()
        latest = select(both).order_by(*_order(both.c, ascending)).limit(limit)
        return [stored(row) for row in self._connection.execute(latest)]

    def count_history(
        self,
        resource_type: str | None = None,
        id: str | None = None,
        *,
        since: datetime | None = None,
        at: tuple[datetime, datetime] | None = None,
    ) -> int:
        """How many versions `history` has in all."""
        return sum(
            self._connection.scalar(
                _selected(table, select(func.count()).select_from(table), resource_type, id, since, at, None)
            )
            or 0
            for table in (resource, resource_version)
        )


def _versions(table: Table) -> Select[Any]:
    return select(*COLUMNS) if table is resource else select(*(table.c[name] for name in FIELDS))


def _of(query: Select[Any], table: Table, resource_type: str, id: str) -> Select[Any]:
    place = and_(locator.c.partition == table.c.partition, locator.c.rid == table.c.rid)
    return query.join(locator, place).where(locator.c.id == id, locator.c.resource_type == resource_type)


def _selected(
    table: Table,
    query: Select[Any],
    resource_type: str | None,
    id: str | None,
    since: datetime | None,
    at: tuple[datetime, datetime] | None,
    concerning: Concerning | None,
) -> Select[Any]:
    if id is not None and resource_type is not None:
        query = _of(query, table, resource_type, id)
    elif resource_type is not None:
        query = query.where(table.c.resource_type == resource_type)
    if since is not None:
        query = query.where(table.c.last_updated >= since)
    if at is not None:
        begin, end = at
        replaced = table.c.superseded > begin if table is resource_version else literal(True)
        query = query.where(table.c.last_updated < end, replaced)
    if concerning is not None:
        persons = select(takes_part.c.person).where(among(takes_part.c.hsa_id, concerning.parties))
        is_open = among(table.c.resource_type, sorted(concerning.open_types))
        kind, source = concerning.shared
        query = query.where(or_(is_open, table.c.person.in_(persons), is_shared(table, kind, stated_by(source))))
    return query


def _behind(table: Table, place: Keyset, ascending: bool) -> ColumnElement[bool]:
    updated, rid = place
    last, own = table.c.last_updated, table.c.rid
    if ascending:
        return or_(last > updated, and_(last == updated, own > rid))
    return or_(last < updated, and_(last == updated, own < rid))


def _order(columns: Any, ascending: bool) -> tuple[Any, Any]:
    pair = columns.last_updated, columns.rid
    return pair if ascending else (pair[0].desc(), pair[1].desc())
