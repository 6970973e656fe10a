"""Persons who were one by a record that carries two numbers, and whom somebody has told apart: no repeat ties them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.records import Link
from tests.ingest.inlet import Inlet
from tests.ingest.test_weak_links import TOLVAN, bundle, inlet, visit

__all__ = ["inlet"]

RESERVE = {"system": "http://electronichealth.se/identifier/nationelltReservnummer", "value": "22121212AA14"}


def person(*numbers: Any, updated: str = "10:00") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"lastUpdated": f"2026-03-03T{updated}:00+01:00"},
        "identifier": list(numbers),
        "name": [{"family": "Tolvansson", "given": ["Tolvan"]}],
    }


def persons(inlet: Inlet) -> set[str]:
    """The keys of those whom the visits are about."""
    found = inlet.read(lambda uow: [one for one in uow.resources.all() if one.resource_type == "Encounter"])
    return {str(one.person) for one in found}


@pytest.mark.parametrize("updated", ["10:00", "12:00"], ids=["the same record", "a later one"])
def test_a_link_that_was_undone_is_not_drawn_again_by_a_repeat(inlet: Inlet, updated: str) -> None:
    inlet.send("old", bundle(visit("K", person=RESERVE)))
    inlet.send("new", bundle(visit("C", "15:00", person=TOLVAN)))
    assert len(persons(inlet)) == 2
    inlet.send("old", bundle(person(TOLVAN, RESERVE)))
    assert len(persons(inlet)) == 1, "one record carries the numbers of both"

    (link,) = inlet.read(lambda uow: list(uow.links.all()))
    undone = Link(link.resource_type, link.from_id, link.to_id, "undone", "Two after all", inlet.now)
    inlet.store.write(lambda uow: inlet.ingest.recorder.record(uow, [], links=[undone]), now=inlet.now)
    assert len(persons(inlet)) == 2

    inlet.now += timedelta(minutes=1)
    inlet.send("third", bundle(person(TOLVAN, RESERVE, updated=updated)))
    inlet.send("old", bundle(person(TOLVAN, RESERVE, updated=updated)))
    assert len(persons(inlet)) == 2
    inlet.send("third", bundle(visit("D", "18:00", person=RESERVE)))
    assert len(persons(inlet)) == 2, "who still uses the old number speaks of whom it names"
    assert not inlet.rebuilt().different


def test_who_still_uses_the_reserve_number_after_the_merge_speaks_of_the_one_person(inlet: Inlet) -> None:
    inlet.send("old", bundle(visit("K", person=RESERVE), visit("L", "12:00", person=TOLVAN)))
    inlet.send("old", bundle(person(TOLVAN, RESERVE)))
    for repeat in range(3):
        inlet.send("old", bundle(person(TOLVAN, RESERVE, updated=f"1{repeat}:00")))
    inlet.send("third", bundle(visit("D", "18:00", person=RESERVE)))
    inlet.send("new", bundle(visit("C", "15:00", person=TOLVAN)))
    assert len(persons(inlet)) == 1
    assert len(inlet.read(lambda uow: list(uow.links.all()))) == 1, "what is known is not written again"
    assert not inlet.rebuilt().different
