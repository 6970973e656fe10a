"""The missions and their measures through the API: served at their urls, open to all, and valid."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.definitions import CANONICAL, load
from gateway.fhirpath import Environment, compile
from tests.rest.conftest import FHIR

KINDS = ("PlanDefinition", "ActivityDefinition", "Measure")
SHIPPED = [one for kind in KINDS for one in load().of(kind)]


@pytest.mark.parametrize("resource", SHIPPED, ids=lambda one: f"{one['resourceType']}-{one['id']}")
def test_a_definition_is_served_at_its_url_and_valid(shared: httpx.Client, resource: dict[str, Any]) -> None:
    path = resource["url"].removeprefix(CANONICAL)
    served = shared.get(f"/fhir{path}")
    assert served.status_code == 200
    assert {name: value for name, value in served.json().items() if name != "meta"} == resource
    outcome = shared.post(f"/fhir/{resource['resourceType']}/$validate", content=json.dumps(resource)).json()
    told = [one["details"]["text"] for one in outcome["issue"] if one["severity"] != "information"]
    # Without narrative (dom-6), as all that is shipped: what it says is said in title and description.
    assert [one for one in told if "(dom-6)" not in one] == []


def test_an_organisation_reads_the_missions_too(address: str, client_of: Callable[..., httpx.Client]) -> None:
    nurse = client_of("SE2120001348-T0100")
    assert nurse.get("/fhir/PlanDefinition/1177-uppdrag", headers=FHIR).json()["topic"][0]["coding"][0]["code"] == (
        "1177-uppdrag"
    )


@pytest.mark.parametrize(
    ("plan", "born", "holds"),
    [
        ("ivpa-uppdrag", "2000-01-01", True),
        ("ivpa-uppdrag", "2020-01-01", False),
        ("mava-uppdrag", "1940-01-01", True),
        ("mava-uppdrag", "1990-01-01", False),
    ],
)
def test_whom_a_mission_is_for_is_told_in_fhirpath_of_the_patient(plan: str, born: str, holds: bool) -> None:
    (condition,) = next(one for one in load().of("PlanDefinition") if one["id"] == plan)["action"][0]["condition"]
    patient = {"resourceType": "Patient", "birthDate": born}
    path = compile(condition["expression"]["expression"], "Patient", load())
    assert list(path(patient, Environment(now=datetime(2026, 3, 12, tzinfo=UTC)))) == [holds]


@pytest.mark.parametrize(
    ("plan", "codes"),
    [
        ("1177-uppdrag", {"1177-uppdrag"}),
        ("assistansuppdrag", {"assistansuppdrag"}),
        ("ivpa-uppdrag", {"ivpa-uppdrag"}),
        ("mava-uppdrag", {"mava-uppdrag", "admission-notice", "pause-visits"}),
    ],
)
def test_a_mission_can_be_applied_to_a_person(shared: httpx.Client, plan: str, codes: set[str]) -> None:
    person = {"resourceType": "Patient", "id": "for-missions", "birthDate": "1940-01-01"}
    assert shared.put("/fhir/Patient/for-missions", content=json.dumps(person)).is_success
    answer = shared.get(f"/fhir/PlanDefinition/{plan}/$apply", params={"subject": "Patient/for-missions"})
    assert answer.status_code == 200, answer.text
    tasks = [one for one in answer.json()["contained"] if one["resourceType"] == "Task"]
    assert codes <= {coding["code"] for task in tasks for coding in task.get("code", {}).get("coding", ())}
    assert {task["for"]["reference"] for task in tasks} == {"Patient/for-missions"}
