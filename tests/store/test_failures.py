"""What a caller is told when the database fails him: enough to act on, and nothing that was to be written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import QueuePool, create_engine, text

from gateway.errors import Unavailable, Unprocessable
from gateway.store import Store, UnitOfWork, sets
from gateway.store.failures import Refused, translated
from gateway.tables import identifier
from tests.store.examples import changes, save, task

NUMBER = "191212121212"
KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


def twice(unit: UnitOfWork) -> None:
    columns = ("value", "system", "resource_type", "id")
    sets.insert(unit._connection, identifier, columns, [(NUMBER, "s", "Patient", "p1")] * 2)


def nowhere(unit: UnitOfWork) -> None:
    unit._connection.execute(text("INSERT INTO nowhere VALUES (:number)"), {"number": NUMBER})


def null(unit: UnitOfWork) -> None:
    unit._connection.execute(
        identifier.insert(), {"value": NUMBER, "system": "s", "resource_type": "Patient", "id": None}
    )


@pytest.mark.parametrize("wrong", [twice, nowhere, null])
def test_an_error_never_quotes_what_was_to_be_written(store: Store, wrong: Callable[[UnitOfWork], Any]) -> None:
    with pytest.raises(Refused) as caught:
        store.write(wrong)
    told = "".join(traceback.format_exception(caught.value))
    assert NUMBER not in told
    assert wrong.__name__ in told, "and still it says where"


@pytest.mark.postgres
@pytest.mark.parametrize(
    "work",
    [
        lambda unit: unit.identifiers.claim({("Patient", "s", "1\0002"): "p1"}),
        lambda unit: unit.meta.put("1\0002", b""),
    ],
)
def test_a_character_that_postgresql_cannot_keep_is_said_to_be_one(postgres_url: str, work) -> None:
    with Store.open(postgres_url) as store, pytest.raises(Unprocessable):
        store.write(work)


@pytest.mark.postgres
@pytest.mark.parametrize("given", [{}, {"once": True}, {"briefly": True}], ids=["read", "once", "briefly"])
def test_when_the_server_has_closed_all_connections_a_read_meets_that_once(
    postgres_url: str, given: dict[str, bool]
) -> None:
    """As a server does that is started anew: all that lie in the pool are lost, not only the one that is tried."""
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        save(store, task("t1"))

        def within(depth: int) -> dict[str, int]:
            deeper = (lambda _: within(depth - 1)) if depth else (lambda unit: unit.resources.count())
            return store.read(deeper, **given)

        within(4)
        other.write(lambda unit: unit._connection.execute(KILL).all())
        assert store.read(lambda unit: unit.resources.count(), **given) == {"Task": 1}
        assert within(4) == {"Task": 1}


@pytest.mark.postgres
def test_a_database_that_answers_again_is_ready_at_once(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        assert store.ready()
        other.write(lambda unit: unit._connection.execute(KILL).all())
        assert store.ready()


@pytest.mark.postgres
def test_a_lost_connection_is_replaced(postgres_url: str) -> None:
    """By a new one for a read; a write may have been done, so it is for the caller to try again."""
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        save(store, task("t1"))
        store.read(lambda unit: unit.resources.count())
        other.write(lambda unit: unit._connection.execute(KILL).all())
        assert store.read(lambda unit: unit.resources.count()) == {"Task": 1}
        save(store, task("t2"))

        def lose(unit: UnitOfWork) -> None:
            unit.audit.add([{}])
            other.write(lambda unit: unit._connection.execute(KILL).all())
            unit.resources.save([task("t3")])

        with pytest.raises(Unavailable):
            store.write(lose)
        save(store, task("t4"))
        assert [change.id for change in changes(store)] == ["t1", "t2", "t4"]
        assert store.read(lambda unit: unit.audit.verify()) == []


def test_a_busy_database_is_unavailable_not_broken(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.database._PRAGMAS", ("PRAGMA busy_timeout = 10",))
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    with Store.open(sqlite_url) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            store.write(lambda unit: unit.meta.put("a", b""))
        other.execute("COMMIT")
        store.write(lambda unit: unit.meta.put("a", b""))
    other.close()


def test_ready_says_whether_the_database_answers(store: Store) -> None:
    assert store.ready()


def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Store.open("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        Store.open("sqlite:////no/such/folder/a.db")


def test_sqlite_needs_a_path() -> None:
    with pytest.raises(ValueError, match="path"):
        Store.open("sqlite://")


def test_a_new_database_is_its_owners_alone_to_read(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/new.db"):
        rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert rights == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


def test_another_process_that_goes_leaves_the_log_of_those_that_stay(tmp_path: Path) -> None:
    """It may take the write-ahead log away only when it holds the last connection of all."""
    path = tmp_path / "shared.db"
    passing = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM inbox').fetchall()"
    with Store.open(f"sqlite:///{path}") as staying:
        staying.write(lambda unit: unit._connection.execute(text("CREATE TABLE kept (n INTEGER)")) and None)
        staying.ready()  # A second connection, opened while the first holds its locks.
        log = path.with_name("shared.db-wal").stat().st_ino
        subprocess.run([sys.executable, "-c", passing, str(path)], check=True, timeout=60)
        assert path.with_name("shared.db-wal").stat().st_ino == log


def test_a_pool_without_a_free_connection_is_unavailable() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(Unavailable), translated():
        engine.connect()
    engine.dispose()
