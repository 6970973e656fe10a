"""$validate over HTTP: of what is sent, alone or in Parameters, in JSON and XML, and of what is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.access import validating
from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from tests.validation import test_cases as cases

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "weight"},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A weight.</div>'},
}
JSON = {"Content-Type": "application/fhir+json"}
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


def told(answer: httpx.Response) -> list[tuple[str, str, str | None]]:
    """Severity, rule and expression of each issue."""
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return [
        (one["severity"], one["details"]["coding"][0]["code"], next(iter(one.get("expression", ())), None))
        for one in outcome["issue"]
    ]


def parameters(resource: Any, **more: str) -> dict[str, Any]:
    given = [{"name": name, "valueCode" if name == "mode" else "valueUri": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": [*given, {"name": "resource", "resource": resource}]}


@pytest.mark.parametrize("address", ["/fhir/Observation/$validate", "/fhir/$validate"])
def test_a_good_resource_is_said_to_be_one(shared: httpx.Client, address: str) -> None:
    assert told(shared.post(address, json=OBSERVATION)) == [("information", "valid", None)]


def test_every_problem_is_told_at_once_with_its_path(shared: httpx.Client) -> None:
    broken = OBSERVATION | {
        "status": "done",
        "colour": "red",
        "valueQuantity": {"value": "7"},
        "referenceRange": [{"type": {"text": "normal"}}],
        "subject": {"reference": "Medication/1"},
    }
    found = told(shared.post("/fhir/Observation/$validate", json=broken))
    assert set(found) >= {
        ("error", "required-binding", "Observation.status"),
        ("error", "unknown-element", "Observation.colour"),
        ("error", "primitive-format", "Observation.value.ofType(Quantity).value"),
        ("error", "obs-3", "Observation.referenceRange[0]"),
        ("error", "reference-target", "Observation.subject.reference"),
    }


def test_the_path_leads_into_the_parameters_that_were_sent(shared: httpx.Client) -> None:
    broken = {name: value for name, value in OBSERVATION.items() if name != "status"}
    found = told(shared.post("/fhir/Observation/$validate", json=parameters(broken, mode="create")))
    assert ("error", "missing-element", "Parameters.parameter[1].resource.status") in found


def test_line_and_column_are_those_of_the_value_that_is_wrong(shared: httpx.Client) -> None:
    body = json.dumps(OBSERVATION)[:-1] + ',\n  "valueQuantity": {"value":\n    "7"}}'
    answer = shared.post("/fhir/Observation/$validate", content=body)
    [issue] = [one for one in answer.json()["issue"] if one["severity"] == "error"]
    assert [(one["url"], one["valueInteger"]) for one in issue["extension"]] == [(LINE, 2), (COLUMN, 21)]


def test_xml_has_the_same_faults_at_its_own_lines(shared: httpx.Client) -> None:
    body = """<Observation xmlns="http://hl7.org/fhir">
      <status value="final"/>
      <code><text value="weight"/></code>
      <valueQuantity>
        <value value="seven"/>
      </valueQuantity>
    </Observation>"""
    headers = {"content-type": "application/fhir+xml", "accept": "application/fhir+json"}
    answer = shared.post("/fhir/Observation/$validate", content=body, headers=headers)
    assert ("error", "primitive-format", "Observation.value.ofType(Quantity).value") in told(answer)
    [issue] = [one for one in answer.json()["issue"] if one["severity"] == "error"]
    assert [(one["url"], one["valueInteger"]) for one in issue["extension"]] == [(LINE, 5), (COLUMN, 9)]


def test_what_is_no_json_is_answered_with_the_place_and_not_refused(shared: httpx.Client) -> None:
    [(severity, rule, _)] = told(shared.post("/fhir/Patient/$validate", content='{"resourceType": "Patient",'))
    assert (severity, rule) == ("fatal", "json-syntax")


def test_a_resource_of_another_type_is_told(shared: httpx.Client) -> None:
    found = told(shared.post("/fhir/Patient/$validate", json=OBSERVATION))
    assert ("error", "resource-type-differs", "Observation") in found


def test_an_entry_of_a_bundle_is_placed_in_it(shared: httpx.Client) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:8a3e7a52-1d4f-4a43-9f0c-3a5f1f0a2b11", "resource": OBSERVATION},
            {"fullUrl": "Observation/2", "resource": OBSERVATION | {"subject": {"reference": "urn:uuid:nobody"}}},
        ],
    }
    found = told(shared.post("/fhir/Bundle/$validate", json=bundle))
    assert ("error", "bundle-full-url-absolute", "Bundle.entry[1].fullUrl") in found
    assert ("error", "bundle-reference", "Bundle.entry[1].resource.subject.reference") in found


def test_a_stored_resource_is_validated_by_its_address(shared: httpx.Client) -> None:
    address = shared.post("/fhir/Observation", json=OBSERVATION).json()["id"]
    assert told(shared.get(f"/fhir/Observation/{address}/$validate")) == [("information", "valid", None)]
    assert told(shared.post(f"/fhir/Observation/{address}/$validate?mode=delete"))[0][1] == "valid"
    assert shared.get("/fhir/Observation/nobody/$validate").status_code == 404


def test_an_update_is_of_the_id_in_the_address(shared: httpx.Client) -> None:
    address = "/fhir/Observation/mine/$validate"
    found = told(shared.post(address, json=parameters(OBSERVATION | {"id": "yours"}, mode="update")))
    assert ("error", "id-differs", "Parameters.parameter[1].resource.id") in found


@pytest.mark.parametrize(
    ("query", "body", "rule"),
    [
        ("?colour=red", OBSERVATION, "unknown-parameter"),
        ("?mode=guess", OBSERVATION, "parameter-malformed"),
        ("", {"resourceType": "Parameters", "parameter": [{"name": "colour"}]}, "unknown-parameter"),
        ("", {"resourceType": "Parameters", "parameter": [{"name": "resource"}]}, "parameter-malformed"),
        ("", {"resourceType": "Parameters"}, "parameter-missing"),
    ],
)
def test_a_question_that_is_malformed_is_refused(shared: httpx.Client, query: str, body: Any, rule: str) -> None:
    answer = shared.post(f"/fhir/Observation/$validate{query}", json=body)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == rule


RULE = {"key": "weighed-1", "severity": "error", "human": "There is a value.", "expression": "value.exists()"}
WEIGHED = {
    "resourceType": "StructureDefinition",
    "id": "weighed",
    "url": "http://example.org/fhir/StructureDefinition/weighed",
    "name": "Weighed",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Observation",
    "derivation": "constraint",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
    "differential": {"element": [{"id": "Observation", "path": "Observation", "constraint": [RULE]}]},
}


def test_a_profile_that_is_stored_is_used_from_then_on(shared: httpx.Client) -> None:
    url = WEIGHED["url"]
    assert ("error", "profile-unknown", "Observation") in told(
        shared.post(f"/fhir/Observation/$validate?profile={url}", json=OBSERVATION)
    )
    assert shared.put("/fhir/StructureDefinition/weighed", json=WEIGHED).status_code == 201
    for answer in (
        shared.post(f"/fhir/Observation/$validate?profile={url}", json=OBSERVATION),
        shared.post("/fhir/Observation/$validate", json=OBSERVATION | {"meta": {"profile": [url]}}),
    ):
        assert ("error", "weighed-1", "Observation") in told(answer)
    wrapped = parameters(OBSERVATION, profile=str(url))
    assert ("error", "weighed-1", "Parameters.parameter[1].resource") in told(
        shared.post("/fhir/Observation/$validate", json=wrapped)
    )
    shared.delete("/fhir/StructureDefinition/weighed")


def test_answers_are_held_to_the_questionnaire_that_is_stored(shared: httpx.Client) -> None:
    url = "https://example.org/fhir/Questionnaire/alone"
    item = {"linkId": "alone", "answer": [{"valueString": "yes"}]}
    given = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": f"{url}|1"}
    given |= {"text": OBSERVATION["text"], "item": [item]}
    asked = {"resourceType": "Questionnaire", "id": "alone", "url": url, "version": "1", "status": "active"}
    asked["item"] = [{"linkId": "alone", "type": "boolean", "required": True}]
    found = told(shared.post("/fhir/QuestionnaireResponse/$validate", json=given))
    assert ("warning", "questionnaire-unknown", "QuestionnaireResponse.questionnaire") in found
    assert shared.put("/fhir/Questionnaire/alone", json=asked).status_code == 201
    found = told(shared.post("/fhir/QuestionnaireResponse/$validate", json=given))
    assert found == [
        ("error", "response-answer-type", "QuestionnaireResponse.item[0].answer[0].value.ofType(string)"),
    ]
    shared.delete("/fhir/Questionnaire/alone")


def test_what_is_looked_at_is_recorded_and_no_more_than_so_much(
    operator: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {"key": "there-1", "severity": "error", "human": "They are here.", "expression": "resolve().exists()"}
    element = {"id": "Observation.performer", "path": "Observation.performer", "constraint": [rule]}
    profile = WEIGHED | {"id": "there", "url": "urn:there", "differential": {"element": [element]}}
    assert operator.put("/fhir/StructureDefinition/there", json=profile).is_success
    for id in ("a", "b", "c"):
        assert operator.put(f"/fhir/Patient/{id}", json={"resourceType": "Patient", "id": id}).is_success
    performers = [{"reference": f"Patient/{id}"} for id in ("a", "b", "a")]
    sent = OBSERVATION | {"performer": performers}

    def broken() -> list[str | None]:
        found = told(operator.post("/fhir/Observation/$validate?profile=urn:there", json=sent))
        return [where for _, rule, where in found if rule == "there-1"]

    def recorded() -> set[str | None]:
        rows = gateway.store.read(lambda uow: uow.audit.latest(limit=5))
        events = [row.event for row in rows if row.event["subtype"][0]["code"] == "validate"]
        return {entity["what"].get("reference") for event in events for entity in event.get("entity", ())}

    assert broken() == []
    assert recorded() >= {"Patient/a", "Patient/b"}
    monkeypatch.setattr(validating, "MOST_LOOKED_AT", 1)
    assert broken() == ["Observation.performer[1]"]


@pytest.mark.parametrize(("held", "status"), [("structure", 201), ("invariants", 422)])
def test_a_setting_holds_writes_to_invariants_too(sqlite_url: str, held: Any, status: int) -> None:
    wired = wire(Settings(database_url=sqlite_url, validate_on_write=held))
    with background(wired) as base:
        broken = OBSERVATION | {"referenceRange": [{"type": {"text": "normal"}}]}
        answer = httpx.post(f"{base}/fhir/Observation", json=broken, headers={"content-type": "application/fhir+json"})
    wired.close()
    assert answer.status_code == status
    assert status == 201 or answer.json()["issue"][0]["details"]["coding"][0]["code"] == "obs-3"


ALONE = [name for name, family in cases.FAMILIES.items() if not {"profiles", "kept"} & family.keys()]


@pytest.mark.parametrize("name", ALONE)
def test_a_case_of_each_family_is_told_the_same_over_http(shared: httpx.Client, name: str) -> None:
    broken = (one for one in cases.FAMILIES[name]["cases"] if "breaks" in one and "text" not in one)
    for case, _ in zip(broken, range(3), strict=False):
        found = told(shared.post("/fhir/$validate", content=cases.body(case), headers=JSON))
        errors = sorted((rule, path or "") for severity, rule, path in found if severity == "error")
        assert errors == cases.expected(case["breaks"])
