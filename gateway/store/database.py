"""Opening the two databases: one engine that writes, one that reads, the same for both from here on.

SQLite: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

from gateway.store import sets
from gateway.store.failures import driver_errors, nowhere

BUSY_SECONDS = 10.0
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
BRIEF = 200
"""Milliseconds that a statement of a brief look may take."""

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",
    # Of a new database. A commit costs by the page: with 4 KB a range's took an eighth more, and with 16 KB to keep a
    # message alone took a third more.
    "PRAGMA page_size = 8192",
    "PRAGMA journal_mode = WAL",
    # A commit that was acknowledged survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
)
_WRITER_PRAGMAS = ("PRAGMA cache_size = -32768", "PRAGMA wal_autocheckpoint = 2000")
_READER_PRAGMAS = ("PRAGMA query_only = ON",)


@dataclass(frozen=True, slots=True)
class Database:
    """`writer` begins transactions that write; `reader` begins snapshots that cannot."""

    writer: Engine
    reader: Engine
    glance: Engine
    """What reads in a single statement, which is a snapshot by itself; on SQLite the reader."""
    brief: Engine
    """What reads as the reader does, and gives up what takes long; on SQLite the reader."""

    @property
    def is_sqlite(self) -> bool:
        return self.writer.dialect.name == "sqlite"

    def dispose(self) -> None:
        self.reader.dispose()
        self.glance.dispose()
        self.brief.dispose()
        self.writer.dispose()


def connect(url: str | URL, *, pool_size: int = 8, new: bool = True) -> Database:
    """The database of a URL; nothing is opened before the first unit of work. NotFound without a file, unless `new`."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if not address.database or address.database == ":memory:":
            raise ValueError("an SQLite database needs a path: sqlite:///var/samverka.db")
        if not (new or Path(address.database).exists()):
            raise nowhere(address)
        reader = _sqlite(address, "BEGIN", _PRAGMAS + _READER_PRAGMAS, pool_size=pool_size)
        writer = _sqlite(address, "BEGIN IMMEDIATE", _PRAGMAS + _WRITER_PRAGMAS, pool_size=1)
        return Database(writer=writer, reader=reader, glance=reader, brief=reader)
    # Not asked whether it is alive: what fails on a lost connection, before it is committed, is tried again.
    return Database(
        writer=_writer(address, pool_size),
        reader=_postgresql(address, pool_size, "REPEATABLE READ", read_only=True),
        glance=_postgresql(address, pool_size, "AUTOCOMMIT"),
        brief=_postgresql(address, pool_size, "REPEATABLE READ", read_only=True, settings=_BRIEFLY),
    )


# One at a time: whoever finds the file there must not open it before its maker has closed it (`_make_private`).
_making = threading.Lock()

# An error that is logged names the statement, never its parameters: they are patient data (hide_parameters).


def _sqlite(address: URL, begin: str, pragmas: tuple[str, ...], *, pool_size: int) -> Engine:
    engine = create_engine(
        address,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=64,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "cached_statements": 512},
    )

    @event.listens_for(engine, "do_connect")
    def _make_private(_dialect: Any, _record: Any, arguments: list[str], _options: Any) -> None:
        # A new database is its owner's alone to read; what SQLite lays beside it gets the same rights. One that is
        # there is never opened here: closing it would drop the locks of this process's other connections, and the
        # next process to go would take the log away beneath them (https://www.sqlite.org/howtocorrupt.html, 2.2).
        with _making, suppress(OSError):  # The driver says what is wrong.
            os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver would begin transactions by itself, and too late for a snapshot.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        with driver_errors(connection, begin):
            connection.connection.cursor().execute(begin)

    return engine


def _writer(address: URL, pool_size: int) -> Engine:
    engine = _postgresql(address, pool_size, "AUTOCOMMIT")
    sets.settling(engine)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # The driver would begin with the first statement: whoever asks since when others write must see it before this
        # one asks what time it is (history.py, settled).
        with driver_errors(connection, _BEGIN):
            driver: Any = connection.connection.dbapi_connection
            driver.execute(_BEGIN, prepare=False)

    return engine


_BRIEFLY = (
    f"SET statement_timeout = {BRIEF}",
    # To compile a plan takes longer than all that it may take to go by it.
    "SET jit = off",
)


def _postgresql(
    address: URL, pool_size: int, isolation: str, *, read_only: bool = False, settings: Sequence[str] = ()
) -> Engine:
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    # How a connection is used is told once, when it is made: as an option of each use it would be set, and set back.
    engine = create_engine(
        address,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        # The same one for who comes alone: it has prepared what is asked all day.
        pool_use_lifo=True,
        isolation_level=isolation,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        for one in settings:
            connection.execute(one)
        connection.commit()
        connection.read_only = read_only or None

    return engine
