"""Databases to measure on: an SQLite file, or a PostgreSQL of Debian's package on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from gateway.tables import metadata
from tests import postgres

DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}


def postgresql() -> str:
    """The URL of a server that ends with this process, as durable as in production: a commit waits for the disk."""
    postgres.SETTINGS.update(DURABLE)
    server = postgres.start(os.getpid())
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE bench"))
    engine.dispose()
    return f"{server}/bench"


@contextmanager
def kept(folder: Path) -> Iterator[str]:
    """The URL of a server whose files stay in the folder, for the next run to go on with; as durable as above."""
    binaries = postgres.binaries()
    if binaries is None:
        raise SystemExit("This needs a PostgreSQL server: apt-get install postgresql")
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    data = folder / "postgres"
    if not (data / "PG_VERSION").exists():
        data.mkdir(parents=True, exist_ok=True)
        if as_user:
            shutil.chown(data, "postgres", "postgres")
        made = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        subprocess.run([*as_user, binaries / "initdb", *made], check=True, capture_output=True, cwd="/")
    port = postgres.free_port()
    settings = [f"--{name}={value}" for name, value in (postgres.SETTINGS | DURABLE).items()]
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [*as_user, binaries / "postgres", "-D", data, "-p", str(port), *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
        )
        try:
            postgres.wait(binaries, port, folder / "postgres.log")
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


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
