"""Many processes on one PostgreSQL: locks, races for one identifier or id, leases, and a change log without gaps.

Each thread here is what a process would be: it has its own connection and shares nothing but the database.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.coordination.recorder import Recorder
from gateway.store import Store, sets
from tests.store.examples import changes, message, save, statement, task

pytestmark = pytest.mark.postgres
WORKERS = 6


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url) as opened:
        yield opened


def at_once(count: int, work) -> list:
    """Let `count` threads do work(n), all starting together."""
    start = threading.Barrier(count)

    def run(n: int):
        start.wait(10)
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_locks_of_persons_let_one_in_at_a_time_in_whatever_order_they_are_named(store: Store) -> None:
    keys = ["a", "b", "c", "d"]

    def add_one(n: int) -> None:
        def work(unit) -> None:
            unit.lock(random.sample(keys, 4))
            unit.meta.put("count", str(int(unit.meta.get("count") or b"0") + 1).encode())

        for _ in range(5):
            store.write(work)

    at_once(WORKERS, add_one)
    assert store.read(lambda unit: unit.meta.get("count")) == str(5 * WORKERS).encode()


def test_what_was_locked_for_what_is_undone_is_let_go_and_can_be_locked_anew(store: Store) -> None:
    def work(unit) -> list[int]:
        unit.lock(["a"])
        unit.undone(lambda: unit.lock(["b"]))
        after = held(unit)
        unit.lock(["b"])
        return [after, held(unit)]

    assert store.write(work) == [1, 2]


def held(unit) -> int:
    """How many keys PostgreSQL says that this connection holds."""
    asked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    return int(unit._connection.scalar(asked))


def test_an_identifier_claimed_at_once_has_one_owner_that_all_are_told(store: Store) -> None:
    keys = [("Patient", "system", str(n)) for n in range(20)]
    told = at_once(WORKERS, lambda n: store.write(lambda unit: unit.identifiers.claim(dict.fromkeys(keys, f"id-{n}"))))
    assert all(one == told[0] for one in told)
    assert store.read(lambda unit: unit.identifiers.find(keys)) == told[0]


def test_a_statement_said_at_once_is_new_to_one(store: Store) -> None:
    said = [statement(f"d{n}") for n in range(20)]
    new = at_once(WORKERS, lambda _: store.write(lambda unit: unit.statements.add(random.sample(said, 20))))
    assert sorted(digest for one in new for digest in one) == sorted(one.digest for one in said)


def test_a_resource_first_saved_at_once_is_one_with_a_history(store: Store) -> None:
    def work(n: int):
        return store.write(lambda unit: (unit.lock(["t1"]), unit.resources.save([task("t1", status=f"s{n}")])))[1][0]

    saved = at_once(WORKERS, work)
    assert sorted(one.created for one in saved) == [False] * (WORKERS - 1) + [True]
    history = store.read(lambda unit: unit.resources.history("Task", "t1"))
    assert {one.version for one in history} == {one.version for one in saved}
    assert [change.version for change in changes(store)] == [one.version for one in reversed(history)]


def test_two_saves_that_did_not_know_of_each_other_are_two_versions(store: Store) -> None:
    save(store, task("t1", status="first"))
    saved = at_once(WORKERS, lambda n: save(store, task("t1", status=f"s{n}"))[0])
    history = store.read(lambda unit: unit.resources.history("Task", "t1"))
    assert {one.version for one in history[:-1]} == {one.version for one in saved}
    assert len(changes(store)) == WORKERS + 1


def test_many_workers_share_the_inbox_and_none_takes_another_s_message(store: Store) -> None:
    for n in range(30):
        store.write(lambda unit, n=n: unit.inbox.keep(message(f"m{n}")))

    def work(n: int) -> list[str]:
        mine = []
        while claimed := store.write(
            lambda unit: unit.inbox.claim_waiting(f"w{n}", lease=timedelta(seconds=30), limit=2)
        ):
            ids = [one.message.id for one in claimed]
            store.write(lambda unit, ids=ids: unit.inbox.finish_all(ids, f"w{n}"))
            mine += ids
        return mine

    done = at_once(WORKERS, work)
    assert sorted(id for mine in done for id in mine) == sorted(f"m{n}" for n in range(30))


def test_a_deadlock_is_tried_again(store: Store) -> None:
    tries = []

    def work(n: int) -> None:
        def lock_one_by_one(unit) -> None:
            tries.append(n)
            first, second = ("a", "b") if n else ("b", "a")
            unit.lock([first])
            if len(tries) <= 2:
                both.wait(10)
            unit.lock([second])

        store.write(lock_one_by_one)

    both = threading.Barrier(2)
    at_once(2, work)
    assert len(tries) == 3


def test_what_is_not_numbered_is_not_seen(store: Store) -> None:
    save(store, task("t1"), task("t2"))
    assert store.read(lambda unit: unit.changes.after(0)) == []
    assert (store.number_changes(), store.number_changes()) == (2, 0)
    assert [change.seq for change in store.read(lambda unit: unit.changes.after(0))] == [1, 2]
    assert [change.seq for change in store.read(lambda unit: unit.changes.after(1))] == [2]
    assert store.read(lambda unit: unit.changes.last()) == 2


def test_a_long_transaction_holds_nobody_s_numbers_back(store: Store) -> None:
    saved, go = threading.Event(), threading.Event()

    def slow(unit) -> None:
        unit.resources.save([task("slow")])
        saved.set()
        go.wait(10)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.write, slow)
        saved.wait(10)
        save(store, task("quick"))
        assert [change.id for change in changes(store)] == ["quick"]
        go.set()
        writing.result()
    assert [(change.seq, change.id) for change in changes(store)] == [(1, "quick"), (2, "slow")]


PLANS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4), min_size=2, max_size=WORKERS
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLANS)
def test_readers_see_numbers_without_gaps_and_each_resource_s_versions_in_order(store: Store, plans) -> None:
    """Writers commit and roll back as planned while sequencers number and a reader follows."""
    begin = changes(store)[-1].seq if changes(store) else 0
    done, seen, committed = threading.Event(), [begin], []

    def write(n: int) -> None:
        for place, (resource, fails) in enumerate(plans[n]):

            def work(unit, resource=resource, place=place, fails=fails) -> str:
                id = f"{begin}-{resource}"
                unit.lock([id])
                (saved,) = unit.resources.save([task(id, status=f"{n}.{place}")])
                if fails:
                    raise LookupError
                return saved.version

            with suppress(LookupError):
                committed.append(store.write(work))

    def follow() -> None:
        while not done.is_set():
            store.number_changes()
            for change in store.read(lambda unit: unit.changes.after(seen[-1])):
                assert change.seq == seen[-1] + 1
                seen.append(change.seq)

    with ThreadPoolExecutor(2) as followers:
        following = followers.submit(follow)
        numbering = followers.submit(lambda: [store.number_changes() for _ in range(20)])
        at_once(len(plans), write)
        done.set()
        following.result()
        numbering.result()
    told = [change for change in changes(store) if change.seq > begin]
    assert [change.seq for change in told] == list(range(begin + 1, begin + 1 + len(told)))
    assert sorted(change.version for change in told) == sorted(committed)
    for id in {change.id for change in told}:
        history = store.read(lambda unit, id=id: unit.resources.history("Task", id))
        assert [change.version for change in told if change.id == id] == [one.version for one in reversed(history)]


def test_what_becomes_known_while_another_waits_for_it_is_found_by_one_of_them(store: Store) -> None:
    recorder, named = Recorder(), ("Organization", "urn:oid:1.2.752.29.4.19", "SE2321000131-E000000000999")
    identifier = {"system": named[1], "value": named[2]}
    unit_body = {"resourceType": "Organization", "identifier": [identifier], "name": "Vårdcentralen Ängen"}
    visit = {
        "resourceType": "Encounter",
        "status": "planned",
        "serviceProvider": {"type": "Organization", "identifier": identifier},
    }
    said, ended = threading.Event(), threading.Event()

    def know(_: int) -> None:
        def work(unit) -> None:
            body = statement("o", resource_type="Organization", resource_id="unit-1", person=None, body=unit_body)
            recorder.record(unit, [body], identifiers={named: "unit-1"})
            said.set()
            ended.wait(0.5)  # The other one commits before this, unless it is made to wait.

        store.write(work)

    def name(_: int) -> None:
        said.wait(10)
        store.write(lambda unit: recorder.record(unit, [statement("e", body=visit)]))
        ended.set()

    at_once(2, lambda n: (know, name)[n](n))
    (kept,) = store.read(lambda unit: unit.resources.read_many([("Encounter", "encounter-1")])).values()
    assert kept.resource()["serviceProvider"]["reference"] == "Organization/unit-1"


def test_the_time_that_is_recorded_is_one_at_which_others_see_that_something_is_being_written(store: Store) -> None:
    since = []

    def clock() -> datetime:
        since.append(store.read(lambda uow: uow.resources.settled()))
        return datetime.now(UTC)

    recorded = store.write(lambda uow: uow.now, now=clock)

    assert since[0] is not None
    assert since[0] <= recorded


def test_work_that_is_tried_again_is_recorded_at_the_time_of_the_new_try(store: Store) -> None:
    seen: list[tuple[datetime, datetime | None]] = []

    def work(uow):
        seen.append((uow.now, store.read(lambda other: other.resources.settled())))
        if len(seen) == 1:
            sets.run(uow._connection, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    store.write(work, now=lambda: datetime.now(UTC))

    assert len(seen) == 2
    assert all(since is not None and since <= now for now, since in seen)
