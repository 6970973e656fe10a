"""Whose copies are whose: who states a Request or a person's record changes it, and nobody else (C-21, C-24)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.rest.parties import HOME_CARE, WARD, Party, address, created, person, put, read, refusal, task, unit

COPIES: dict[str, dict[str, Any]] = {
    "ServiceRequest": {"status": "active", "intent": "order"},
    "CommunicationRequest": {"status": "active"},
    "Condition": {"code": {"text": "Hjärtsvikt"}},
    "QuestionnaireResponse": {"status": "completed"},
}


def about(kind: str, patient: str) -> dict[str, Any]:
    return {"resourceType": kind, "subject": {"reference": patient}} | COPIES[kind]


@pytest.mark.parametrize("kind", COPIES)
def test_c21_c24_only_who_stated_it_changes_it(shared: httpx.Client, party: Party, kind: str) -> None:
    patient = person(shared)
    created(party(WARD), task(patient))
    one = created(party(WARD), about(kind, patient))
    language = {"language": "sv"}

    told = refusal(put(party(HOME_CARE), one, **language), 403)

    assert told["rule"] == "not-the-author"
    assert told["requirement"] == ("C-21" if kind.endswith("Request") else "C-24")
    assert told["sv"]
    refusal(party(HOME_CARE).delete(address(one)), 403)
    assert "language" not in read(shared, one)
    assert put(party(WARD), one, **language).status_code == 200
    assert read(party(HOME_CARE), one)["language"] == "sv"


def test_c21_the_request_in_a_tasks_focus_is_left_to_its_author(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    created(party(WARD), task(patient))
    request = created(party(WARD), about("ServiceRequest", patient))
    one = created(party(WARD), task(patient, focus={"reference": f"ServiceRequest/{request['id']}"}))
    bodies = [request | {"priority": "stat"}, read(shared, one) | {"status": "accepted"}]
    entries = [
        {"resource": body, "request": {"method": "PUT", "url": address(body).removeprefix("/fhir/")}} for body in bodies
    ]

    answer = party(HOME_CARE).post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})

    assert refusal(answer, 403)["requirement"] == "C-21"
    assert read(shared, one)["status"] == "requested"


def test_c21_what_the_operator_wrote_is_changed_by_whom_it_names_as_requester(
    shared: httpx.Client, party: Party
) -> None:
    patient = person(shared)
    created(party(WARD), task(patient))
    request = created(shared, about("ServiceRequest", patient) | {"requester": unit(WARD)})

    refusal(put(party(HOME_CARE), request, priority="stat"), 403)
    assert put(party(WARD), request, priority="stat").status_code == 200


def test_c24_a_patient_is_changed_by_who_states_it(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    created(party(WARD), task(patient))
    one = read(shared, {"resourceType": "Patient", "id": patient.removeprefix("Patient/")})

    assert refusal(put(party(WARD), one, gender="female"), 403)["requirement"] == "C-24"
    patch = '[{"op": "add", "path": "/gender", "value": "female"}]'
    answer = party(WARD).patch(address(one), content=patch, headers={"content-type": "application/json-patch+json"})
    assert refusal(answer, 403)["requirement"] == "C-24"
    assert put(shared, one, gender="female").status_code == 200
