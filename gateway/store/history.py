"""FHIR vread and history: the current version and those before it, latest first.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, literal, or_, select, union_all

from gateway.store.versions import COLUMNS, FIELDS, Stored, stored
from gateway.tables import locator, resource, resource_version

Keyset = tuple[datetime, int]
"""Where the page before ended: a version's last_updated and rid."""


class History:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
    ) -> list[Stored]:
        """Versions of an instance, of a type or of all, latest first.

        `since`: recorded at or after it; `at`: current at some time from the first instant until before the second.
        """
        parts = []
        for table in (resource, resource_version):
            query = _versions(table)
            if id is not None and resource_type is not None:
                query = _of(query, table, resource_type, id)
            elif resource_type is not None:
                query = query.where(table.c.resource_type == resource_type)
            query = _bounded(query, table, since, at, before)
            query = query.order_by(table.c.last_updated.desc(), table.c.rid.desc()).limit(limit)
            parts.append(select(query.subquery()))
        both = union_all(*parts).subquery()
        latest = select(both).order_by(both.c.last_updated.desc(), both.c.rid.desc()).limit(limit)
        return [stored(row) for row in self._connection.execute(latest)]


def _versions(table: Table) -> Select[Any]:
    return select(*COLUMNS) if table is resource else select(*(table.c[name] for name in FIELDS))


def _of(query: Select[Any], table: Table, resource_type: str, id: str) -> Select[Any]:
    place = and_(locator.c.partition == table.c.partition, locator.c.rid == table.c.rid)
    return query.join(locator, place).where(locator.c.id == id, locator.c.resource_type == resource_type)


def _bounded(
    query: Select[Any],
    table: Table,
    since: datetime | None,
    at: tuple[datetime, datetime] | None,
    before: Keyset | None,
) -> Select[Any]:
    if since is not None:
        query = query.where(table.c.last_updated >= since)
    if at is not None:
        begin, end = at
        replaced = table.c.superseded > begin if table is resource_version else literal(True)
        query = query.where(table.c.last_updated < end, replaced)
    if before is not None:
        updated, rid = before
        earlier = and_(table.c.last_updated == updated, table.c.rid < rid)
        query = query.where(or_(table.c.last_updated < updated, earlier))
    return query
