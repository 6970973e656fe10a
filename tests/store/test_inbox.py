"""The inbox keeps what came, and lets each message be worked through once, whoever dies meanwhile."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import RFC_4122, UUID

import pytest
from sqlalchemy import text

from gateway.issues import Issue
from gateway.records import Incoming
from gateway.store import Item, LeaseLost, Store
from gateway.store.inbox import message_id
from tests.store.examples import MINUTE, NOON, message

LEASE = timedelta(seconds=30)
HELD = Issue("error", "value", "personnummer-check-digit", "The check digit is wrong.", "PID-3.1")


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def store(database_url: str, clock: Hand):
    with Store.open(database_url, clock=clock) as opened:
        yield opened


def keep(store: Store, *messages) -> list[bool]:
    return [store.write(lambda unit, one=one: unit.inbox.keep(one)) for one in messages]


def claim(store: Store, owner: str = "a"):
    """The next message that waits; None when there is none."""
    return next(iter(store.write(lambda unit: unit.inbox.claim_waiting(owner, lease=LEASE, limit=1))), None)


def test_a_kept_message_is_there_as_it_came(store: Store) -> None:
    sent = message(body=b"\x00\xe5\xff", as_of=NOON - MINUTE, transport="mllp")
    keep(store, sent)
    assert store.read(lambda unit: unit.inbox.get("message-1")) == sent
    assert store.read(lambda unit: unit.inbox.get("message-2")) is None


def test_ids_of_messages_follow_one_another_as_the_messages_came() -> None:
    # So what is kept together lies together in every index that has the id.
    times = [NOON + n * timedelta(milliseconds=1) for n in range(50)]
    ids = [message_id(time) for time in times]
    assert ids == sorted(ids)
    assert all(UUID(id).version == 7 and UUID(id).variant == RFC_4122 for id in ids)
    assert [UUID(id).int >> 80 for id in ids] == [int(time.timestamp() * 1000) for time in times]


def test_ids_of_messages_of_one_moment_are_all_different() -> None:
    assert len({message_id(NOON) for _ in range(1000)}) == 1000


def test_ids_of_messages_of_two_processes_are_different() -> None:
    mine, theirs = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(theirs, message_id(NOON).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(mine, 100).decode() != message_id(NOON)
    os.close(mine)
    os.close(theirs)


def test_a_message_of_a_clock_before_1970_has_an_id_too() -> None:
    assert UUID(message_id(datetime(1969, 12, 31, tzinfo=UTC))).version == 7


def test_an_empty_body_is_kept_too(store: Store) -> None:
    keep(store, message(body=b""))
    assert store.read(lambda unit: unit.inbox.get("message-1")).body == b""


def test_a_large_body_lies_in_chunks_and_comes_back_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.inbox.CHUNK", 1000)
    bodies = [bytes(range(250)) * 4, bytes(range(250)) * 12 + b"the end"]
    keep(store, *(message(f"m{n}", body) for n, body in enumerate(bodies)))
    assert [store.read(lambda unit, n=n: unit.inbox.get(f"m{n}")).body for n in range(2)] == bodies
    assert store.read(lambda unit: unit.inbox.entry("m1")).size == 3007
    count = text("SELECT inbox_id, count(*) FROM inbox_body GROUP BY 1 ORDER BY 1")
    assert store.read(lambda unit: [row[1] for row in unit._connection.execute(count)]) == [1, 4]


def test_a_second_delivery_under_the_same_id_is_kept_once(store: Store) -> None:
    assert keep(store, message(), message(body=b"again")) == [True, False]
    assert store.read(lambda unit: unit.inbox.get("message-1")).body == b"<hello/>"


def test_of_messages_that_are_kept_together_each_is_kept_once(store: Store) -> None:
    keep(store, message("m1", b"first"), message("m4", b""))
    together = [message("m3", b"c"), message("m1", b"x"), message("m2", b"b"), message("m2", b"y"), message("m4", b"z")]
    assert store.write(lambda unit: unit.inbox.keep_all(together)) == {"m2", "m3"}
    assert store.write(lambda unit: unit.inbox.keep_all(together)) == set()
    bodies = [store.read(lambda unit, n=n: unit.inbox.get(f"m{n}")).body for n in (1, 2, 3, 4)]
    assert bodies == [b"first", b"b", b"c", b""]


def test_the_one_writer_of_sqlite_keeps_messages_in_order_of_arrival(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/inbox.db") as store:
        store.write(lambda unit: unit.inbox.keep_all([message(id) for id in ("m3", "m1", "m3", "m2")]))
        assert [one.id for one in store.read(lambda unit: unit.inbox.entries())] == ["m2", "m1", "m3"]


def test_messages_that_come_at_once_share_commits_and_are_all_kept(store: Store) -> None:
    sent = [message(f"m{n}", str(n).encode()) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.keep, sent))
    assert [store.read(lambda unit, one=one: unit.inbox.get(one.id)) for one in sent] == sent


def test_messages_are_kept_with_the_record_of_who_sent_them_or_not_at_all(store: Store) -> None:
    store.keep_all([Incoming(message("m1"), [({"sent": "m1"}, "a person")]), Incoming(message("m2"))], now=NOON)
    with pytest.raises(TypeError):
        store.keep_all([Incoming(message("m3")), Incoming(message("m4"), [({"sent": object()}, None)])])
    assert [one.id for one in store.read(lambda unit: unit.inbox.entries())] == ["m2", "m1"]
    rows = store.read(lambda unit: unit.audit.latest())
    assert [(row.event, row.person, row.recorded) for row in rows] == [({"sent": "m1"}, "a person", NOON)]


def test_messages_are_claimed_in_order_of_arrival_and_each_once(store: Store) -> None:
    keep(store, message("m2"), message("m1"))
    assert [claim(store).message.id, claim(store, "b").message.id, claim(store)] == ["m2", "m1", None]
    states = [one.state for one in store.read(lambda unit: unit.inbox.entries())]
    assert states == ["working", "working"]


def test_a_message_kept_as_done_waits_for_nobody(store: Store) -> None:
    store.write(lambda unit: unit.inbox.keep(message(), state="done"))
    assert claim(store) is None


def test_a_message_can_be_claimed_by_its_id_while_it_waits(store: Store) -> None:
    keep(store, message("m1"), message("m2"))
    by_id = lambda unit: unit.inbox.claim("m2", "a", lease=LEASE)  # noqa: E731
    assert store.write(by_id).message.id == "m2"
    assert store.write(by_id) is None


def test_a_dead_worker_s_message_is_taken_over_after_the_last_committed_range(store: Store, clock: Hand) -> None:
    keep(store, message())
    claim(store)
    store.write(lambda unit: unit.inbox.progress("message-1", "a", next_item=100, lease=LEASE))
    clock.time += LEASE
    assert claim(store, "b") is None
    clock.time += timedelta(seconds=1)
    taken = claim(store, "b")
    assert (taken.next_item, taken.attempts) == (100, 2)


def test_one_that_was_only_thought_dead_cannot_commit_its_range(store: Store, clock: Hand) -> None:
    keep(store, message())
    claim(store)
    clock.time += 2 * LEASE
    claim(store, "b")

    def late(unit) -> None:
        unit.meta.put("effect", b"twice")
        unit.inbox.progress("message-1", "a", next_item=100, lease=LEASE)

    with pytest.raises(LeaseLost):
        store.write(late)
    assert store.read(lambda unit: unit.meta.get("effect")) is None
    with pytest.raises(LeaseLost):
        store.write(lambda unit: unit.inbox.finish("message-1", "a"))


def test_progress_does_not_go_backwards(store: Store) -> None:
    keep(store, message())
    claim(store)
    store.write(lambda unit: unit.inbox.progress("message-1", "a", next_item=100, lease=LEASE))
    with pytest.raises(LeaseLost):
        store.write(lambda unit: unit.inbox.progress("message-1", "a", next_item=50, lease=LEASE))


def test_a_finished_message_says_how_it_ended(store: Store) -> None:
    keep(store, message())
    claim(store)
    store.write(lambda unit: unit.inbox.finish("message-1", "a", state="held", issues=[HELD]))
    entry = store.read(lambda unit: unit.inbox.entry("message-1"))
    assert (entry.state, entry.owner, entry.issues) == ("held", None, (HELD,))
    assert claim(store) is None


def test_items_say_where_they_lie_and_what_became_of_them(store: Store) -> None:
    items = [
        Item("message-1", 0, "careContact3", "done", (0, 40), "key-0", (), 3),
        Item("message-1", 1, "careContact3", "held", (40, 90), None, (HELD,)),
        Item("message-1", 2, "careContact3", "skipped"),
    ]
    keep(store, message())
    store.write(lambda unit: unit.inbox.save_items(items))
    assert store.read(lambda unit: unit.inbox.items("message-1")) == items
    assert store.read(lambda unit: unit.inbox.items("message-1", state="held")) == items[1:2]
    assert store.read(lambda unit: unit.inbox.items("message-1", after=0, limit=1)) == items[1:2]
    assert store.read(lambda unit: unit.inbox.item("message-1", 2)) == items[2]
    assert store.read(lambda unit: unit.inbox.item("message-1", 3)) is None
    assert store.read(lambda unit: unit.inbox.entry("message-1")).items == {"done": 1, "held": 1, "skipped": 1}


def test_a_replayed_message_waits_again_and_its_items_are_written_over(store: Store) -> None:
    keep(store, message())
    assert store.write(lambda unit: unit.inbox.replay("message-1")) is False
    claim(store)
    store.write(
        lambda unit: unit.inbox.save_items([Item("message-1", 0, "row", "held"), Item("message-1", 1, "row", "done")])
    )
    store.write(lambda unit: unit.inbox.finish("message-1", "a"))
    assert store.write(lambda unit: unit.inbox.replay("message-1")) is True
    assert claim(store).next_item == 0
    store.write(lambda unit: unit.inbox.save_items([Item("message-1", 0, "row", "done")]))
    assert [item.state for item in store.read(lambda unit: unit.inbox.items("message-1"))] == ["done", "done"]


def test_messages_are_listed_latest_first_by_source_and_by_what_they_hold(store: Store) -> None:
    keep(store, message("m1"), message("m2", source="directory"), message("m3"))
    store.write(lambda unit: unit.inbox.save_items([Item("m1", 0, "row", "held")]))
    ids = lambda **which: [entry.id for entry in store.read(lambda unit: unit.inbox.entries(**which))]  # noqa: E731
    assert ids() == ["m3", "m2", "m1"]
    assert ids(source="maeva") == ["m3", "m1"]
    assert ids(held=True) == ["m1"]
    assert ids(limit=1) == ["m3"]
    assert ids(before=3) == ["m2", "m1"]


def test_a_source_was_last_heard_when_its_latest_message_came_as_far_as_was_known(store: Store) -> None:
    keep(store, message("m1"), message("m2", received=NOON + MINUTE), message("m3", source="directory"))
    heard = lambda **known: store.read(lambda unit: unit.inbox.heard(["maeva", "silent"], **known))  # noqa: E731
    assert heard() == {"maeva": NOON + MINUTE}
    assert heard(known_at=NOON) == {"maeva": NOON}
    assert heard(known_at=NOON - MINUTE) == {}


def test_times_come_back_in_utc_to_the_microsecond(store: Store) -> None:
    received = datetime(2026, 10, 25, 0, 30, 0, 123456, tzinfo=UTC)
    keep(store, message(received=received))
    assert store.read(lambda unit: unit.inbox.entry("message-1")).received == received
