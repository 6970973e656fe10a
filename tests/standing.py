"""PostgreSQL databases that are emptied for test after test, and whose connections go on from one to the next.

A new connection reads the tables' definitions and plans all that it is asked: half of what PostgreSQL had to do.
"""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, make_url

from gateway.store import database as opening
from gateway.store.database import Database
from gateway.tables import metadata

STANDING: dict[str, Standing] = {}
"""By their URLs."""

_made = opening.connect


def connect(url: str | URL, **options: Any) -> Database:
    """As the gateway's own: of a database that stands, with connections that are there."""
    standing = None if options else STANDING.get(str(url))
    return standing.take() if standing else _made(url, **options)


class Standing:
    """The engines of one database, those of each opening its own: when it closes, the next takes them over."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._idle: list[Database] = []
        self._emptying: psycopg.Connection[Any] | None = None

    def take(self) -> Database:
        database = self._idle.pop() if self._idle else _made(self.url)
        for engine in _engines(database):
            pool: Any = engine.pool
            if _closed([record.dbapi_connection for record in pool._pool.queue if record.dbapi_connection]):
                engine.dispose()
        return GivenBack(*_engines(database), home=self)

    def back(self, database: Database) -> None:
        for engine in _engines(database):
            if engine.pool.checkedout():  # type: ignore[attr-defined]
                engine.dispose()
        self._idle.append(Database(*_engines(database)))

    def empty(self) -> None:
        # Forty small tables are emptied faster by rows than by TRUNCATE, which makes new files for each.
        away = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
        anew = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
        if self._emptying and _closed([self._emptying]):
            self._emptying.close()
        if not self._emptying or self._emptying.closed:
            address = make_url(self.url).set(drivername="postgresql")
            self._emptying = psycopg.connect(address.render_as_string(False), autocommit=True)
        self._emptying.execute("; ".join([*away, anew]))

    def end(self) -> None:
        if self._emptying:
            self._emptying.close()
        for one in self._idle:
            one.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack(Database):
    """A database that is given back where it would be closed."""

    home: Standing

    def dispose(self) -> None:
        self.home.back(self)


def _engines(database: Database) -> tuple[Engine, ...]:
    return database.writer, database.reader, database.glance, database.brief


def _closed(connections: list[Any]) -> bool:
    """Whether the server has ended one of them: to one that is idle it says nothing else."""
    return bool(connections and select.select(connections, [], [], 0)[0])
