"""What answers leave in the audit trail of PostgreSQL: committed in groups, and there when `record` returns."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text

from gateway.errors import GatewayError
from gateway.store import Store

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url) as opened:
        yield opened


def test_what_many_record_at_once_is_there_when_they_are_told_so(store: Store) -> None:
    def record(n: int) -> bool:
        store.record([({"n": n}, f"p{n}"), ({"n": -n}, None)], now=NOW)
        found = store.read(lambda unit: unit.audit.latest(person=f"p{n}"))
        return [row.event["n"] for row in found] == [n]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(record, range(1, 101)))
    assert store.read(lambda unit: unit.audit.verify()) == []
    rows = store.read(lambda unit: unit.audit.latest(limit=1000))
    assert len(rows) == 200
    assert len({row.chain for row in rows}) == 1


def test_what_cannot_be_recorded_fails_alone(store: Store) -> None:
    def record(n: int) -> bool:
        try:
            store.record([({"n": n}, "no\0text" if n % 10 == 0 else "p")], now=NOW)
        except GatewayError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(record, range(1, 51)))
    assert told == [n % 10 != 0 for n in range(1, 51)]
    rows = store.read(lambda unit: unit.audit.latest(person="p", limit=1000))
    assert {row.event["n"] for row in rows} == {n for n in range(1, 51) if n % 10}
    assert store.read(lambda unit: unit.audit.verify()) == []


def test_recording_goes_on_when_the_database_has_closed_the_connection(store: Store, postgres_url: str) -> None:
    store.record([({"n": 1}, "p")], now=NOW)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        closed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        connection.execute(text(f"{closed} current_database()"))
    engine.dispose()
    store.record([({"n": 2}, "p")], now=NOW)
    assert len(store.read(lambda unit: unit.audit.latest(person="p"))) == 2
    assert store.read(lambda unit: unit.audit.verify()) == []
