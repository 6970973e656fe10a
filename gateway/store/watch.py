"""When each person is to be looked at next for what is missing: rows that outlive the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.keysets import among
from gateway.store import sets
from gateway.tables import to_micros, watch


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
        """The persons whose time has come, the longest overdue first."""
        query = select(watch.c.person).where(watch.c.due <= now).order_by(watch.c.due, watch.c.person).limit(limit)
        return list(self._connection.scalars(query))

    def of(self, persons: Collection[str]) -> dict[str, datetime]:
        """When these are to be looked at."""
        query = select(watch.c.person, watch.c.due).where(among(watch.c.person, persons))
        return {row[0]: row[1] for row in self._connection.execute(query)}
