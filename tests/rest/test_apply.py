"""`$apply` over HTTP: for whoever may see the subject, of stored definitions and of those that are sent (C-50)."""

from __future__ import annotations

from typing import Any

import httpx

from tests.rest import parties

DEFINITION = {"resourceType": "ActivityDefinition", "status": "active", "kind": "Task", "code": {"text": "Hembesök"}}


def parameters(**given: Any) -> dict[str, Any]:
    parts = [
        {"name": name, "resource": value} if isinstance(value, dict) and "resourceType" in value
        else {"name": name, "valueCodeableConcept": value} if isinstance(value, dict)
        else {"name": name, "valueString": value}
        for name, value in given.items()
    ]  # fmt: skip
    return {"resourceType": "Parameters", "parameter": parts}


def test_a_stored_plan_is_applied_to_a_patient_and_nothing_is_kept(shared: httpx.Client) -> None:
    patient = parties.person(shared)
    url = f"http://example.org/{parties.fresh()}"
    parties.created(shared, DEFINITION | {"url": url})
    action = {
        "definitionCanonical": url,
        "dynamicValue": [
            {"path": "description", "expression": {"language": "text/fhirpath", "expression": "%setting.text"}}
        ],
    }
    plan = {"resourceType": "PlanDefinition", "status": "active", "title": "Hem", "action": [action]}
    id = parties.created(shared, plan)["id"]
    before = shared.get("/fhir/Task", params={"patient": patient}).json()["total"]
    setting = {"text": "hemmet"}
    answer = shared.post(f"/fhir/PlanDefinition/{id}/$apply", json=parameters(subject=patient, setting=setting))
    assert answer.status_code == 200, answer.text
    made = answer.json()
    task = made["contained"][0]
    assert (made["resourceType"], made["status"], made["title"]) == ("CarePlan", "draft", "Hem")
    assert (task["code"], task["description"], task["for"]) == (DEFINITION["code"], "hemmet", {"reference": patient})
    assert shared.get("/fhir/Task", params={"patient": patient}).json()["total"] == before == 0


def test_a_definition_that_is_sent_is_applied(shared: httpx.Client) -> None:
    patient = parties.person(shared)
    sent = parameters(subject=patient, activityDefinition=DEFINITION)
    made = shared.post("/fhir/ActivityDefinition/$apply", json=sent).json()
    assert (made["resourceType"], made["status"], made["for"]["reference"]) == ("Task", "draft", patient)
    found = shared.post("/fhir/Task/$validate", json=made).json()
    assert [issue for issue in found["issue"] if issue["severity"] in ("error", "fatal")] == []


def test_by_get_the_parameters_stand_in_the_query(shared: httpx.Client) -> None:
    patient = parties.person(shared)
    id = parties.created(shared, DEFINITION)["id"]
    answer = shared.get(f"/fhir/ActivityDefinition/{id}/$apply", params={"subject": patient})
    assert answer.json()["for"] == {"reference": patient}


def test_who_may_not_see_the_subject_is_told_no_more_than_of_one_that_is_not_there(
    shared: httpx.Client, party: parties.Party
) -> None:
    patient = parties.person(shared)
    stranger = party(parties.STRANGER)
    answers = [
        stranger.post("/fhir/ActivityDefinition/$apply", json=parameters(subject=one, activityDefinition=DEFINITION))
        for one in (patient, "Patient/none")
    ]
    assert [one.status_code for one in answers] == [422, 422]
    told = [one.json()["issue"] for one in answers]
    assert told[0] == told[1]
    assert told[0][0]["details"]["coding"][0]["code"] == "apply-reference-unknown"


def test_what_is_asked_wrongly_is_refused(shared: httpx.Client) -> None:
    patient = parties.person(shared)
    id = parties.created(shared, DEFINITION)["id"]
    several = {"resourceType": "Parameters", "parameter": [{"name": "subject", "valueString": patient}] * 2}
    for path, body, status in (
        (f"{id}/$apply", parameters(subject=patient, activityDefinition=DEFINITION), 400),
        ("$apply", parameters(subject=patient), 400),
        (f"{id}/$apply", parameters(), 400),
        (f"{id}/$apply", parameters(subject=patient, other="x"), 400),
        (f"{id}/$apply", several, 422),
        ("$apply", parameters(subject=patient, activityDefinition=DEFINITION | {"kind": "SupplyRequest"}), 422),
        ("none/$apply", parameters(subject=patient), 404),
    ):
        assert shared.post(f"/fhir/ActivityDefinition/{path}", json=body).status_code == status, path
