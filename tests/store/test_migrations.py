"""The migrations lead to the tables that the program knows, on both databases."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, inspect, text

from gateway.store import Store
from gateway.store.migrations import HEAD, config, migrate, revision
from gateway.tables import metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_migrations_make_the_tables_of_the_metadata(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert revision(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _ours})
        assert compare_metadata(context, metadata) == []
        names = {name for name in inspect(connection).get_table_names() if _ours(name)}
        assert names == {*metadata.tables, "alembic_version"}
        if engine.dialect.name == "postgresql":
            assert set(inspect(connection).get_sequence_names()) >= {"rid"}
    engine.dispose()


def _ours(name: str | None, *_: object) -> bool:
    """The index of words is nothing that Alembic compares, and on SQLite it is tables of its own."""
    return name is None or not name.startswith("search_text_words")


def test_what_sqlite_makes_of_the_migrations_is_what_it_makes_of_the_metadata(sqlite_url: str) -> None:
    """Partial indexes and tables without row ids are nothing that Alembic compares."""
    migrated, made = create_engine(sqlite_url), create_engine("sqlite://")
    schema = text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL")
    with migrated.connect() as one, made.connect() as other:
        metadata.create_all(other)
        assert dict(map(_plain, one.execute(schema))) == dict(map(_plain, other.execute(schema)))
    migrated.dispose()
    made.dispose()


def _plain(row) -> tuple[str, list[str]]:
    # A column that SQLite adds stands on the line of the one before it.
    parts = (part.strip(" ,\t()") for part in re.split(r"\n|, ", row[1]))
    return row[0], sorted(part for part in parts if part)


def test_the_file_names_are_the_order(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(config(connection))
        assert script.get_heads() == [HEAD]
        revisions = [step.revision for step in script.walk_revisions()]
        assert revisions == sorted(revisions, reverse=True)
    engine.dispose()


def test_migrating_what_is_up_to_date_does_nothing(database_url: str) -> None:
    engine = create_engine(database_url)
    migrate(engine)
    engine.dispose()


def test_a_fresh_database_is_migrated_when_it_is_opened(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/new.db") as store:
        assert store.read(lambda unit: unit.resources.count()) == {}


def test_a_database_that_is_not_to_be_migrated_is_left_alone(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/new.db", migrated=False):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/new.db")
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()


@pytest.mark.postgres
def test_two_processes_may_migrate_at_once(postgres_server: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    admin = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS migrated_twice"))
        connection.execute(text("CREATE DATABASE migrated_twice"))
    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(Store.open, [f"{postgres_server}/migrated_twice"] * 2))
    assert stores[0].namespace() == stores[1].namespace()
    for store in stores:
        store.close()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE migrated_twice"))
    admin.dispose()


def test_what_was_indexed_before_is_read_again(database_url: str) -> None:
    """Into an empty database of the step before comes one resource; the step after puts the job that indexes it."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for name in ("deferred", "job", "definition"):
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0005_search_values'"))
        content = {"partition": 1, "rid": 1, "resource_type": "Task", "id": "t", "version": "1", "last_updated": NOW}
        more = {
            "method": "PUT",
            "deleted": False,
            "digest": b"",
            "contributors": "[]",
            "contradictions": "[]",
            "body": b"",
        }
        connection.execute(insert(metadata.tables["resource"]).values(content | more))
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT kind, input, state FROM job")).all() == [
            ("reindex", '{"after":0}', "waiting")
        ]
    engine.dispose()
