"""Migrations: the tables as numbered steps, run by Alembic when the database is not up to date.

A new database gets at once what all steps lead to: the tests hold the two to be the same.

https://alembic.sqlalchemy.org/en/latest/cookbook.html#programmatic-api-use-connection-sharing-with-alembic
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)

from gateway.store.failures import nowhere
from gateway.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
HEAD = max((path.stem for path in (FOLDER / "versions").glob("[0-9]*.py")), default=None)
"""The newest revision: its file's name is its id, and they sort."""

# As Alembic makes it: https://alembic.sqlalchemy.org/en/latest/api/runtime.html
_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_LOCK = text("SELECT pg_advisory_xact_lock(7305, 2)")


def migrate(engine: Engine, *, new: bool = True) -> bool:
    """Bring the tables up to date; one process does it, others wait. True where there were none, if they may be `new`.

    NotFound where there are none, and may not be.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(_LOCK)
        if not inspect(connection).get_table_names():
            if not new:
                raise nowhere(engine.url)
            _create(connection)
            return True
        if revision(connection) != HEAD:
            upgrade(connection)
    return False


def upgrade(connection: Connection) -> None:
    """Take the steps that are missing, one after the other."""
    from alembic import command  # Slow to load, and most starts need none.

    command.upgrade(config(connection), "head")


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _REVISION.create(connection)
    connection.execute(insert(_REVISION).values(version_num=HEAD))


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
