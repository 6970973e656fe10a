"""Migrations: the tables as numbered steps, run by Alembic when the database is not up to date.

https://alembic.sqlalchemy.org/en/latest/cookbook.html#programmatic-api-use-connection-sharing-with-alembic
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, select, table, text
from sqlalchemy.sql import column

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
HEAD = max((path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")), default=None)
"""The newest revision: its file's name is its id, and they sort."""

_REVISION = table("alembic_version", column("version_num"))
_LOCK = text("SELECT pg_advisory_xact_lock(7305, 2)")


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; one process does it, others wait."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(_LOCK)
        if revision(connection) != HEAD:
            from alembic import command  # Slow to load, and most starts need none.

            command.upgrade(config(connection), "head")


def revision(connection: Connection) -> str | None:
    """The revision that the database is at."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(select(_REVISION.c.version_num))


def config(connection: Connection) -> Config:
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(FOLDER))
    found.attributes["connection"] = connection
    return found
