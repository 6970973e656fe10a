"""A set of keys is one parameter, and every look-up by it goes by an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.keysets import among
from gateway.store import Item, Store, UnitOfWork, sets
from gateway.store.failures import Refused
from gateway.tables import search_uri
from gateway.tables import statement as table
from tests.store.examples import NOON, deleted, message, statement, task

LEASE = timedelta(seconds=1)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as opened:
        yield opened


def plans(store: Store, work: Callable[[UnitOfWork], object]) -> list[str]:
    """What SQLite says that it does for each statement of the work, by SQLAlchemy or by the driver itself."""
    told: list[str] = []

    def observed(unit: UnitOfWork) -> None:
        raw = unit._connection.connection.driver_connection
        asked: list[str] = []
        raw.set_trace_callback(asked.append)
        try:
            work(unit)
        finally:
            raw.set_trace_callback(None)
        for sql in asked:
            if re.match(r"SELECT|UPDATE|DELETE|INSERT INTO resource_version", sql):
                told.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}"))

    store.write(observed)
    return told


def ingest(unit: UnitOfWork) -> None:
    """What one range of a message asks for."""
    unit.inbox.claim_waiting("a", lease=LEASE, limit=100)
    unit.identifiers.claim({("Task", "s", "1"): "t1"})
    unit.persons.point({"p1": "person-1"})
    unit.persons.patients_of(["person-1"])
    unit.persons.of_patients(["p1"])
    unit.statements.add([statement("d1")])
    unit.statements.of_resources([("Task", "t1")], without=[statement("d1")])
    unit.statements.of_person("person-1")
    unit.statements.of_records("maeva", ["record-1"])
    unit.statements.counts_of("maeva", ["record-1"])
    unit.statements.last_of([("Task", "t1")])
    unit.identifiers.find([("Task", "s", "1")])
    unit.identifiers.waiting([("Task", "s", "1")])
    unit.links.of(["t1"])
    unit.resources.save([task("t1", status="a")])
    unit.resources.save([task("t1", status="b", person="person-2")])
    unit.resources.save([deleted("t1")])
    unit.resources.read("Task", "t1")
    unit.resources.read_many([("Task", "t1")])
    unit.resources.of_person("person-1")
    unit.resources.history("Task", "t1")
    unit.resources.history("Task", before=(NOON, 1))
    unit.resources.history(before=(NOON, 1))
    unit.changes.after(0)
    unit.inbox.save_items([Item("message-1", 0, "row", "held")])
    unit.inbox.items("message-1")
    unit.inbox.heard(["maeva"])
    unit.inbox.progress("message-1", "a", next_item=1, lease=LEASE)
    unit.inbox.finish("message-1", "a")


def test_no_step_of_the_ingest_walks_a_whole_table(store: Store) -> None:
    store.write(lambda unit: unit.inbox.keep(message()))
    found = plans(store, ingest)
    assert len(found) > 40
    # Pages of a history and the queue of open messages walk an index in its order, and stop at their limit.
    in_order = r"SCAN (resource|resource_version) USING INDEX \w+_changed|SCAN inbox USING INDEX inbox_open"
    own = r"SCAN (json_each|anon_\d|\(subquery|CONSTANT|\d+ )|SCAN .*VIRTUAL TABLE|SCAN main.search_text_words_config"
    assert [plan for plan in found if plan.startswith("SCAN") and not re.match(f"{in_order}|{own}", plan)] == []


def test_keys_may_be_many_and_hold_anything(store: Store) -> None:
    keys = [f"d{n}" for n in range(40_000)] + ["'", '"', "å\\", ""]
    store.write(lambda unit: unit.statements.add([statement("d7"), statement("'"), statement("å\\")]))
    assert {said.digest for said in store.read(lambda unit: unit.statements.get(keys))} == {"d7", "'", "å\\"}
    assert store.read(lambda unit: unit.statements.get([])) == []


def test_among_is_a_condition_like_others(store: Store) -> None:
    query = table.select().where(among(table.c.digest, ["d1"]) | ~among(table.c.digest, ["d1", "d2"]))
    store.write(lambda unit: unit.statements.add([statement("d1"), statement("d2"), statement("d3")]))
    assert store.read(lambda unit: sorted(row.digest for row in unit._connection.execute(query))) == ["d1", "d3"]
    assert store.read(lambda unit: unit._connection.scalar(text("SELECT count(*) FROM statement"))) == 3


URIS = [(1, 1, n, 7, f"u{n}", 0) for n in range(40)]
"""Rows of one resource, none like another."""


def insert(unit: UnitOfWork, rows: list[tuple[object, ...]]) -> list[str]:
    """What the driver says to SQLite of the rows."""
    raw = unit._connection.connection.driver_connection
    asked: list[str] = []
    raw.set_trace_callback(asked.append)
    try:
        sets.insert(unit._connection, search_uri, ("partition", "rid", "seq", "param", "value", "edge"), rows)
    finally:
        raw.set_trace_callback(None)
    return asked


def uris(unit: UnitOfWork) -> list[str]:
    return list(unit._connection.scalars(text("SELECT value FROM search_uri ORDER BY seq")))


@pytest.mark.parametrize(("count", "statements"), [(0, 0), (1, 1), (15, 15), (16, 1), (17, 2), (40, 10)])
def test_rows_go_to_sqlite_several_in_a_statement(store: Store, count: int, statements: int) -> None:
    assert len(store.write(lambda unit: insert(unit, URIS[:count]))) == statements
    assert store.read(uris) == [f"u{n}" for n in range(count)]


@pytest.mark.parametrize("place", [1, 15, 16, 31, 39])
def test_nothing_is_stored_where_one_of_several_rows_is_refused(store: Store, place: int) -> None:
    with pytest.raises(Refused):
        store.write(lambda unit: insert(unit, [*URIS[:place], URIS[0], *URIS[place:]]))
    assert store.read(uris) == []
