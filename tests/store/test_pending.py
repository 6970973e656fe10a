"""What a unit of work puts off is there for whoever asks, and goes with it where it fails."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from gateway.store import Store, UnitOfWork
from gateway.store.numbers import GO_ON
from tests.store.examples import changes, message, save, statement, task

NEW = {("Task", f"t{n}") for n in range(100)}
KILL = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


def make(unit: UnitOfWork, id: str) -> None:
    unit.resources.save([task(id)], NEW)


@pytest.mark.parametrize(
    "ask",
    [
        lambda unit: unit.resources.read("Task", "t1"),
        lambda unit: unit.resources.read_many([("Task", "t1")]),
        lambda unit: unit.resources.count(),
        lambda unit: unit.resources.of_person("person-1"),
        lambda unit: list(unit.resources.all()),
        lambda unit: unit.resources.following(0, None, limit=1),
    ],
)
def test_a_unit_of_work_finds_what_it_has_made(store: Store, ask) -> None:
    assert store.write(lambda unit: (make(unit, "t1"), ask(unit))[1])


def test_a_message_and_what_came_of_it_are_found_before_they_are_committed(store: Store) -> None:
    def work(unit: UnitOfWork) -> tuple[object, object, object]:
        unit.inbox.keep_new([message()])
        unit.statements.add([statement("s1")], {("Encounter", "encounter-1")})
        unit.audit.add([{"n": 1}])
        return unit.inbox.get("message-1"), unit.statements.get(["s1"]), unit.audit.latest()

    assert all(store.write(work))


def test_what_is_made_twice_in_one_unit_of_work_has_two_versions(store: Store) -> None:
    def work(unit: UnitOfWork) -> None:
        make(unit, "t1")
        unit.resources.save([task("t1", status="accepted")])

    store.write(work)
    assert [(one.id, one.method) for one in changes(store)] == [("t1", "POST"), ("t1", "PUT")]


def test_what_is_undone_takes_nothing_with_it_that_was_made_before(store: Store) -> None:
    def work(unit: UnitOfWork) -> list[int]:
        make(unit, "t1")
        found = unit.undone(lambda: (make(unit, "t2"), unit.resources.count()["Task"])[1])
        make(unit, "t3")
        return [found, unit.resources.count()["Task"]]

    assert store.write(work) == [2, 2]
    assert [one.id for one in changes(store)] == ["t1", "t3"]


def test_what_is_undone_unasked_is_undone_too(store: Store) -> None:
    store.write(lambda unit: (unit.undone(lambda: make(unit, "t1")), make(unit, "t2")))
    assert store.read(lambda unit: unit.resources.count()) == {"Task": 1}


@pytest.mark.postgres
def test_a_deadlock_in_what_is_to_be_undone_lets_all_be_tried_again(postgres_url: str) -> None:
    deadlock = "DO $$ BEGIN RAISE deadlock_detected; END $$"
    tries: list[str] = []

    def work(unit: UnitOfWork) -> None:
        def trial() -> None:
            make(unit, "t1")
            if not tries:
                tries.append("first")
                unit._connection.exec_driver_sql(deadlock)

        unit.undone(trial)
        make(unit, "t2")

    with Store.open(postgres_url) as store:
        store.write(work)
        assert [one.id for one in changes(store)] == ["t2"]


def test_of_a_unit_of_work_that_fails_nothing_is_kept(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        store.write(lambda unit: (make(unit, "t1"), unit.audit.add([{}]), 1 // 0))
    store.write(lambda unit: make(unit, "t2"))
    assert [one.id for one in changes(store)] == ["t2"]
    assert store.read(lambda unit: unit.audit.verify()) == []


@pytest.mark.postgres
def test_new_ones_have_places_of_their_own_whoever_saves_them(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        for n in range(0, 90, 3):
            store.write(lambda unit, n=n: unit.resources.save([task(f"t{n}"), task(f"t{n + 1}")], NEW))
            save(other, task(f"t{n + 2}"))
        rids = other.read(lambda unit: [one.rid for one in unit.resources.all()])
    assert len(set(rids)) == 90


@pytest.mark.postgres
def test_connections_that_lay_there_and_were_closed_keep_nobody_from_writing(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        store.write(lambda unit: store.write(lambda inner: (make(inner, "t1"), make(unit, "t2"))) and None)
        other.write(lambda unit: unit._connection.execute(KILL).all())
        save(store, task("t3"))
        assert sorted(one.id for one in changes(store)) == ["t1", "t2", "t3"]


@pytest.mark.postgres
def test_places_that_are_taken_already_are_not_given_again(postgres_url: str) -> None:
    """Who stands in for a database that is gone may not know of the last numbers that it gave."""
    forget = text("SELECT setval('rid', 1, false)")
    with Store.open(postgres_url) as store:
        save(store, task("t1"), task("t2"))
        store.write(lambda unit: unit._connection.execute(forget).all())
        save(store, task("t3"))
        assert store.read(lambda unit: unit.resources.read("Task", "t3")) is not None
        assert store.read(lambda unit: unit.resources.read("Task", "t1")) is not None


@pytest.mark.postgres
def test_numbers_of_a_database_that_is_gone_are_forgotten(postgres_url: str) -> None:
    forget = text("SELECT setval('rid', (SELECT max(rid) FROM locator))")
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        store.write(lambda unit: make(unit, "t0"))
        other.write(lambda unit: [unit._connection.execute(one).all() for one in (forget, KILL)])
        for n in range(1, 20):
            other.write(lambda unit, n=n: make(unit, f"t{n}"))
        store.write(lambda unit: make(unit, "t20"))
        assert store.read(lambda unit: unit.resources.count()) == {"Task": 21}


@pytest.mark.postgres
def test_numbers_drawn_ahead_that_are_taken_are_drawn_anew_behind_all(postgres_url: str) -> None:
    """Who stands in for a database that is gone gives numbers again, more than ten draws of them."""
    forget = text("SELECT setval('rid', 1, false)")
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        save(other, *(task(f"t{n}") for n in range(100, 1_100)))
        other.write(lambda unit: unit._connection.execute(forget).all())
        store.write(lambda unit: make(unit, "t1"))
        assert store.read(lambda unit: unit.resources.count()) == {"Task": 1_001}


@pytest.mark.postgres
def test_a_sequence_that_is_behind_nothing_is_not_set_for_others_may_have_drawn_from_it(postgres_url: str) -> None:
    """PostgreSQL writes 32 numbers ahead into its log, and keeps how many are left of them until somebody sets it."""
    with Store.open(postgres_url) as store:
        save(store, task("t1"))

        def left(unit: UnitOfWork) -> int:
            for _ in range(3):
                unit._connection.exec_driver_sql(GO_ON).all()
            return int(unit._connection.exec_driver_sql("SELECT log_cnt FROM rid").scalar_one())

        assert store.write(left) > 0
