"""Writers share commits on SQLite: each is answered after the commit, and one that fails is undone alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from gateway.errors import Unavailable
from gateway.store import Store
from gateway.store.failures import Refused
from tests.store.examples import changes, fail, save, task


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def held(sqlite_store: Store) -> Iterator[threading.Event]:
    """The writer is busy until the event is set, so what is written meanwhile is queued behind it."""
    go, busy = threading.Event(), threading.Event()

    def hold(_) -> None:
        busy.set()
        go.wait(10)

    def write() -> None:
        with suppress(Refused):
            sqlite_store.write(hold)

    holder = threading.Thread(target=write)
    holder.start()
    busy.wait(10)
    yield go
    go.set()
    holder.join()


def in_threads(store: Store, works, go: threading.Event) -> list:
    """Queue the works in this order, then let them run; exceptions are answers too."""

    def answer(work):
        try:
            return store.write(work)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        answers = []
        for n, work in enumerate(works, 1):
            answers.append(pool.submit(answer, work))
            while store._group._queue.qsize() < n:
                pass
        go.set()
        return [one.result() for one in answers]


def test_queued_works_run_in_order_and_share_a_commit(sqlite_store: Store, held, sqlite_url: str) -> None:
    works = [lambda unit, n=n: unit.resources.save([task(f"t{n}")])[0].id for n in range(20)]
    assert in_threads(sqlite_store, works, held) == [f"t{n}" for n in range(20)]
    assert [change.id for change in changes(sqlite_store)] == [f"t{n}" for n in range(20)]


def test_a_work_that_fails_is_undone_alone(sqlite_store: Store, held) -> None:
    good = lambda n: lambda unit: unit.resources.save([task(f"t{n}")])[0].changed  # noqa: E731
    events = lambda n: lambda unit: unit.audit.add([{"n": n}])  # noqa: E731
    works = [good(1), events(1), fail(good(2)), fail(events(2)), good(3), events(3)]
    answers = in_threads(sqlite_store, works, held)
    assert [type(one) for one in answers] == [bool, type(None), LookupError, LookupError, bool, type(None)]
    assert [(change.seq, change.id) for change in changes(sqlite_store)] == [(1, "t1"), (2, "t3")]
    assert [row.event for row in sqlite_store.read(lambda unit: unit.audit.latest())] == [{"n": 3}, {"n": 1}]
    assert sqlite_store.read(lambda unit: unit.audit.verify()) == []


def test_nobody_is_answered_when_the_commit_fails(sqlite_store: Store, held) -> None:
    def break_commit(unit) -> None:
        # A deferred foreign key is looked at by the commit only.
        unit._connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        unit._connection.exec_driver_sql("INSERT INTO inbox_body (inbox_id, chunk, body) VALUES ('none', 0, x'')")

    answers = in_threads(sqlite_store, [lambda unit: unit.audit.add([{}]), break_commit], held)
    assert [type(one) for one in answers] == [Refused, Refused]
    sqlite_store.write(lambda unit: unit.audit.add([{}]))
    assert len(sqlite_store.read(lambda unit: unit.audit.latest())) == 1
    assert sqlite_store.read(lambda unit: unit.audit.verify()) == []


def test_nothing_is_seen_before_the_commit(sqlite_store: Store) -> None:
    seen = []

    def work(unit) -> None:
        unit.resources.save([task()])
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(sqlite_store.read, lambda unit: unit.resources.read("Task", "task-1")).result())

    sqlite_store.write(work)
    assert seen == [None]


def test_a_work_that_waits_for_another_is_refused_rather_than_stuck(sqlite_store: Store) -> None:
    with pytest.raises(RuntimeError, match="one unit of work"):
        sqlite_store.write(lambda _: sqlite_store.write(lambda _: None))


def test_closing_finishes_what_was_queued_and_takes_nothing_more(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(save, store, task(f"t{n}")) for n in range(8)]
    store.close()
    assert all(one.result()[0].changed for one in answers)
    with pytest.raises(RuntimeError, match="closed"):
        store.write(lambda _: None)
    store.close()


def test_a_read_sees_one_moment(store: Store) -> None:
    save(store, task(status="a"))

    def twice(unit) -> tuple:
        first = unit.resources.read("Task", "task-1").resource()["status"]
        save(store, task(status="b"))
        return first, unit.resources.read("Task", "task-1").resource()["status"]

    assert store.read(twice) == ("a", "a")


def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises((Refused, Unavailable)):
        store.read(lambda unit: unit.resources.save([task()]))
    assert store.read(lambda unit: unit.resources.count()) == {}


def test_a_failed_work_leaves_nothing(store: Store) -> None:
    with pytest.raises(LookupError):
        store.write(fail(lambda unit: (unit.resources.save([task()]), unit.audit.add([{}]))))
    assert (store.read(lambda unit: unit.resources.count()), changes(store)) == ({}, [])
