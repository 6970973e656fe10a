"""Resources are saved ready to serve; what changed makes a version, what did not makes none."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fhir.json import parse
from gateway.store import SavedResource, Store
from gateway.tables import partition_key
from tests.store.examples import MINUTE, NOON, changes, deleted, save, task


def read(store: Store, id: str = "task-1", resource_type: str = "Task"):
    return store.read(lambda unit: unit.resources.read(resource_type, id))


def history(store: Store, *where: str, **how):
    return store.read(lambda unit: unit.resources.history(*where, **how))


def test_the_bytes_to_serve_hold_id_version_and_time_and_the_numbers_as_they_came(store: Store) -> None:
    value = Decimal("6.30")
    (saved,) = save(store, task(x=value), now=NOON)
    assert saved.body == (
        b'{"resourceType":"Task","id":"task-1","meta":{"versionId":"%s","lastUpdated":"2026-03-02T12:00:00.000Z"},'
        b'"status":"requested","x":6.30}' % saved.version.encode()
    )
    assert read(store).body == saved.body


def test_its_own_meta_stays_but_for_version_and_time(store: Store) -> None:
    (saved,) = save(store, task(meta={"profile": ["p"], "versionId": "mine", "lastUpdated": "2001-01-01T00:00:00Z"}))
    meta = json.loads(saved.body)["meta"]
    assert meta["profile"] == ["p"]
    assert meta["versionId"] == saved.version != "mine"


def test_a_resource_without_elements_is_still_json(store: Store) -> None:
    (saved,) = save(store, SavedResource(resource_type="Basic", id="b", resource={"resourceType": "Basic"}))
    assert json.loads(saved.body)["id"] == "b"


def test_reading_tells_everything_that_was_saved(store: Store) -> None:
    contradiction = {"path": "Task.status", "sources": ["a", "b"]}
    save(store, task(contributors=["b", "a", "b"], contradictions=[contradiction], organisation="SE2321000131"))
    kept = read(store)
    assert (kept.contributors, kept.contradictions, kept.organisation) == (("a", "b"), (contradiction,), "SE2321000131")
    assert (kept.person, kept.partition, kept.method) == ("person-1", partition_key("person-1", "task-1"), "POST")
    assert kept.resource()["status"] == "requested"


def test_what_nobody_saved_is_not_there(store: Store) -> None:
    save(store, task())
    assert read(store, "task-2") is None
    assert read(store, "task-1", "Encounter") is None
    assert store.read(lambda unit: unit.resources.vread("Task", "task-1", "unknown")) is None


def test_the_same_id_under_two_types_is_two_resources(store: Store) -> None:
    save(store, task("x"), task("x", resource_type="Encounter"))
    assert {one.resource_type for one in history(store)} == {"Task", "Encounter"}
    both = store.read(lambda unit: unit.resources.read_many([("Task", "x"), ("Encounter", "x"), ("Task", "y")]))
    assert set(both) == {("Task", "x"), ("Encounter", "x")}


def test_unchanged_content_makes_no_version_and_no_change(store: Store) -> None:
    (first,) = save(store, task(status="requested"))
    (again,) = save(store, task(status="requested", meta={"versionId": "other"}))
    assert (again.changed, again.created, again.version, again.body) == (False, False, first.version, first.body)
    assert len(history(store, "Task", "task-1")) == len(changes(store)) == 1


def test_who_contributed_may_change_without_a_version(store: Store) -> None:
    (first,) = save(store, task(contributors=["a"]))
    (second,) = save(store, task(contributors=["a", "b"], contradictions=[{"path": "Task.status"}]))
    kept = read(store)
    assert (second.changed, kept.version, kept.body) == (False, first.version, first.body)
    assert (kept.contributors, kept.contradictions) == (("a", "b"), ({"path": "Task.status"},))


def test_each_version_can_be_read_and_the_history_is_latest_first(store: Store) -> None:
    versions = [save(store, task(status=status), now=NOON + n * MINUTE)[0] for n, status in enumerate("abc")]
    found = history(store, "Task", "task-1")
    assert [one.version for one in found] == [one.version for one in reversed(versions)]
    assert [one.method for one in found] == ["PUT", "PUT", "POST"]
    for one in versions:
        assert store.read(lambda unit, one=one: unit.resources.vread("Task", "task-1", one.version)).body == one.body


def test_going_back_to_an_earlier_content_is_a_new_version(store: Store) -> None:
    versions = [save(store, task(status=status))[0].version for status in "aba"]
    assert len(set(versions)) == 3


def test_a_later_version_is_later_whatever_the_clock_says(store: Store) -> None:
    (first,) = save(store, task(status="a"), now=NOON)
    (second,) = save(store, task(status="b"), now=NOON - MINUTE)
    (third,) = save(store, task(status="c"), now=NOON - MINUTE)
    assert first.last_updated < second.last_updated < third.last_updated


def test_a_deleted_resource_says_so_keeps_its_history_and_can_come_back(store: Store) -> None:
    (first,) = save(store, task())
    (gone,) = save(store, deleted())
    assert (gone.changed, gone.created, gone.body) == (True, False, b"")
    assert read(store).deleted
    (back,) = save(store, task())
    assert back.created
    assert [(one.method, one.deleted) for one in history(store, "Task", "task-1")] == [
        ("POST", False),
        ("DELETE", True),
        ("POST", False),
    ]
    assert store.read(lambda unit: unit.resources.vread("Task", "task-1", first.version)).body == first.body


def test_deleting_what_is_not_there_or_not_any_more_changes_nothing(store: Store) -> None:
    (nothing,) = save(store, deleted())
    assert (nothing.changed, nothing.version) == (False, "")
    save(store, task())
    (gone,) = save(store, deleted())
    assert gone.changed
    (again,) = save(store, deleted())
    assert not again.changed
    assert len(changes(store)) == 2


def test_many_are_saved_at_once_answered_in_order_and_the_last_of_one_key_holds(store: Store) -> None:
    save(store, task("t2"))
    saved = save(
        store, task("t1"), task("t2", status="changed"), task("t3", status="a"), deleted("t4"), task("t3", status="b")
    )
    assert [(one.id, one.created, one.changed) for one in saved] == [
        ("t1", True, True),
        ("t2", False, True),
        ("t3", True, True),
        ("t4", False, False),
    ]
    assert read(store, "t3").resource()["status"] == "b"
    assert save(store) == []


def test_histories_of_a_type_and_of_all_are_paged_and_bounded(store: Store) -> None:
    for n in range(3):
        save(
            store,
            task("t1", status=f"s{n}"),
            task("e1", resource_type="Encounter", status=f"s{n}"),
            now=NOON + n * MINUTE,
        )
    everything = history(store)
    assert len(everything) == 6
    pages, before = [], None
    while page := history(store, limit=2, before=before):
        pages += page
        before = (page[-1].last_updated, page[-1].rid)
    assert pages == everything
    assert [one.resource()["status"] for one in history(store, "Task")] == ["s2", "s1", "s0"]
    assert [one.resource()["status"] for one in history(store, "Task", since=NOON + MINUTE)] == ["s2", "s1"]


@pytest.mark.parametrize(
    ("begin", "end", "statuses"),
    [
        (timedelta(seconds=30), timedelta(seconds=31), ["s0"]),
        (timedelta(seconds=30), timedelta(seconds=90), ["s1", "s0"]),
        (timedelta(minutes=5), timedelta(minutes=6), ["s2"]),
        (-timedelta(minutes=5), timedelta(0), []),
        (timedelta(minutes=1), timedelta(minutes=1, microseconds=1), ["s1"]),
    ],
)
def test_history_at_a_time_tells_what_was_current_then(store: Store, begin, end, statuses) -> None:
    for n in range(3):
        save(store, task(status=f"s{n}"), now=NOON + n * MINUTE)
    found = history(store, "Task", "task-1", at=(NOON + begin, NOON + end))
    assert [one.resource()["status"] for one in found] == statuses


def test_everything_about_a_person_follows_when_the_person_is_another_one(store: Store) -> None:
    save(store, task("t1", contributors=["a"]), task("t2", contributors=["a"]))
    save(store, task("t1", status="changed", contributors=["a"]))
    save(store, task("t1", status="changed", contributors=["a"], person="person-2"))
    kept = read(store, "t1")
    assert (kept.person, kept.partition) == ("person-2", partition_key("person-2", "t1"))
    assert {one.partition for one in history(store, "Task", "t1")} == {kept.partition}
    assert [one.id for one in store.read(lambda unit: unit.resources.of_person("person-1"))] == ["t2"]
    assert [
        one.id for one in store.read(lambda unit: unit.resources.of_person("person-2", resource_types=["Task"]))
    ] == ["t1"]
    assert store.read(lambda unit: unit.resources.of_person("person-2", resource_types=["Encounter"])) == []


def test_what_has_no_person_lies_by_its_own_id(store: Store) -> None:
    save(store, task("o1", resource_type="Organization", person=None))
    assert read(store, "o1", "Organization").partition == partition_key(None, "o1")


def test_of_whom_others_tell_is_told_without_what_the_same_sources_tell_and_what_is_gone(store: Store) -> None:
    save(
        store,
        task(contributors=["a"]),
        task("task-2", person="person-2", contributors=["a", "b"]),
        task("task-3", person="person-3", contributors=["b"]),
        task("task-4", person="person-4", contributors=["b"]),
        task("task-5", person="person-5", contributors=["b"]),
    )
    save(store, deleted("task-5", person="person-5"))
    wanted = [f"person-{number}" for number in (1, 2, 3, 5)]

    def asked(*types: str) -> set[str]:
        return store.read(lambda unit: unit.resources.told_by_others(wanted, types, ["a"]))

    assert asked("Task", "Encounter") == {"person-2", "person-3"}
    assert asked("Encounter") == set()


def test_counts_are_of_what_is_there(store: Store) -> None:
    save(store, task("t1"), task("t2"), task("e1", resource_type="Encounter"))
    save(store, deleted("t2"))
    assert store.read(lambda unit: unit.resources.count()) == {"Task": 1, "Encounter": 1}


def test_all_are_walked_in_the_order_of_their_first_save(store: Store) -> None:
    for n in (3, 1, 2):
        save(store, task(f"t{n}"))
    save(store, task("t1", status="changed"))
    walk = lambda **how: [one.id for one in store.read(lambda unit: list(unit.resources.all(batch=2, **how)))]  # noqa: E731
    assert walk() == ["t3", "t1", "t2"]
    assert walk(resource_type="Encounter") == []


@pytest.fixture
def sqlite_store(sqlite_url: str):
    with Store.open(sqlite_url) as opened:
        yield opened


STATES = st.lists(
    st.tuples(st.sampled_from(["t1", "t2"]), st.sampled_from(["a", "b", None]), st.sampled_from(["p", "q"])),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATES)
def test_whatever_is_saved_history_changes_and_what_is_read_agree(sqlite_store: Store, steps) -> None:
    prefix = f"h{len(history(sqlite_store, limit=100_000))}-"
    expected: dict[str, list] = {}
    seen = len(changes(sqlite_store)) and changes(sqlite_store)[-1].seq
    for id, status, person in steps:
        resource = None if status is None else {"resourceType": "Task", "status": status}
        save(sqlite_store, SavedResource(resource_type="Task", id=prefix + id, resource=resource, person=person))
        versions = expected.setdefault(id, [])
        if (versions[-1] if versions else None) != status:
            versions.append(status)
    for id, versions in expected.items():
        found = [
            None if one.deleted else parse(one.body)["status"] for one in history(sqlite_store, "Task", prefix + id)
        ]
        assert found == versions[::-1]
    assert len([one for one in changes(sqlite_store) if one.seq > seen]) == sum(map(len, expected.values()))
