"""An operator may write anything as plain R4: a step of a Task's life that is none makes no answer fail."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.coordination.tasks import HISTORY

STATUS = {"url": "status", "valueCode": "requested"}


@pytest.mark.parametrize(
    "parts",
    [
        [STATUS],
        [STATUS, {"url": "period", "valuePeriod": {"end": "2026"}}],
        [STATUS, {"url": "period", "valueString": "always"}],
        [{"url": "status", "valueString": "requested"}, {"url": "period", "valuePeriod": {"start": "2026"}}],
        [STATUS, {"url": "period", "valuePeriod": {"start": "2026"}}, {"url": "owner", "valueString": "me"}],
    ],
)
def test_a_step_that_is_none_is_passed_over(shared: httpx.Client, parts: list[dict[str, Any]]) -> None:
    patient = {"resourceType": "Patient", "id": "odd-history"}
    task = {
        "resourceType": "Task",
        "id": "odd-history",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/mission", "code": "1177-uppdrag"}]},
        "for": {"reference": "Patient/odd-history"},
        "authoredOn": "2026-01-05T10:00:00+01:00",
        "extension": [{"url": HISTORY, "extension": parts}],
    }
    for one in (patient, task):
        assert shared.put(f"/fhir/{one['resourceType']}/{one['id']}", content=json.dumps(one)).is_success
    period = {"periodStart": "2026-01-01", "periodEnd": "2026-01-31"}
    assert shared.get("/fhir/Patient/odd-history/$who-does-what").status_code == 200
    assert shared.get("/fhir/Measure/sent-on/$evaluate-measure", params=period).status_code == 200
    assert shared.get("/fhir/Task/odd-history/$next-steps").status_code == 200
    assert shared.get("/task/odd-history", headers={"accept": "text/html"}).status_code == 200
