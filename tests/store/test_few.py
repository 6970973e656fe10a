"""A few rows go to PostgreSQL in another way than many: what is kept is the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, create_engine
from sqlalchemy.exc import DataError

from gateway.store import Store, few, sets
from gateway.store.sets import FEW, Rows, insert_all
from gateway.tables import audit, map_archive, resource, search_quantity, search_token, search_uri
from tests.store.examples import message

pytestmark = pytest.mark.postgres

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TEXT": TEXTS,
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "INTEGER": INTEGERS,
    "SMALLINT": st.integers(-(2**15), 2**15 - 1),
    "DOUBLE": st.one_of(st.floats(allow_nan=False), INTEGERS),
    "BOOLEAN": st.booleans(),
    "BLOB": st.binary(max_size=40),
}


def rows(table: Table) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows whose keys are apart: the place in the list is put into all whole numbers of the key."""
    columns = list(table.c)

    def kind(name: Any) -> str:
        return str(name).split(" ")[0].split("(")[0]

    each = st.tuples(*(VALUES[kind(one.type)] | (st.none() if one.nullable else st.nothing()) for one in columns))
    places = [n for n, one in enumerate(columns) if one.primary_key and kind(one.type) != "TEXT"]

    def apart(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [tuple(n if at in places else value for at, value in enumerate(row)) for n, row in enumerate(found)]

    return st.lists(each, max_size=4).map(apart)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    engine = create_engine(postgres_url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


TABLES = (resource, search_token, search_uri, search_quantity, audit)


def kept(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}").fetchall()]
    return sorted(found, key=repr)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_few_rows_of_several_tables_are_kept_as_many_are(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    given = [Rows(table, tuple(table.c.keys()), data.draw(rows(table))) for table in TABLES]
    found = []
    for most in (FEW, 0):  # None is few, then: each table's go by COPY.
        with monkeypatch.context() as patched, connection.begin() as transaction:
            patched.setattr(sets, "FEW", most)
            insert_all(connection, given)
            found.append({table.name: kept(connection, table) for table in TABLES})
            transaction.rollback()
    assert found[0] == found[1]
    assert sum(map(len, found[0].values())) == sum(len(one.rows) for one in given)


def test_rows_are_counted_one_by_one_where_some_are_there(connection: Connection) -> None:
    columns = ("rid", "seq", "partition", "param", "value", "edge")
    with connection.begin() as transaction:
        sets.insert(connection, search_uri, columns, [(1, 0, 5, 7, "a", 0)])
        assert sets.insert_missing(connection, search_uri, columns, [(n, 0, 5, 7, "b", 0) for n in range(4)]) == 3
        new = sets.insert_new(connection, search_uri, columns, [(n, 0, 5, 7, "c", 0) for n in range(6)])
        assert new == {4, 5}
        assert [row[4] for row in kept(connection, search_uri)].count("a") == 1
        transaction.rollback()


@pytest.mark.parametrize("count", [1, FEW + 1])
def test_a_character_that_cannot_be_kept_is_refused_either_way(connection: Connection, count: int) -> None:
    columns = ("rid", "seq", "partition", "param", "value", "edge")
    with connection.begin() as transaction, pytest.raises(DataError):
        sets.insert(connection, search_uri, columns, [(n, 0, 5, 7, "a\0", 0) for n in range(count)])
        transaction.rollback()


def test_rows_that_hold_much_are_given_in_parts(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("hash", "package", "version", "archived", "files")
    given = [(f"h{n}", "p", "1", n, bytes([n]) * 60) for n in range(7)]
    monkeypatch.setattr(few, "MOST", 130)
    assert [len(part) for part in few.batches(map_archive, columns, given)] == [2, 2, 2, 1]
    with connection.begin() as transaction:
        assert sets.insert_missing(connection, map_archive, columns, given) == 7
        assert sets.insert_missing(connection, map_archive, columns, given) == 0
        assert {row[4] for row in kept(connection, map_archive)} == {row[4] for row in given}
        transaction.rollback()


def test_a_large_message_is_kept_beside_a_small_one(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        messages = [message("small", b"x"), message("large", b"y" * (2 * few.LIGHT))]
        store.write(lambda unit: unit.inbox.keep_new(messages))
        for one in messages:
            store.keep(one)  # It is there already.
            found = store.read(lambda unit, one=one: unit.inbox.get(one.id))
            assert found is not None
            assert found.body == one.body
