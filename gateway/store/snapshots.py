"""Complete snapshots: which records a source held at a time, so that what is no longer there can be withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from gateway.store import sets
from gateway.tables import inbox_item, snapshot, to_micros


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete list: the message that holds it, and the time that it speaks of."""

    source: str
    scope: str
    taken_at: datetime
    inbox_id: str


class Snapshots:
    """A snapshot's records are its message's items: their keys are kept there, once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, taken: Snapshot) -> None:
        if taken in self.of(taken.source, taken.scope, since=taken.taken_at, until=taken.taken_at):
            return
        row = (taken.source, taken.scope, to_micros(taken.taken_at), taken.inbox_id)
        sets.insert(self._connection, snapshot, ("source", "scope", "taken_at", "inbox_id"), [row])

    def of(
        self, source: str, scope: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Snapshot]:
        """A source's snapshots of a scope in the order in which they were taken, bounds included."""
        query = select(snapshot).where(snapshot.c.source == source, snapshot.c.scope == scope)
        if since is not None:
            query = query.where(snapshot.c.taken_at >= since)
        if until is not None:
            query = query.where(snapshot.c.taken_at <= until)
        rows = self._connection.execute(query.order_by(snapshot.c.taken_at, snapshot.c.inbox_id))
        return [Snapshot(*row) for row in rows]

    def before(self, source: str, scope: str, taken_at: datetime) -> list[Snapshot]:
        """The snapshots of the last moment before that time."""
        return self._at(source, scope, func.max(snapshot.c.taken_at), snapshot.c.taken_at < taken_at)

    def after(self, source: str, scope: str, taken_at: datetime) -> list[Snapshot]:
        """The snapshots of the first moment after that time: one that came late is held against them."""
        return self._at(source, scope, func.min(snapshot.c.taken_at), snapshot.c.taken_at > taken_at)

    def keys(self, inbox_id: str) -> set[str]:
        """The keys of the records that a snapshot's message holds, held items included where their key is known."""
        query = select(inbox_item.c.key).where(inbox_item.c.inbox_id == inbox_id, inbox_item.c.key.is_not(None))
        return set(self._connection.scalars(query))

    def _at(self, source: str, scope: str, nearest: Any, side: Any) -> list[Snapshot]:
        own = (snapshot.c.source == source, snapshot.c.scope == scope)
        moment = self._connection.scalar(select(nearest).where(*own, side))
        return [] if moment is None else self.of(source, scope, since=moment, until=moment)
