"""What is asked ahead is what would be found one by one, and no more of it once something is written."""

from __future__ import annotations

from gateway.records import Link
from gateway.store import Store, UnitOfWork
from tests.store.examples import NOON

KEY, OTHER = ("Patient", "s", "1"), ("Patient", "s", "2")
LINK = Link("Patient", "p1", "p2", "same", "told so", NOON)


def fill(unit: UnitOfWork) -> None:
    unit.persons.point({"p1": "p1", "p2": "p1", "p3": "p3"})
    unit.identifiers.claim({KEY: "p1"})
    unit.identifiers.wait({OTHER: [("Task", "t1")]})
    unit.links.add([LINK])


def ask(unit: UnitOfWork) -> list[object]:
    return [
        unit.persons.of_patients(["p1", "p2"]),
        unit.persons.of_patients(["p3", "p4"]),
        unit.identifiers.find([KEY, OTHER]),
        unit.identifiers.find([("Patient", "another", "1")]),
        unit.identifiers.waiting([OTHER]),
        unit.identifiers.waiting([KEY]),
        unit.links.of(["p2"]),
        unit.links.of(["p3", "p4"]),
    ]


def test_what_is_asked_ahead_is_what_is_found_one_by_one(store: Store) -> None:
    store.write(fill)

    def ahead(unit: UnitOfWork) -> list[object]:
        unit.ahead.ask({"p1", "p2", "p3", "p4"}, {"1", "2"})
        return ask(unit)

    found = store.read(ahead)
    assert found == store.read(ask)
    assert found[0] == {"p1": "p1", "p2": "p1"}
    assert (found[2], found[4], found[6]) == ({KEY: "p1"}, {("Task", "t1")}, [LINK])


def test_what_was_asked_ahead_is_not_told_of_others(store: Store) -> None:
    store.write(fill)

    def ahead(unit: UnitOfWork) -> list[object]:
        unit.ahead.ask({"p4"}, {"3"})
        return ask(unit)

    assert store.read(ahead) == store.read(ask)


def test_what_is_written_after_it_was_asked_ahead_is_found(store: Store) -> None:
    def work(unit: UnitOfWork) -> list[object]:
        unit.ahead.ask({"p1", "p2", "p3", "p4"}, {"1", "2"})
        fill(unit)
        return ask(unit)

    found = store.write(work)
    assert found == store.read(ask)
    assert found[2] == {KEY: "p1"}


def test_a_lock_lets_everything_be_asked_again(store: Store) -> None:
    """Whoever held it may have written."""

    def work(unit: UnitOfWork) -> dict[str, str]:
        unit.ahead.ask({"p1"}, set())
        if not unit.alone:
            store.write(lambda other: other.persons.point({"p1": "p1"}))
            unit.lock(["p1"])
        else:
            unit.persons.point({"p1": "p1"})
        return unit.persons.of_patients(["p1"])

    assert store.write(work) == {"p1": "p1"}


def test_what_is_undone_is_not_remembered(store: Store) -> None:
    def work(unit: UnitOfWork) -> list[object]:
        unit.ahead.ask({"p1", "p2", "p3", "p4"}, {"1", "2"})
        unit.undone(lambda: unit.identifiers.claim({KEY: "p1"}))
        return ask(unit)

    assert store.write(work) == store.read(ask)
