"""Patient/$match over HTTP: who is found, in which order, with which grade, and who is not told of."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from tests.rest.conftest import REGION, as_organisation

PNR = "http://electronichealth.se/identifier/personnummer"
GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"


def patient(id: str, family: str, given: str, born: str, number: str = "", **more: Any) -> dict[str, Any]:
    made = {"resourceType": "Patient", "id": id, "name": [{"family": family, "given": [given]}], "birthDate": born}
    return made | ({"identifier": [{"system": PNR, "value": number}]} if number else {}) | more


PEOPLE = (
    patient("tolvan", "Tolvansson", "Tolvan", "1912-12-12", "191212121212"),
    patient("anna", "Åström", "Anna", "1941-07-14", gender="female"),
    patient("anna-slip", "Åström", "Anna", "1941-07-15", gender="female"),
    patient("berta", "Berg", "Berta", "1941-07-14"),
)


@pytest.fixture(scope="module")
def people(standing: httpx.Client) -> httpx.Client:
    for one in PEOPLE:
        assert standing.put(f"/fhir/Patient/{one['id']}", content=json.dumps(one)).is_success
    return standing


def matched(client: httpx.Client, resource: dict[str, Any], **given: Any) -> list[tuple[str, str]]:
    """Whom the answer names, with the grade of each."""
    parameters = [{"name": "resource", "resource": {"resourceType": "Patient", **resource}}]
    parameters += [{"name": name, f"value{kind}": value} for name, (kind, value) in given.items()]
    body = json.dumps({"resourceType": "Parameters", "parameter": parameters})
    answer = client.post("/fhir/Patient/$match", content=body)
    assert answer.status_code == 200, answer.text
    entries = [one for one in answer.json().get("entry", ()) if one["search"]["mode"] == "match"]
    scores = [one["search"]["score"] for one in entries]
    assert scores == sorted(scores, reverse=True) and all(0 < score <= 1 for score in scores)
    assert answer.json()["total"] == len(entries)
    return [(one["resource"]["id"], grade_of(one)) for one in entries]


def grade_of(entry: dict[str, Any]) -> str:
    (grade,) = (one["valueCode"] for one in entry["search"]["extension"] if one["url"] == GRADE)
    return str(grade)


def test_a_number_decides_however_it_is_written(people: httpx.Client) -> None:
    written = {"identifier": [{"system": "urn:oid:1.2.752.129.2.1.3.1", "value": "19121212-1212"}]}
    assert matched(people, written) == [("tolvan", "certain")]
    assert matched(people, written, onlyCertainMatches=("Boolean", True)) == [("tolvan", "certain")]


def test_who_is_told_alike_comes_in_order(people: httpx.Client) -> None:
    anna = {"name": [{"family": "Astrom", "given": ["ANNA"]}], "birthDate": "1941-07-14", "gender": "female"}
    assert matched(people, anna) == [("anna", "probable"), ("anna-slip", "possible")]
    assert matched(people, anna, count=("Integer", 1)) == [("anna", "probable")]
    assert matched(people, anna, onlyCertainMatches=("Boolean", True)) == []
    bare = people.post("/fhir/Patient/$match", content=json.dumps({"resourceType": "Patient", **anna}))
    assert [one["resource"]["id"] for one in bare.json()["entry"][:1]] == ["anna"]
    assert matched(people, {"name": [{"family": "Nobody", "given": ["None"]}]}) == []


def test_nobody_is_told_of_whom_the_caller_takes_no_part_in(people: httpx.Client, standing_gateway: Gateway) -> None:
    number = {"identifier": [{"system": PNR, "value": "191212121212"}]}
    with httpx.Client(base_url=people.base_url, headers=as_organisation(standing_gateway, REGION)) as stranger:
        assert matched(stranger, number) == []
    assert matched(people, number) != []


@pytest.mark.parametrize(
    ("resource", "status", "rule"),
    [
        ({"resourceType": "Patient", "gender": "male"}, 400, "match-insufficient"),
        ({"resourceType": "Patient", "birthDate": "1912"}, 400, "match-insufficient"),
        ({"resourceType": "Patient", "birthDate": "noon"}, 422, None),
        ({"resourceType": "Group", "type": "person", "actual": True}, 400, "resource-type-differs"),
    ],
)
def test_what_cannot_be_matched_is_refused(
    shared: httpx.Client, resource: dict[str, Any], status: int, rule: str | None
) -> None:
    answer = shared.post("/fhir/Patient/$match", content=json.dumps(resource))
    assert answer.status_code == status, answer.text
    assert rule in (None, answer.json()["issue"][0]["details"]["coding"][0]["code"])
