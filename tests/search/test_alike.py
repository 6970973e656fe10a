"""What two parameters find alike is one row, and is found as it was when each had rows of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.definitions import load
from gateway.search.alike import alike
from gateway.search.index import rows
from gateway.search.numbers import identifier_number, number
from gateway.tables import search_reference, search_token
from tests.search.shelf import BASE, Shelf

ID = {"system": "urn:oid:1.2", "value": "N-1"}
REFERENCES: dict[str, dict[str, Any]] = {
    "typed": {"reference": "Patient/1", "type": "Patient", "identifier": ID},
    "plain": {"reference": "Patient/1", "identifier": ID},
    "of-a-version": {"reference": "Patient/1/_history/4"},
    "group": {"reference": "Group/1", "identifier": ID},
    "said-to-be-a-group": {"reference": "Patient/1", "type": "Group"},
    "ours-in-full": {"reference": f"{BASE}/Patient/1"},
    "elsewhere": {"reference": "https://other.example/fhir/Patient/1"},
    "group-elsewhere": {"reference": "https://other.example/fhir/Group/1"},
    "urn": {"reference": "urn:uuid:6f9619ff-8b86-5011-b42d-00cf4fc964ff"},
    "logical": {"type": "Patient", "identifier": ID},
    "logical-group": {"type": "Group", "identifier": ID},
    "logical-of-no-type": {"identifier": ID},
    "contained": {"reference": "#p"},
    "words-only": {"display": "Anna"},
}
PATIENTS: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "1", "gender": "female", "name": [{"family": "Ek"}]},
    {"resourceType": "Patient", "id": "2", "gender": "male"},
    {"resourceType": "Group", "id": "1", "type": "person", "actual": True},
]
INSIDE = {"resourceType": "Patient", "id": "p", "gender": "female"}
SHELVED = [
    *PATIENTS,
    *(
        {"resourceType": kind, "id": f"{kind.lower()}-{name}", element: reference, "contained": [INSIDE]}
        for kind, element in (("Task", "for"), ("Encounter", "subject"))
        for name, reference in REFERENCES.items()
    ),
    {"resourceType": "Task", "id": "none", "status": "draft"},
    {
        "resourceType": "AppointmentResponse",
        "id": "of-a-place",
        "actor": {"reference": "Location/1"},
        "participantStatus": "accepted",
    },
]
VALUES = (
    *("=1", "=Patient/1", "=Group/1", "=Patient/2", "=Patient/1,Group/1", f"={BASE}/Patient/1"),
    *("=https://other.example/fhir/Patient/1", "=https://other.example/fhir/Group/1"),
    *(":identifier=urn:oid:1.2|N-1", ":identifier=n-1", ":missing=true", ":missing=false", ":Patient=1"),
    *(":Patient.gender=female", ":Patient._id=1"),
)
QUERIES = [
    *(f"{kind}?{code}{value}" for kind in ("Task", "Encounter") for code in ("patient", "subject") for value in VALUES),
    *(f"Task?_sort={sort}" for sort in ("patient", "-patient", "subject", "-subject")),
    *("Patient?_has:Task:patient:_id=task-plain", "Group?_has:Task:subject:_id=task-group"),
    *("Patient?_has:Task:subject:status=draft", "?_type=Task,Encounter&subject=Patient/1"),
    *("Patient/1/*?_sort=_id", "Patient/1/Encounter?_sort=_id", "Patient/1/Task?_sort=_id"),
    *('Task?_filter=patient eq "Patient/1"', "Task?_filter=subject pr false", "Task?_contained=true&patient=Patient/1"),
    "Task?_contained=both&subject=Patient/1",
    *(f"AppointmentResponse?{code}=1" for code in ("actor", "location", "patient", "practitioner")),
]
INCLUDED = [
    *(f"Task?_include=Task:{code}" for code in ("patient", "subject", "subject:Group", "*")),
    *(f"Patient?_revinclude={source}" for source in ("Task:patient", "Task:subject", "Encounter:subject")),
    "Group?_revinclude=Task:subject",
]


def apart(shelf: Shelf) -> Shelf:
    """Let each parameter have rows of its own, as it had before they were stored together."""
    ways: list[tuple[Any, Callable[[str, str], int]]] = [(search_reference, number), (search_token, identifier_number)]
    with shelf.engine.begin() as connection:
        for kind in load().resource_types:
            for pair in alike(load(), kind):
                for table, of in ways:
                    found = table.c.param == of(kind, pair.code)
                    mine = [row._asdict() for row in connection.execute(select(table).where(found))]
                    connection.execute(update(table).where(found).values(param=of(kind, pair.wide)))
                    for row in mine:
                        own = row | {"seq": row["seq"] + 1000, "param": of(kind, pair.narrow)}
                        connection.execute(table.insert().values(own))
    return shelf


@pytest.fixture(scope="module")
def shelves() -> tuple[Shelf, Shelf]:
    return Shelf(SHELVED), apart(Shelf(SHELVED))


def answer(ask: Callable[[str], object], query: str) -> object:
    try:
        return ask(query)
    except Exception as refused:
        return str(refused)


def test_every_search_finds_what_it_found_when_each_parameter_had_rows_of_its_own(shelves: tuple[Shelf, Shelf]) -> None:
    together, single = shelves
    for query in QUERIES:
        assert answer(together.search, query) == answer(single.search, query), query
        assert answer(together.count, query) == answer(single.count, query), query
    for query in INCLUDED:
        assert answer(together.included, query) == answer(single.included, query), query


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Task?patient=Patient/1", ["of-a-version", "ours-in-full", "plain", "typed"]),
        ("Task?subject=Patient/1", ["of-a-version", "ours-in-full", "plain", "said-to-be-a-group", "typed"]),
        ("Task?subject=Group/1", ["group"]),
        ("Task?patient=Group/1", []),
        ("Task?patient:identifier=N-1", ["logical", "plain", "typed"]),
        ("Task?subject:identifier=N-1", ["group", "logical", "logical-group", "logical-of-no-type", "plain", "typed"]),
    ],
)
def test_the_narrower_finds_what_leads_to_its_type(shelves: tuple[Shelf, Shelf], query: str, found: list[str]) -> None:
    assert sorted(shelves[0].search(query)) == [f"task-{name}" for name in found]


def test_what_both_find_is_stored_once() -> None:
    task = {"resourceType": "Task", "id": "t", "for": REFERENCES["plain"]}
    found = rows(task, load())
    assert [row[1:] for row in found["search_reference"]] == [(number("Task", "subject&patient"), "Patient", "1", 3)]
    both = identifier_number("Task", "subject&patient")
    assert [row[1:] for row in found["search_token"]] == [(both, "urn:oid:1.2", "n-1", "", 0)]


def test_parameters_are_alike_by_the_standard_of_elements_that_stand_once() -> None:
    assert [(one.wide, one.narrow, one.type) for one in alike(load(), "Task")] == [("subject", "patient", "Patient")]
    assert {one.wide for one in alike(load(), "AppointmentResponse")} == {"actor"}
    assert alike(load(), "Provenance") == ()
    assert alike(load(), "Immunization") == ()
