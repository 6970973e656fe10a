"""The migrations lead to the tables that the program knows, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, inspect, text

from gateway.store import Store
from gateway.store.migrations import HEAD, config, migrate, revision, upgrade
from gateway.tables import metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stepped(database_url: str) -> Iterator[Connection]:
    """A database that took every step, one after the other, as one that has been there from the first has."""
    engine = create_engine("sqlite://" if database_url.startswith("sqlite") else database_url)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # All of it is rolled back.
            connection.execute(text("CREATE SCHEMA stepped"))
            connection.execute(text("SET LOCAL search_path TO stepped"))
        upgrade(connection)
        yield connection
        connection.rollback()
    engine.dispose()


@pytest.fixture
def made(database_url: str) -> Iterator[Connection]:
    """A new database, made at once."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_steps_make_the_tables_of_the_metadata(stepped: Connection) -> None:
    _has_the_tables_of_the_metadata(stepped)


def test_a_new_database_has_the_tables_of_the_metadata(made: Connection) -> None:
    _has_the_tables_of_the_metadata(made)


def _has_the_tables_of_the_metadata(connection: Connection) -> None:
    assert revision(connection) == HEAD
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _ours})
    assert compare_metadata(context, metadata) == []
    names = {name for name in inspect(connection).get_table_names() if _ours(name)}
    assert names == {*metadata.tables, "alembic_version"}
    if connection.dialect.name == "postgresql":
        assert set(inspect(connection).get_sequence_names()) >= {"rid"}


def test_what_is_made_at_once_is_what_the_steps_lead_to(stepped: Connection, made: Connection) -> None:
    """Partial indexes, collations and tables without row ids are nothing that Alembic compares."""
    assert _schema(stepped) == _schema(made)


def _schema(connection: Connection) -> dict[str, object]:
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return dict(map(_plain, rows))
    columns = text(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation,"
        " a.attidentity, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'i', 'S')"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    indexes = text(
        "SELECT indexname, replace(indexdef, current_schema() || '.', '') FROM pg_indexes"
        " WHERE schemaname = current_schema()"
    )
    rules = text(
        "SELECT conname, replace(pg_get_constraintdef(oid), current_schema() || '.', '') FROM pg_constraint"
        " WHERE connamespace = current_schema()::regnamespace"
    )
    return {
        "columns": sorted(map(str, connection.execute(columns))),
        "indexes": sorted(map(str, connection.execute(indexes))),
        "constraints": sorted(map(str, connection.execute(rules))),
    }


def _ours(name: str | None, *_: object) -> bool:
    """The index of words is nothing that Alembic compares, and on SQLite it is tables of its own."""
    return name is None or not name.startswith("search_text_words")


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
        for name in (
            "naming",
            "bearing",
            "watch",
            "bulk_import_part",
            "bulk_import_file",
            "bulk_import",
            "export_item",
            "export",
            "deferred",
            "job",
            "definition",
        ):
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


def test_what_was_said_before_may_always_matter_until_a_job_has_looked(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        for name in ("naming", "bearing"):
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0011_watch'"))
        said = {"source": "s", "party": "", "provider": "", "record_key": "k", "effective": NOW, "version": ""}
        said |= {"recorded": NOW, "kind": "assert", "body": b"{}"}
        about = [("a", "Task", "t", "p"), ("b", "Task", "t", "p"), ("c", "Patient", "p", "p"), ("d", "Task", "u", None)]
        names = ("digest", "resource_type", "resource_id", "person")
        rows = [said | dict(zip(names, row, strict=True)) for row in about]
        connection.execute(insert(metadata.tables["statement"]), rows)
    migrate(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT resource_type, resource_id, person, until FROM bearing")).all()
        assert found == [("Task", "t", "p", None)]
        assert connection.execute(text("SELECT kind, input FROM job")).all() == [
            ("reindex", '{"types":["Encounter","Task"],"after":0}')
        ]
    engine.dispose()
