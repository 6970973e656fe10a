"""The audit trail shows what was done to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from gateway.store import Break, Store
from tests.store.examples import MINUTE, NOON


def add(store: Store, *numbers: int, now=NOON, person: str | None = None) -> None:
    store.write(lambda unit: unit.audit.add(({"n": n} for n in numbers), person=person), now=now)


def verify(store: Store) -> list[Break]:
    return store.read(lambda unit: unit.audit.verify())


def tamper(store: Store, sql: str) -> None:
    store.write(lambda unit: unit._connection.execute(text(sql)))


def test_rows_are_told_latest_first_by_person_and_before_a_time(store: Store) -> None:
    add(store, 1, person="person-1")
    add(store, 2, now=NOON + MINUTE)
    add(store, 3, now=NOON + 2 * MINUTE, person="person-1")
    numbers = lambda **which: [row.event["n"] for row in store.read(lambda unit: unit.audit.latest(**which))]  # noqa: E731
    assert numbers() == [3, 2, 1]
    assert numbers(person="person-1") == [3, 1]
    assert numbers(before=NOON + 2 * MINUTE) == [2, 1]
    assert numbers(limit=1) == [3]


def test_an_untouched_trail_verifies_sealed_or_not(store: Store) -> None:
    assert verify(store) == []
    add(store, 1, 2, 3)
    assert store.write(lambda unit: unit.audit.seal()) == 1
    add(store, 4)
    assert store.write(lambda unit: unit.audit.seal()) == 2
    assert verify(store) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET body = (SELECT body FROM audit WHERE number = 1) WHERE number = 2",
        "UPDATE audit SET person = 'somebody' WHERE number = 2",
        "UPDATE audit SET recorded = recorded + 1 WHERE number = 1",
        "UPDATE audit SET chain = 'another'",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit WHERE number = 1",
    ],
)
def test_a_row_that_was_changed_or_removed_is_found_out(store: Store, sql: str) -> None:
    add(store, 1, 2, 3)
    tamper(store, sql)
    assert verify(store)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit",
        "UPDATE audit_seal SET heads = '{}'",
        "UPDATE audit_seal SET recorded = recorded + 1 WHERE number = 1",
        "DELETE FROM audit_seal WHERE number = 1",
    ],
)
def test_a_chain_cut_short_is_found_out_by_its_seal(store: Store, sql: str) -> None:
    add(store, 1, 2, 3)
    for _ in range(2):
        store.write(lambda unit: unit.audit.seal())
    tamper(store, sql)
    assert verify(store)


def test_writers_side_by_side_keep_their_chains_whole(store: Store) -> None:
    def some(worker: int) -> None:
        for n in range(5):
            add(store, n)
            with pytest.raises(ZeroDivisionError):
                store.write(lambda unit: (unit.audit.add([{}]), 1 // 0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(4)))
    assert verify(store) == []
    assert len(store.read(lambda unit: unit.audit.latest())) == 20
