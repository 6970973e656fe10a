"""HealthcareService/$capacity over HTTP: free places and telephone, for every caller, and no person anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.coordination.capacity import CAPACITY, FREE_PLACES, MUNICIPALITY

WARD = {
    "resourceType": "Organization",
    "id": "ward",
    "name": "MÄVA, NU-sjukvården",
    "telecom": [{"system": "phone", "value": "031-390 06 01"}],
    "address": [{"extension": [{"url": MUNICIPALITY, "valueCoding": {"code": "1485"}}], "city": "Uddevalla"}],
}
BEDS = {
    "resourceType": "HealthcareService",
    "id": "beds",
    "name": "Vårdplatser MÄVA",
    "active": True,
    "providedBy": {"reference": "Organization/ward"},
    "characteristic": [{"coding": [{"system": CAPACITY, "code": "available"}]}],
    "extension": [
        {
            "url": FREE_PLACES,
            "extension": [
                {"url": "free", "valueInteger": 2},
                {"url": "at", "valueDateTime": "2026-03-12T10:00:00+01:00"},
            ],
        }
    ],
    "availableTime": [{"allDay": True}],
}


def parts(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Each service's parts by name; the value alone."""
    return [
        {part["name"]: next(value for key, value in part.items() if key != "name") for part in one["part"]}
        for one in answer.get("parameter", [])
    ]


def test_anybody_is_told_who_can_take_something_and_whom_to_call(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    for one in (WARD, BEDS):
        assert operator.put(f"/fhir/{one['resourceType']}/{one['id']}", content=json.dumps(one)).is_success
    stranger = client_of("SE2120001348-T0100")
    answer = stranger.get("/fhir/HealthcareService/$capacity", params={"at": "2026-03-12T22:00:00+01:00"})
    assert answer.status_code == 200
    (found,) = parts(answer.json())
    assert found == {
        "reference": {"reference": "HealthcareService/beds", "display": "Vårdplatser MÄVA"},
        "unit": {"reference": "Organization/ward", "display": "MÄVA, NU-sjukvården"},
        "municipality": "1485",
        "capacity": {"system": CAPACITY, "code": "available"},
        "free": 2,
        "asOf": "2026-03-12T10:00:00+01:00",
        "open": True,
        "call": {"system": "phone", "value": "031-390 06 01"},
    }
    outcome = operator.post("/fhir/Parameters/$validate", content=answer.content).json()
    assert [one for one in outcome["issue"] if one["severity"] in ("fatal", "error")] == []
    elsewhere = operator.get("/fhir/HealthcareService/$capacity", params={"municipality": "1435"})
    assert elsewhere.json() == {"resourceType": "Parameters"}
    by_search = operator.get("/fhir/HealthcareService", params={"characteristic": f"{CAPACITY}|available"})
    assert by_search.json()["total"] == 1


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"patient": "1"}, "unknown-parameter"),
        ({"at": "soon"}, "parameter-malformed"),
        ({"at": "9999-12-31"}, "parameter-malformed"),
    ],
)
def test_what_cannot_be_asked_is_refused(shared: httpx.Client, asked: dict[str, str], rule: str) -> None:
    answer = shared.get("/fhir/HealthcareService/$capacity", params=asked)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == rule
