"""Databases to measure on: an SQLite file, or a PostgreSQL of Debian's package on a free port of 127.0.0.1."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from gateway.tables import metadata
from tests import postgres


def postgresql() -> str:
    """The URL of a server that ends with this process, as durable as in production: a commit waits for the disk."""
    postgres.SETTINGS.update(fsync="on", synchronous_commit="on", full_page_writes="on", autovacuum="on")
    server = postgres.start(os.getpid())
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE bench"))
    engine.dispose()
    return f"{server}/bench"


def empty(url: str) -> None:
    """Take away what an earlier run left: the rows on PostgreSQL, the file on SQLite."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        for end in ("", "-wal", "-shm"):
            Path(f"{address.database}{end}").unlink(missing_ok=True)
        return
    engine = create_engine(address)
    with engine.begin() as connection:
        if connection.execute(text("SELECT to_regclass('inbox')")).scalar():
            names = ", ".join(f'"{name}"' for name in metadata.tables)
            connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()


def version(url: str) -> str:
    """What the server calls itself; nothing for SQLite, which is a part of the process."""
    if make_url(url).get_backend_name() == "sqlite":
        return ""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = str(connection.execute(text("SHOW server_version")).scalar())
    engine.dispose()
    return f"PostgreSQL {found}"
