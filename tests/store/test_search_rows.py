"""Search rows follow their resource: written with it, replaced with it, gone with it, moved with its person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from gateway.store import Store
from gateway.tables import partition_key, search_token
from tests.store.examples import deleted, save, task

INDEXED: list[str] = []


def index(resource) -> dict:
    """One row for each word of the status."""
    INDEXED.append(resource["status"])
    return {"search_token": [(n, 1, "", word, "", 0) for n, word in enumerate(resource["status"].split())]}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    INDEXED.clear()
    with Store.open(database_url, index=index) as opened:
        yield opened


def rows(store: Store) -> list[tuple[int, str]]:
    query = select(search_token.c.partition, search_token.c.code).order_by(search_token.c.rid, search_token.c.seq)
    return store.read(lambda unit: [tuple(row) for row in unit._connection.execute(query)])


def test_rows_are_written_replaced_and_removed_with_their_resource(store: Store) -> None:
    here = partition_key("person-1", "t1")
    save(store, task("t1", status="a b"), task("t2", status="c"))
    assert rows(store) == [(here, "a"), (here, "b"), (here, "c")]
    save(store, task("t1", status="d"))
    assert rows(store) == [(here, "d"), (here, "c")]
    save(store, deleted("t1"))
    assert rows(store) == [(here, "c")]
    save(store, task("t1", status="e"))
    assert rows(store) == [(here, "e"), (here, "c")]


def test_rows_move_with_the_person(store: Store) -> None:
    save(store, task("t1", status="a"))
    save(store, task("t1", status="a", person="person-2"))
    assert rows(store) == [(partition_key("person-2", "t1"), "a")]
    save(store, task("t1", status="b", person="person-3"))
    assert rows(store) == [(partition_key("person-3", "t1"), "b")]


def test_what_did_not_change_is_not_indexed_again(store: Store) -> None:
    save(store, task("t1", status="a"))
    save(store, task("t1", status="a", contributors=["x"]))
    assert INDEXED == ["a"]


def test_without_another_index_the_rows_are_those_of_the_definitions(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        save(store, task("t1", status="requested"))
        assert "requested" in {code for _, code in rows(store)}
