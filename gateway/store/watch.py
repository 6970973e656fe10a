"""When each person is to be looked at next for what is missing: rows that outlive the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from gateway.keysets import among
from gateway.store import sets
from gateway.store.holding import holds
from gateway.tables import contributor, from_micros, resource, resource_version, to_micros, watch

_NEXT = select(func.min(watch.c.due))
_DUE = select(watch.c.person).where(watch.c.due <= bindparam("now", type_=watch.c.due.type)).limit(bindparam("limit"))
_OLDEST, _LATEST = _DUE.order_by(watch.c.due, watch.c.person), _DUE.order_by(watch.c.due.desc(), watch.c.person.desc())


class Watch:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def expect(self, dues: Mapping[str, datetime | None]) -> None:
        """Look at these persons (keys) at those times, and not before; at None no more."""
        if not dues:
            return
        self._connection.execute(watch.delete().where(among(watch.c.person, sorted(dues))))
        rows = [(person, to_micros(due)) for person, due in sorted(dues.items()) if due is not None]
        sets.insert_missing(self._connection, watch, ("person", "due"), rows)

    def due(self, now: datetime, *, limit: int) -> list[str]:
        """Persons whose time has come: half of them the longest overdue, half of them those whose time came last.

        So a great many who are due at once keep nobody else waiting.
        """
        half = limit - limit // 2
        found = list(self._connection.scalars(_OLDEST, {"now": now, "limit": half}))
        if len(found) == half:
            found += self._connection.scalars(_LATEST, {"now": now, "limit": limit - half})
        return list(dict.fromkeys(found))

    def next(self) -> datetime | None:
        """When the first of all is to be looked at."""
        ((due,),) = sets.fetch(self._connection, _NEXT)
        return None if due is None else from_micros(due)

    def of(self, persons: Collection[str]) -> dict[str, datetime]:
        """When these are to be looked at."""
        query = select(watch.c.person, watch.c.due).where(among(watch.c.person, persons))
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def of_source(self, source: str, after: int, *, limit: int) -> tuple[set[str], int | None]:
        """Persons of whom a source has stated something that is there: a page, and after what the next one is."""
        rows = contributor.c
        query = select(rows.rid, resource.c.person)
        query = query.join(resource, (resource.c.rid == rows.rid) & (resource.c.partition == rows.partition))
        query = query.where(rows.source == source, rows.rid > after).order_by(rows.rid).limit(limit)
        found = self._connection.execute(query).all()
        return {person for _, person in found if person}, found[-1][0] if len(found) == limit else None

    def holding(self, rids: Collection[int], text: bytes) -> set[str]:
        """The persons of those rows whose current or former content holds the text."""
        found: set[str] = set()
        for table in (resource, resource_version) if rids else ():
            query = select(table.c.person).where(among(table.c.rid, rids), table.c.person.is_not(None))
            found |= set(self._connection.scalars(query.where(holds(table.c.body, text))))
        return found
