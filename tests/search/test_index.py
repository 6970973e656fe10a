"""Indexing: which rows a resource leaves, that nothing is lost on rare shapes, and how long it may take."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.definitions import load
from gateway.search.index import Indexer, problems, rows
from gateway.search.numbers import identifier_number, number
from gateway.search.units import BASE_UNITS
from gateway.tables import metadata

DATA = (Path(__file__).parents[2] / "../shared/data").resolve()

ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "identifier": [{"system": "urn:oid:1.2.752.129.2.1.4.1#SE2321000016-A", "value": "doc-1"}],
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "type": [{"coding": [{"system": "http://example.org/type", "code": "mava"}]}],
    "subject": {
        "reference": "Patient/0a9d",
        "identifier": {"system": "http://electronichealth.se/identifier/personnummer", "value": "191212121212"},
    },
    "participant": [{"individual": {"reference": "Practitioner/77"}}],
    "period": {"start": "2026-11-20T10:15:00+01:00"},
    "serviceProvider": {"reference": "Organization/9", "identifier": {"system": "urn:oid:1.2", "value": "x"}},
    "location": [{"location": {"reference": "Location/4"}}],
}


def of(found: dict[str, list[tuple[Any, ...]]], table: str, code: str, kind: str = "Encounter") -> list[Any]:
    return [row[2:] for row in found.get(table, ()) if row[1] == number(kind, code)]


def test_every_row_has_the_columns_of_its_table() -> None:
    for name, found in rows(ENCOUNTER, load()).items():
        assert {len(row) for row in found} == {len(metadata.tables[name].columns) - 2}
        assert [row[0] for row in found] == list(range(len(found)))


def test_a_code_element_is_indexed_with_the_system_of_its_value_set() -> None:
    assert of(rows(ENCOUNTER, load()), "search_token", "status") == [
        ("http://hl7.org/fhir/encounter-status", "in-progress", "in-progress", 3)
    ]


def test_references_that_are_several_leave_each_target_and_each_identifier_once() -> None:
    def unit(value: str, **more: str) -> dict[str, Any]:
        return {"identifier": {"system": "urn:oid:1.2", "value": value}, **more}

    owned = {"resourceType": "Account", "id": "a1", "status": "active"}
    subject = [unit("X", reference="Patient/2"), unit("x", reference="Patient/1"), unit("y"), {"reference": "#inside"}]

    found = rows({**owned, "subject": subject}, load())
    assert of(found, "search_reference", "subject", "Account") == [("Patient", "1", 1), ("Patient", "2", 2)]
    named = [row[2:] for row in found["search_token"] if row[1] == identifier_number("Account", "subject")]
    assert named == [("urn:oid:1.2", "x", "", 0), ("urn:oid:1.2", "y", "", 0)]

    found = rows({**owned, "subject": subject[:1]}, load())
    assert of(found, "search_reference", "subject", "Account") == [("Patient", "2", 3)]
    assert "search_reference" not in rows({**owned, "subject": subject[3:]}, load())


def test_a_logical_reference_is_found_by_its_identifier() -> None:
    found = [
        row[2:4]
        for row in rows(ENCOUNTER, load())["search_token"]
        if row[1] == identifier_number("Encounter", "subject&patient")
    ]
    assert found == [("http://electronichealth.se/identifier/personnummer", "191212121212")]


def test_the_smallest_and_the_largest_of_several_values_are_marked() -> None:
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "B"}, {"family": "C"}, {"family": "A"}]}
    edges = {row[0]: row[-1] for row in of(rows(patient, load()), "search_string", "family", "Patient")}
    assert edges == {"a": 1, "b": 0, "c": 2}


def test_equal_values_make_one_row() -> None:
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "B"}, {"family": "B"}]}
    assert len(of(rows(patient, load()), "search_string", "family", "Patient")) == 1


def test_a_ucum_quantity_has_a_second_row_in_base_units() -> None:
    weight = {"value": Decimal("5.4"), "system": "http://unitsofmeasure.org", "code": "kg"}
    found = rows({"resourceType": "Observation", "id": "o", "valueQuantity": weight}, load())
    assert (5400.0, 5400.0, BASE_UNITS, "g", "") in [
        row[:-1] for row in of(found, "search_quantity", "value-quantity", "Observation")
    ]


def test_an_extension_stands_for_its_value() -> None:
    """Some of R4's own parameters name the extension only."""
    url = "http://hl7.org/fhir/StructureDefinition/observation-geneticsAminoAcidChangeName"
    observation = {"resourceType": "Observation", "id": "o", "extension": [{"url": url, "valueString": "Gly12"}]}
    found = of(rows(observation, load()), "search_string", "amino-acid-change", "Observation")
    assert [row[0] for row in found] == ["gly12"]


def test_the_first_resource_of_a_document_is_found_by_its_bundle() -> None:
    bundle = {
        "resourceType": "Bundle",
        "id": "b",
        "type": "document",
        "entry": [{"resource": {"resourceType": "Composition", "id": "c"}}],
    }
    assert of(rows(bundle, load()), "search_reference", "composition", "Bundle") == [("Composition", "c", 3)]


def test_text_that_is_no_date_leaves_no_row() -> None:
    assert rows({"resourceType": "Patient", "id": "p", "birthDate": "unknown"}, load()).get("search_date") is None


def test_long_text_is_indexed_by_its_beginning() -> None:
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "å" * 5000}]}
    [(value, exact, _)] = of(rows(patient, load()), "search_string", "family", "Patient")
    assert value == "a" * 500
    assert len(exact) == 5000


def test_every_parameter_of_r4_compiles_and_has_a_number_of_its_own() -> None:
    assert problems(load()) == []


def test_a_parameter_that_cannot_be_indexed_is_named_with_the_reason() -> None:
    parameter = {
        "resourceType": "SearchParameter",
        "url": "https://samverka.example/fhir/SearchParameter/wrong",
        "code": "wrong",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.nmae.family",
    }
    [problem] = problems(load().with_resources([parameter]))
    assert problem.startswith("Patient.wrong: line 1, column 9: Patient has no element nmae.")
    assert "Did you mean name" in problem


def test_indexing_leaves_the_resource_as_it_was() -> None:
    before = json.dumps(ENCOUNTER)
    rows(ENCOUNTER, load())
    assert json.dumps(ENCOUNTER) == before


@pytest.mark.corpus
def test_every_example_of_the_specification_can_be_indexed() -> None:
    examples = sorted((DATA / "r4/examples/json").glob("*.json"))
    if not examples:
        pytest.skip("The R4 examples are not in ../shared/data/r4/examples.")
    indexer = Indexer(load())
    tables: set[str] = set()
    for example in examples:
        tables.update(indexer.rows(json.loads(example.read_text(), parse_float=Decimal)))
    assert tables == {name for name in metadata.tables if name.startswith("search_")}
