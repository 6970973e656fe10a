"""Measure/$evaluate-measure over HTTP: what is asked, of whom, and that what the caller may not see is not counted."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from gateway.definitions import CANONICAL
from gateway.identity.systems import HSA_ID
from tests.coordination.measuring import in_short, task
from tests.rest.conftest import as_organisation

CALLERS, NURSES, AMBULANCE = "SE2321000131-T0300", "SE2120001348-T0100", "SE2321000131-T0200"
JANUARY = {"periodStart": "2026-01-01", "periodEnd": "2026-01-31"}


def mission(number: int, to: str, minutes: int) -> dict[str, Any]:
    row = {
        "id": f"m{number}",
        "mission": "1177-uppdrag",
        "from": CALLERS,
        "steps": [
            [f"2026-01-{1 + number:02}T10:00", "requested", to],
            [f"2026-01-{1 + number:02}T10:{minutes:02}", "accepted"],
        ],
    }
    return task(row) | {"for": {"reference": f"Patient/p{number}"}}


@pytest.fixture(scope="module")
def served(standing: httpx.Client) -> httpx.Client:
    """Seven accepted by the nurses, six by the ambulance, each for another person."""
    rows = [mission(n, NURSES, 5) for n in range(7)] + [mission(n, AMBULANCE, 20) for n in range(7, 13)]
    people = [{"resourceType": "Patient", "id": f"p{n}"} for n in range(13)]
    unit = {"resourceType": "Organization", "id": "nurses", "name": "Hemsjukvården Tanum"}
    unit["identifier"] = [{"system": HSA_ID, "value": NURSES}]
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (unit, *people, *rows)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert standing.post("/fhir", content=json.dumps(bundle)).is_success
    return standing


def test_a_measure_is_evaluated_at_its_own_address_and_by_its_url(served: httpx.Client) -> None:
    answer = served.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=JANUARY)
    assert answer.status_code == 200
    made = answer.json()
    assert (made["resourceType"], made["type"], made["measure"]) == (
        "MeasureReport",
        "summary",
        f"{CANONICAL}/Measure/time-to-accept|1.0.0",
    )
    assert made["period"] == {"start": "2026-01-01", "end": "2026-01-31"}
    median = in_short(made)["median"]
    assert (median["measure-population"], median["score"]) == (13, 5)
    assert median["party"] == {
        NURSES: {"measure-population": 7, "score": 5},
        AMBULANCE: {"measure-population": 6, "score": 20},
    }
    names = [one["value"]["text"] for one in made["group"][0]["stratifier"][1]["stratum"]]
    assert "Hemsjukvården Tanum" in names
    sent = [
        {"name": "measure", "valueString": f"{CANONICAL}/Measure/time-to-accept"},
        {"name": "periodStart", "valueDate": "2026"},
        {"name": "periodEnd", "valueDate": "2026-01"},
    ]
    body = {"resourceType": "Parameters", "parameter": sent}
    assert in_short(served.post("/fhir/Measure/$evaluate-measure", content=json.dumps(body)).json()) == in_short(made)
    outcome = served.post("/fhir/MeasureReport/$validate", content=json.dumps(made)).json()
    assert [one for one in outcome["issue"] if one["severity"] in ("fatal", "error")] == []


def test_an_organisation_measures_what_it_may_see(served: httpx.Client, standing_gateway: Gateway) -> None:
    nurses = as_organisation(standing_gateway, NURSES)
    answer = served.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=JANUARY, headers=nurses)
    found = in_short(answer.json())
    assert found["median"]["measure-population"] == 7
    assert found["median"]["party"].keys() == {NURSES}


def test_of_one_person_everything_is_told_to_him_who_may_see_that_person(
    served: httpx.Client, standing_gateway: Gateway
) -> None:
    asked = JANUARY | {"reportType": "subject", "subject": "Patient/p1"}
    made = served.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=asked).json()
    assert (made["type"], made["subject"]) == ("individual", {"reference": "Patient/p1"})
    assert in_short(made)["median"]["party"] == {NURSES: {"measure-population": 1, "score": 5}}
    ambulance = as_organisation(standing_gateway, AMBULANCE)
    refused = served.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=asked, headers=ambulance)
    assert refused.status_code == 404


def test_a_report_of_a_few_says_so_and_no_number(served: httpx.Client) -> None:
    few = {"periodStart": "2026-01-01", "periodEnd": "2026-01-03"}
    made = served.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=few).json()
    assert in_short(made)["median"] == {"measure-population": "-", "mission": "-", "party": "-", "municipality": "-"}
    assert "count" not in json.dumps(made).replace('"_count"', "")


@pytest.mark.parametrize(
    ("path", "change", "status", "rule"),
    [
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"periodEnd": ""}, 400, "parameter-malformed"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"periodEnd": "2025-12-31"}, 400, "parameter-malformed"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"periodEnd": "2036-12-31"}, 400, "parameter-malformed"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"periodStart": "2026-02-30"}, 400, "parameter-malformed"),
        (
            "/fhir/Measure/time-to-accept/$evaluate-measure",
            {"periodStart": "1001", "periodEnd": "1001"},
            400,
            "parameter-malformed",
        ),
        (
            "/fhir/Measure/time-to-accept/$evaluate-measure",
            {"periodStart": "2999", "periodEnd": "2999"},
            400,
            "parameter-malformed",
        ),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"group-by": "age"}, 400, "dimension-unknown"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"x": "1"}, 400, "unknown-parameter"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"reportType": "subject"}, 400, "parameter-missing"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"subject": "Patient/p1"}, 400, "parameter-malformed"),
        (
            "/fhir/Measure/time-to-accept/$evaluate-measure",
            {"reportType": "subject-list"},
            422,
            "report-type-not-offered",
        ),
        ("/fhir/Measure/no-such/$evaluate-measure", {}, 404, "resource-unknown"),
        ("/fhir/Measure/$evaluate-measure", {}, 400, "parameter-missing"),
        ("/fhir/Measure/time-to-accept/$evaluate-measure", {"measure": "sent-on"}, 400, "parameter-repeated"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_rule(
    shared: httpx.Client, path: str, change: dict[str, str], status: int, rule: str
) -> None:
    answer = shared.get(path, params=JANUARY | change)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == rule


def test_a_measure_that_is_stored_is_evaluated_too(served: httpx.Client) -> None:
    own = served.get("/fhir/Measure/time-to-accept").json() | {"id": "own", "url": "urn:example:own"}
    own["group"] = own["group"][:1]
    assert served.put("/fhir/Measure/own", content=json.dumps(own)).is_success
    made = served.get("/fhir/Measure/own/$evaluate-measure", params=JANUARY).json()
    assert list(in_short(made)) == ["median"]
    assert made["measure"] == "urn:example:own|1.0.0"
