"""What a source or a caller may write at the ends of the calendar breaks no answer, neither his own nor another's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

HSA = "urn:oid:1.2.752.29.4.19"
ENDS = ("0001-01-01T00:00:00+14:00", "0001", "9999-12-31T23:59:59-14:00", "9999-12-31")
PERIODS = [(ENDS[0], ENDS[0]), (ENDS[0], ENDS[2]), (ENDS[2], ENDS[2]), (ENDS[1], ENDS[3])]
ANSWERS = ("/fhir/Patient/p/$who-does-what", "/patient/p")


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


@pytest.fixture(scope="module")
def person(standing: httpx.Client) -> str:
    standing.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    return "Patient/p"


@pytest.mark.parametrize("status", ["requested", "in-progress", "completed"])
def test_no_time_of_a_task_breaks_the_answer(standing: httpx.Client, person: str, status: str) -> None:
    for start, end in PERIODS:
        task = {
            "resourceType": "Task",
            "id": "t",
            "status": status,
            "intent": "order",
            "code": {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/task", "code": "home-visit"}]},
            "for": {"reference": person},
            "owner": unit("SE2120001348-T0100"),
            "requester": unit("SE2321000131-T0110"),
            "authoredOn": start,
            "lastModified": end,
            "executionPeriod": {"start": start, "end": end},
            "restriction": {"period": {"start": start, "end": end}},
        }
        assert standing.put("/fhir/Task/t", json=task).status_code in (200, 201, 422)
        assert [standing.get(path).status_code for path in ANSWERS] == [200, 200], (start, end)


@pytest.mark.parametrize("status", ["planned", "in-progress", "finished"])
def test_no_time_of_an_encounter_breaks_the_answer(standing: httpx.Client, person: str, status: str) -> None:
    for start, end in PERIODS:
        stay = {
            "resourceType": "Encounter",
            "id": "e",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate",
                    "valueDateTime": end,
                }
            ],
            "status": status,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": {"reference": person},
            "serviceProvider": unit("SE2321000131-T0110"),
            "period": {"start": start, "end": end},
        }
        assert standing.put("/fhir/Encounter/e", json=stay).status_code in (200, 201, 422)
        assert [standing.get(path).status_code for path in ANSWERS] == [200, 200], (start, end)


@pytest.mark.parametrize("name", ["at", "known-at", "since"])
@pytest.mark.parametrize("value", [*ENDS, "1799-12-31", "2302"])
def test_a_time_that_nobody_can_mean_is_refused(standing: httpx.Client, person: str, name: str, value: str) -> None:
    assert standing.get(ANSWERS[0], params={name: value}).status_code == 400
    if name != "since":  # which the page does not take
        assert standing.get(ANSWERS[1], params={name: value}).status_code == 400


@pytest.mark.parametrize("value", ENDS)
def test_searches_and_histories_take_any_time(standing: httpx.Client, person: str, value: str) -> None:
    for path in (f"Task?authored-on={value}", f"Task?_lastUpdated=ap{value}", f"Patient/p/_history?_since={value}"):
        assert standing.get(f"/fhir/{path}".replace("+", "%2B")).status_code in (200, 400), path


def test_what_has_an_identifier_and_a_type_but_is_no_reference_is_stored(standing: httpx.Client) -> None:
    detail = {"identifier": {"system": "urn:x:a", "value": "1"}, "type": {"coding": [{"code": "payment"}]}}
    payment = {
        "resourceType": "PaymentReconciliation",
        "id": "p",
        "status": "active",
        "created": "2026-01-01",
        "paymentDate": "2026-01-01",
        "paymentAmount": {"value": 1},
        "detail": [detail],
    }
    assert standing.put("/fhir/PaymentReconciliation/p", json=payment).status_code in (200, 201)
    assert standing.get("/fhir/PaymentReconciliation/p").json()["detail"] == [detail]
