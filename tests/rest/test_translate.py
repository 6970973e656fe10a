"""ConceptMap/$translate over HTTP: every parameter of R4, by GET and POST, in both formats."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from tests.rest.conftest import as_organisation

A, B = "http://example.org/a", "http://example.org/b"
URL = "http://example.org/ConceptMap/a-to-b"
MAP = {
    "resourceType": "ConceptMap",
    "id": "a-to-b",
    "url": URL,
    "version": "2",
    "status": "active",
    "sourceUri": "http://example.org/vs-a",
    "targetUri": "http://example.org/vs-b",
    "group": [
        {"source": A, "target": B, "element": [{"code": "x", "target": [{"code": "1", "equivalence": "wider"}]}]}
    ],
}
MATCH = {
    "name": "match",
    "part": [
        {"name": "equivalence", "valueCode": "wider"},
        {"name": "concept", "valueCoding": {"system": B, "code": "1"}},
        {"name": "source", "valueUri": URL},
    ],
}
FOUND = {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": True}, MATCH]}
CODE = f"system={A}&code=x"


@pytest.fixture(scope="module")
def kept(standing: httpx.Client) -> httpx.Client:
    assert standing.put("/fhir/ConceptMap/a-to-b", content=json.dumps(MAP)).status_code == 201
    return standing


def posted(*given: dict[str, Any]) -> str:
    return json.dumps({"resourceType": "Parameters", "parameter": list(given)})


CODING = {"name": "coding", "valueCoding": {"system": A, "code": "x"}}


@pytest.mark.parametrize(
    "query",
    [
        f"url={URL}&{CODE}",
        f"url={URL}|2&{CODE}",
        f"url={URL}&conceptMapVersion=2&{CODE}",
        f"source=http://example.org/vs-a&{CODE}",
        f"target=http://example.org/vs-b&{CODE}",
        f"targetsystem={B}&{CODE}",
        f"{CODE}&reverse=false",
    ],
)
def test_a_code_is_translated_by_get(kept: httpx.Client, query: str) -> None:
    answer = kept.get(f"/fhir/ConceptMap/$translate?{query}")
    assert (answer.status_code, answer.json()) == (200, FOUND)


def test_a_conceptmap_may_be_asked_itself(kept: httpx.Client) -> None:
    assert kept.get(f"/fhir/ConceptMap/a-to-b/$translate?{CODE}").json() == FOUND
    assert kept.post("/fhir/ConceptMap/a-to-b/$translate", content=posted(CODING)).json() == FOUND
    assert kept.get(f"/fhir/ConceptMap/none/$translate?{CODE}").status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        (CODING, {"name": "url", "valueUri": URL}),
        ({"name": "codeableConcept", "valueCodeableConcept": {"coding": [{"system": A, "code": "x"}]}},),
        ({"name": "code", "valueCode": "x"}, {"name": "system", "valueUri": A}),
        (CODING, {"name": "conceptMap", "resource": MAP}),
    ],
    ids=["coding", "codeableConcept", "code", "a map that is sent"],
)
def test_a_concept_is_translated_by_post(kept: httpx.Client, given: tuple[dict[str, Any], ...]) -> None:
    answer = kept.post("/fhir/ConceptMap/$translate", content=posted(*given))
    assert (answer.status_code, answer.json()) == (200, FOUND)


def test_question_and_answer_may_be_xml(kept: httpx.Client) -> None:
    body = (
        f"<Parameters xmlns='http://hl7.org/fhir'><parameter><name value='coding'/>"
        f"<valueCoding><system value='{A}'/><code value='x'/></valueCoding></parameter></Parameters>"
    )
    answer = kept.post("/fhir/ConceptMap/$translate", content=body, headers={"content-type": "application/fhir+xml"})
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    assert '<name value="result"/><valueBoolean value="true"/>' in answer.text


def test_reversed_and_depending_on_another_value(standing: httpx.Client) -> None:
    dependent = json.loads(json.dumps(MAP))
    dependent["group"][0]["element"][0]["target"][0]["dependsOn"] = [
        {"property": "http://example.org/sex", "value": "F"}
    ]
    sent = {"name": "conceptMap", "resource": dependent}
    given = {
        "name": "dependency",
        "part": [
            {"name": "element", "valueUri": "http://example.org/sex"},
            {"name": "concept", "valueCodeableConcept": {"coding": [{"code": "F"}]}},
        ],
    }
    without = standing.post("/fhir/ConceptMap/$translate", content=posted(CODING, sent)).json()["parameter"]
    assert without[0] == {"name": "result", "valueBoolean": False}
    assert standing.post("/fhir/ConceptMap/$translate", content=posted(CODING, sent, given)).json() == FOUND

    back = ({"name": "coding", "valueCoding": {"system": B, "code": "1"}}, {"name": "reverse", "valueBoolean": True})
    answer = standing.post(
        "/fhir/ConceptMap/$translate", content=posted(*back, {"name": "conceptMap", "resource": MAP})
    )
    (match,) = [one for one in answer.json()["parameter"] if one["name"] == "match"]
    assert match["part"][:2] == [
        {"name": "equivalence", "valueCode": "narrower"},
        {"name": "concept", "valueCoding": {"system": A, "code": "x"}},
    ]


def test_the_packages_conceptmaps_are_known(standing: httpx.Client, standing_gateway: Gateway) -> None:
    package = standing_gateway.packages["dispatch-json"]
    table = package.tables[0]
    row = next(row for row in table.rows if row.target_code)
    answer = standing.get(
        "/fhir/ConceptMap/$translate", params={"url": table.url, "system": row.system or "urn:any", "code": row.code}
    )
    assert answer.json()["parameter"][0] == {"name": "result", "valueBoolean": True}
    assert row.target_code in answer.text


def test_a_code_that_no_map_names_is_no_error(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/ConceptMap/$translate?url={URL}&system={A}&code=other")
    assert (answer.status_code, answer.json()["parameter"][0]["valueBoolean"]) == (200, False)


@pytest.mark.parametrize(
    ("query", "status", "rule"),
    [
        ("", 400, "parameter-missing"),
        ("code=x", 400, "parameter-missing"),
        (f"{CODE}&code=y", 400, "parameter-repeated"),
        (f"{CODE}&colour=red", 400, "unknown-parameter"),
        (f"{CODE}&reverse=yes", 400, "parameter-malformed"),
        (f"{CODE}&coding=x", 400, "parameter-malformed"),
        (f"url=http://example.org/none&{CODE}", 404, "concept-map-unknown"),
        (f"url={URL}|1&{CODE}", 404, "concept-map-unknown"),
    ],
)
def test_what_cannot_be_asked_is_refused(kept: httpx.Client, query: str, status: int, rule: str) -> None:
    answer = kept.get(f"/fhir/ConceptMap/$translate?{query}")
    assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (status, rule)


@pytest.mark.parametrize(
    "body",
    [
        posted({"name": "coding", "valueString": "x"}),
        posted({"name": "coding"}),
        posted({"name": "coding", "valueCoding": {}}),
        posted({"name": "codeableConcept", "valueCodeableConcept": {"coding": 7}}),
        posted({"valueCoding": {}}),
        posted(CODING, {"name": "dependency", "part": [{"name": "colour"}]}),
        posted(CODING, {"name": "conceptMap", "resource": {"resourceType": "Patient"}}),
        '{"resourceType": "Parameters", "parameter": [7]}',
        '{"resourceType": "Parameters", "parameter": 7}',
        '{"resourceType": "Patient"}',
    ],
)
def test_parameters_that_are_not_as_defined_are_refused(standing: httpx.Client, body: str) -> None:
    answer = standing.post("/fhir/ConceptMap/$translate", content=body)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_an_organisation_may_ask(kept: httpx.Client, standing_gateway: Gateway) -> None:
    headers = as_organisation(standing_gateway, "SE2321000131-E1")
    assert kept.get(f"/fhir/ConceptMap/$translate?url={URL}&{CODE}", headers=headers).json() == FOUND


def test_it_is_announced(standing: httpx.Client) -> None:
    resources = standing.get("/fhir/metadata").json()["rest"][0]["resource"]
    found = next(one for one in resources if one["type"] == "ConceptMap")
    assert "translate" in {one["name"] for one in found["operation"]}
