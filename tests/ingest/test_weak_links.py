"""What two sources tell of one person, unit, code and time: proposed to a person, and never merged by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from gateway.coordination import weak_links
from gateway.ingest.sources import Sources
from gateway.records import Link, Source
from tests.ingest.inlet import Inlet

OLD = Source("old", "fhir-r4", "Det gamla", "SE2321000131-T9001", "SE2321000131-T0000", delivery="delta")
NEW = Source("new", "fhir-r4", "Det nya", "SE2321000131-T9002", "SE2321000131-T0000", delivery="delta")
THIRD = Source("third", "fhir-r4", "Det tredje", "SE2321000131-T9003", "SE2321000131-T0000", delivery="delta")
TOLVAN = {"system": "http://electronichealth.se/identifier/personnummer", "value": "191212121212"}
RUT = {"system": "http://electronichealth.se/identifier/personnummer", "value": "195009072553"}
UNIT = {"type": "Organization", "identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": "SE2321000131-T0100"}}


@pytest.fixture
def inlet(database_url: str) -> Iterator[Inlet]:
    opened = Inlet.open(database_url, sources=Sources([OLD, NEW, THIRD]))
    yield opened
    opened.close()


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [
        {"fullUrl": f"https://{one['id'].lower()}.example/{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}).encode()


def visit(
    id: str, start: str = "10:00", *, person: Any = TOLVAN, updated: str = "11:00", **more: Any
) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": id,
        "meta": {"lastUpdated": f"2026-03-03T{updated}:00+01:00"},
        "identifier": [{"system": f"urn:{id}", "value": id}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"type": "Patient", "identifier": person},
        "period": {"start": f"2026-03-03T{start}:00+01:00"},
        "serviceProvider": UNIT,
        **more,
    }


def asked(inlet: Inlet) -> list[frozenset[str]]:
    """The pairs that wait for a decision, by their own numbers, where they may still be one."""
    told = {one["id"]: one for one in inlet.resources("Encounter")}
    links = [link for _, link in inlet.read(lambda uow: uow.links.proposed(["Encounter"], limit=100))]
    pairs = [(told[one.from_id], told[one.to_id]) for one in links if one.from_id in told and one.to_id in told]
    return [frozenset(one["identifier"][0]["value"] for one in pair) for pair in pairs if weak_links.may_be_one(*pair)]


def decide(inlet: Inlet, kind: Any) -> None:
    ((_, link),) = inlet.read(lambda uow: uow.links.proposed(["Encounter"], limit=1))
    decided = Link(link.resource_type, link.from_id, link.to_id, kind, "Asked the ward", inlet.now)
    inlet.store.write(lambda uow: inlet.ingest.recorder.record(uow, [], links=[decided]), now=inlet.now)


def test_the_same_visit_told_by_two_sources_is_proposed_and_stays_two(inlet: Inlet) -> None:
    inlet.send("old", bundle(visit("K")))
    inlet.send("new", bundle(visit("C", "10:10")))
    assert asked(inlet) == [{"K", "C"}]
    assert len(inlet.resources("Encounter")) == 2


@pytest.mark.parametrize(
    "other",
    [{"start": "15:00"}, {"person": RUT}, {"status": "cancelled"}],
    ids=["another time", "another person", "not done"],
)
def test_another_visit_is_not_proposed(inlet: Inlet, other: dict[str, Any]) -> None:
    inlet.send("old", bundle(visit("K")))
    inlet.send("new", bundle(visit("C", **other)))
    assert asked(inlet) == []


def test_nobody_is_asked_about_two_visits_that_one_source_tells_of(inlet: Inlet) -> None:
    inlet.send("old", bundle(visit("K"), visit("L", "10:10")))
    inlet.send("new", bundle(visit("C", "10:05")))
    assert sorted(map(sorted, asked(inlet))) == [["C", "K"], ["C", "L"]]


def test_one_question_is_asked_once_however_often_the_records_come(inlet: Inlet) -> None:
    for updated in ("11:00", "11:00", "12:00"):
        inlet.send("old", bundle(visit("K", updated=updated)))
        inlet.send("new", bundle(visit("C", updated=updated)))
    assert len(inlet.read(lambda uow: list(uow.links.all()))) == 1


def test_what_was_decided_is_not_asked_again(inlet: Inlet) -> None:
    inlet.send("old", bundle(visit("K")))
    inlet.send("new", bundle(visit("C")))
    decide(inlet, "undone")
    inlet.send("new", bundle(visit("C", updated="13:00")))
    assert asked(inlet) == []
    assert len(inlet.resources("Encounter")) == 2


def test_the_same_questions_are_open_in_any_order_of_arrival(inlet: Inlet, tmp_path: Path) -> None:
    """A visit that was booked for another time first: by what is known in the end, nothing is to be asked of it."""
    messages = [
        ("old", bundle(visit("K"))),
        ("new", bundle(visit("C", "10:10", updated="09:00"))),
        ("new", bundle(visit("C", "15:00", updated="12:00"))),
        ("third", bundle(visit("D", "10:20"))),
    ]
    for number, order in enumerate(list(permutations(messages))[::5]):
        on = Inlet.open(f"sqlite:///{tmp_path}/{number}.db", sources=inlet.sources)
        try:
            for source, body in order:
                on.keep(source, body)
            on.drain()
            assert asked(on) == [{"K", "D"}]
        finally:
            on.close()


def test_a_reference_leads_to_what_stands_for_what_gave_way_and_back_when_that_is_undone(inlet: Inlet) -> None:
    """Both visits are spoken of by Tasks; after the decision one id serves nothing, and no reference may lead there."""
    inlet.send("old", bundle(visit("K"), task("T-K", "K")))
    inlet.send("new", bundle(visit("C"), task("T-C", "C")))
    before = references(inlet)
    assert len(set(before.values())) == 2
    decide(inlet, "same")
    (left,) = inlet.resources("Encounter")
    assert set(references(inlet).values()) == {f"Encounter/{left['id']}"}
    assert {one["value"] for one in left["identifier"]} >= {"K", "C"}
    assert not inlet.rebuilt().different

    inlet.send("new", bundle(task("T-C2", "C")))
    assert set(references(inlet).values()) == {f"Encounter/{left['id']}"}, "what comes later, too"
    assert not inlet.rebuilt().different

    undo = inlet.read(lambda uow: [one for one in uow.links.all() if one.kind == "same"])[0]
    undone = Link(undo.resource_type, undo.from_id, undo.to_id, "undone", "Two visits after all", inlet.now)
    inlet.store.write(lambda uow: inlet.ingest.recorder.record(uow, [], links=[undone]), now=inlet.now)
    assert {key: one for key, one in references(inlet).items() if key != "T-C2"} == before
    assert not inlet.rebuilt().different


def task(id: str, about: str) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": id,
        "meta": {"lastUpdated": "2026-03-03T11:00:00+01:00"},
        "identifier": [{"system": "urn:tasks", "value": id}],
        "status": "requested",
        "intent": "order",
        "for": {"type": "Patient", "identifier": TOLVAN},
        "encounter": {"type": "Encounter", "identifier": {"system": f"urn:{about}", "value": about}},
    }


def references(inlet: Inlet) -> dict[str, str]:
    return {one["identifier"][0]["value"]: one["encounter"]["reference"] for one in inlet.resources("Task")}
