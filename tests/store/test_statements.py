"""Statements are kept once each, whole, and found by resource, person and record."""

from __future__ import annotations

from decimal import Decimal

from gateway.fhir.json import dump
from gateway.records import Link
from gateway.store import Store
from tests.store.examples import MINUTE, NOON, statement


def add(store: Store, *said) -> set[str]:
    return store.write(lambda unit: unit.statements.add(said))


def digests(store: Store, ask) -> list[str]:
    return store.read(lambda unit: [said.digest for said in ask(unit.statements)])


def test_a_statement_comes_back_as_it_was_made(store: Store) -> None:
    said = statement(
        "d1", body={"resourceType": "Observation", "valueQuantity": {"value": Decimal("6.30")}}, inbox_id="m", item=3
    )
    add(store, said)
    (kept,) = store.read(lambda unit: unit.statements.get(["d1"]))
    assert kept == said
    assert dump(kept.body) == dump(said.body)


def test_saying_the_same_again_is_nothing_new(store: Store) -> None:
    assert add(store, statement("d1"), statement("d2"), statement("d1")) == {"d1", "d2"}
    assert add(store, statement("d2"), statement("d3")) == {"d3"}
    assert add(store) == set()
    assert sorted(digests(store, lambda statements: statements.all())) == ["d1", "d2", "d3"]


def test_what_is_said_of_resources_is_told_in_order_of_recording(store: Store) -> None:
    add(store, statement("d9"))
    add(store, statement("d1", recorded=NOON + MINUTE), statement("d2", resource_id="encounter-2"))
    add(store, statement("d3", resource_type="Task"))
    keys = [("Encounter", "encounter-1"), ("Encounter", "encounter-3")]
    assert digests(store, lambda statements: statements.of_resources(keys)) == ["d9", "d1"]
    assert digests(store, lambda statements: statements.of_resources(keys, known_at=NOON)) == ["d9"]
    in_hand = [statement("d9"), statement("d0")]
    assert digests(store, lambda statements: statements.of_resources(keys, without=in_hand)) == ["d1"]


def test_what_is_said_of_a_person_by_type_and_as_of_a_time(store: Store) -> None:
    add(store, statement("d1"), statement("d2", resource_type="Task", recorded=NOON + MINUTE))
    add(store, statement("d3", person="person-2"), statement("d4", person=None))
    ask = lambda **how: digests(store, lambda statements: statements.of_person("person-1", **how))  # noqa: E731
    assert ask() == ["d1", "d2"]
    assert ask(resource_types=["Task"]) == ["d2"]
    assert ask(known_at=NOON) == ["d1"]
    add(store, statement("d5", resource_type="Patient"), statement("d6", resource_type="Basic"))
    add(store, statement("d7", resource_type="ValueSet"), statement("d8", resource_type="Patient", person="person-2"))
    assert ask(without_types=["Task", "Encounter"]) == ["d5", "d6", "d7"]
    assert ask(without_types=["Task"], known_at=NOON) == ["d1", "d5", "d6", "d7"]
    assert ask(resource_types=["Task", "Patient"], without_types=["Task"]) == ["d5"]


def test_what_a_source_said_of_its_records_and_its_items(store: Store) -> None:
    add(store, statement("d1", inbox_id="m", item=1), statement("d2", source="other"), statement("d3", record_key="r3"))
    assert digests(store, lambda statements: statements.of_records("maeva", ["record-1", "r4"])) == ["d1"]
    assert digests(store, lambda statements: statements.of_item("m", 1)) == ["d1"]


def test_rebuilding_goes_through_every_resource_once_in_pages(store: Store) -> None:
    add(store, *(statement(f"d{n}", resource_id=f"e{n // 2}", resource_type="Task") for n in range(10)))
    add(store, statement("same-id", resource_id="e1", resource_type="Encounter"))
    seen, after = [], ("", "")
    while page := store.read(lambda unit, after=after: unit.statements.resources(after=after, limit=2)):
        seen += page
        after = page[-1]
    assert len(seen) == len(set(seen)) == 6


def test_all_statements_come_in_order_whatever_the_batch(store: Store) -> None:
    said = [f"d{n}" for n in range(7)]
    for digest in said:
        add(store, statement(digest))
    assert digests(store, lambda statements: statements.all(batch=3)) == said


def test_links_are_rows_that_both_ends_find_as_far_as_was_known(store: Store) -> None:
    linked = Link("Task", "a", "b", "same", "same mission", NOON)
    undone = Link("Task", "a", "b", "undone", "two missions after all", NOON + MINUTE)
    store.write(lambda unit: unit.links.add([linked, undone]))
    assert store.read(lambda unit: unit.links.of(["b", "c"])) == [linked, undone]
    assert store.read(lambda unit: unit.links.of(["a"], known_at=NOON)) == [linked]
    assert store.read(lambda unit: unit.links.of(["c"])) == []
