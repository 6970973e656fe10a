"""$everything: whose record it is, what comes with it, of when, and in pages."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

P = {"reference": "Patient/p"}
RECORD: tuple[dict[str, Any], ...] = (
    {"resourceType": "Organization", "id": "region", "name": "Region"},
    {"resourceType": "Organization", "id": "ward", "name": "Ward", "partOf": {"reference": "Organization/region"}},
    {"resourceType": "Practitioner", "id": "nurse"},
    {"resourceType": "Patient", "id": "p", "birthDate": "1912-12-12"},
    {"resourceType": "Patient", "id": "q"},
    {"resourceType": "RelatedPerson", "id": "daughter", "patient": P, "birthDate": "1950-01-01"},
    {
        "resourceType": "Encounter",
        "id": "stay",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": P,
        "serviceProvider": {"reference": "Organization/ward"},
        "period": {"start": "2020-01-10", "end": "2020-02-10"},
    },
    {
        "resourceType": "Observation",
        "id": "weight",
        "status": "final",
        "code": {"text": "weight"},
        "subject": P,
        "encounter": {"reference": "Encounter/stay"},
        "performer": [{"reference": "Practitioner/nurse"}],
        "effectiveDateTime": "2020-01-11",
    },
    {
        "resourceType": "Condition",
        "id": "years",
        "subject": P,
        "onsetDateTime": "2010",
        "abatementDateTime": "2024",
    },
    {
        "resourceType": "Task",
        "id": "visit",
        "status": "accepted",
        "intent": "order",
        "for": P,
        "authoredOn": "2024-05-01",
    },
    {
        "resourceType": "Provenance",
        "id": "said",
        "target": [{"reference": "Observation/weight"}],
        "recorded": "2020-01-11T10:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/nurse"}}],
    },
    {"resourceType": "Task", "id": "other", "status": "accepted", "intent": "order", "for": {"reference": "Patient/q"}},
)
PERSON = {
    "Patient/p",
    "RelatedPerson/daughter",
    "Encounter/stay",
    "Observation/weight",
    "Condition/years",
    "Task/visit",
}
BESIDE = {"Provenance/said", "Practitioner/nurse", "Organization/ward", "Organization/region"}


@pytest.fixture(scope="module")
def record(standing: httpx.Client) -> httpx.Client:
    for one in RECORD:
        assert standing.put(f"/fhir/{one['resourceType']}/{one['id']}", content=json.dumps(one)).is_success
    return standing


def told(answer: httpx.Response, mode: str) -> set[str]:
    """What came in a mode, as type and id."""
    assert answer.status_code == 200, answer.text
    found = [one for one in answer.json().get("entry", ()) if one["search"]["mode"] == mode]
    names = [f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in found]
    assert len(names) == len(set(names)), names
    return set(names)


def test_a_record_is_the_compartment_and_what_it_refers_to(record: httpx.Client) -> None:
    whole = record.get("/fhir/Patient/p/$everything")
    assert (told(whole, "match"), told(whole, "include")) == (PERSON, BESIDE)
    assert whole.json()["total"] == len(PERSON)
    posted = record.post("/fhir/Patient/p/$everything", content='{"resourceType":"Parameters"}')
    assert told(posted, "match") == PERSON

    stay = record.get("/fhir/Encounter/stay/$everything")
    assert told(stay, "match") == {"Encounter/stay", "Observation/weight"}
    assert told(stay, "include") == {*BESIDE, "Patient/p"}

    everybody = record.get("/fhir/Patient/$everything")
    assert told(everybody, "match") == {*PERSON, "Patient/q", "Task/other"}


def test_dates_are_of_care_from_the_first_to_the_last(record: httpx.Client) -> None:
    def within(start: str, end: str) -> set[str]:
        return told(record.get(f"/fhir/Patient/p/$everything?start={start}&end={end}"), "match")

    always = {"Patient/p", "RelatedPerson/daughter"}
    assert within("2020-01-20", "2020-01-31") == {*always, "Encounter/stay", "Condition/years"}
    assert within("2024-05-01", "2024-05-01") == {*always, "Task/visit", "Condition/years"}
    assert within("1990-01-01", "2009-12-31") == always


def test_types_and_changes_narrow_the_record(record: httpx.Client) -> None:
    tasks = record.get("/fhir/Patient/p/$everything?_type=Task,Observation&_type=Practitioner")
    assert told(tasks, "match") == {"Task/visit", "Observation/weight"}
    assert told(tasks, "include") == {"Practitioner/nurse"}

    since = record.get("/fhir/Task/visit").json()["meta"]["lastUpdated"].replace("+", "%2B")
    changed = record.get(f"/fhir/Patient/p/$everything?_since={since}")
    assert told(changed, "match") == {"Task/visit"}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_pages_hold_the_record_once(record: httpx.Client, count: int) -> None:
    page = record.get(f"/fhir/Patient/p/$everything?_count={count}")
    seen: list[str] = []
    beside: set[str] = set()
    while True:
        matches = told(page, "match")
        assert 0 < len(matches) <= count
        seen += matches
        beside |= told(page, "include")
        links = {one["relation"]: one["url"] for one in page.json()["link"]}
        if "next" not in links:
            break
        page = record.get(links["next"])
    assert (sorted(seen), beside) == (sorted(PERSON), BESIDE)
    assert told(record.get(links["prev"]), "match").isdisjoint(told(page, "match"))
    assert record.get(f"{links['self']}&_type=Task").status_code == 400


def test_the_record_of_nobody_is_not_there(record: httpx.Client) -> None:
    assert record.get("/fhir/Patient/none/$everything").status_code == 404
    assert record.put("/fhir/Patient/gone", json={"resourceType": "Patient", "id": "gone"}).is_success
    assert record.delete("/fhir/Patient/gone").is_success
    assert record.get("/fhir/Patient/gone/$everything").status_code == 410


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("start=noon", "parameter-malformed"),
        ("start=2021&end=2020", "parameter-malformed"),
        ("_type=Visit", "unknown-resource-type"),
        ("_count=-1", "parameter-malformed"),
        ("_since=noon", "parameter-malformed"),
        ("colour=red", "unknown-parameter"),
        ("_page=none", "page-link"),
    ],
)
def test_what_cannot_be_understood_is_refused(shared: httpx.Client, query: str, rule: str) -> None:
    answer = shared.get(f"/fhir/Patient/$everything?{query}")
    assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (400, rule)


def test_what_comes_with_a_record_may_be_of_many_types_under_one_id(operator: httpx.Client) -> None:
    more: dict[str, dict[str, Any]] = {
        "Organization": {"name": "Ward"},
        "Questionnaire": {"status": "draft"},
        "Measure": {"status": "draft"},
        "PlanDefinition": {"status": "draft"},
        "ActivityDefinition": {"status": "draft"},
        "Library": {"status": "draft", "type": {"text": "rules"}},
        "Substance": {"code": {"text": "salt"}},
    }
    plain = ("Location", "HealthcareService", "PractitionerRole", "Practitioner", "Medication", "Device")
    referred = {f"{kind}/x": more.get(kind, {}) for kind in (*more, *plain)}
    noted = {"status": "current", "mode": "working", "subject": {"reference": "Patient/r"}}
    noted["entry"] = [{"item": {"reference": name}} for name in referred]
    resources = {"Patient/r": {}, "List/noted": noted} | referred
    entries = [
        {
            "resource": {"resourceType": name.partition("/")[0], "id": name.partition("/")[2]} | content,
            "request": {"method": "PUT", "url": name},
        }
        for name, content in resources.items()
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert operator.post("/fhir", json=bundle).status_code == 200
    found = operator.get("/fhir/Patient/r/$everything").json()["entry"]
    assert {"/".join(one["fullUrl"].split("/")[-2:]) for one in found} == {*resources}
