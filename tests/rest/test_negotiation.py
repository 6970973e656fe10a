"""Task/$next-steps, Task/$validate-transition and the rules as ConceptMaps, over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.coordination.negotiation.profile import STATUSES
from tests.rest.parties import (
    CLINIC,
    HOME_CARE,
    STRANGER,
    WARD,
    Party,
    created,
    moved,
    person,
    put,
    read,
    reason,
    task,
    unit,
)

ANOTHER = {"resourceType": "Task", "id": "another", "status": "draft", "intent": "order"}
REPORT = [{"type": {"text": "Rapport"}, "valueString": "Gjort"}]


def parts(parameters: list[Any], name: str) -> list[Any]:
    """The values of the parameters of a name: parts as lists, resources and primitives as they are."""
    found = []
    for one in parameters:
        if one["name"] == name:
            value = next(value for key, value in one.items() if key not in ("name", "_valueString"))
            found.append(value)
    return found


def asked(client: httpx.Client, path: str, **query: str) -> list[Any]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["parameter"]
    return found


def steps(client: httpx.Client, one: dict[str, Any]) -> dict[str, list[str]]:
    """What may be done next, and what is needed for it."""
    told = asked(client, f"/fhir/Task/{one['id']}/$next-steps")
    return {parts(step, "status")[0]: parts(step, "need") for step in parts(told, "step")}


def issue(told: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = parts(told, "outcome")[0]["issue"][0]
    return found


@pytest.fixture
def one(shared: httpx.Client, party: Party) -> Iterator[dict[str, Any]]:
    yield created(party(WARD), task(person(shared)))


def test_each_party_is_told_its_own_next_steps(party: Party, one: dict[str, Any]) -> None:
    reasoned = ["statusReason.text"]
    assert steps(party(WARD), one) == {"cancelled": reasoned, "entered-in-error": reasoned}
    assert steps(party(HOME_CARE), one) == {
        "received": [],
        "accepted": [],
        "rejected": reasoned,
        "cancelled": reasoned,
        "in-progress": [],
    }
    told = asked(party(HOME_CARE), f"/fhir/Task/{one['id']}/$next-steps")
    assert (parts(told, "status"), parts(told, "role")) == (["requested"], ["owner"])
    accept = next(step for step in parts(told, "step") if parts(step, "status") == ["accepted"])
    named = next(part for part in accept if part["name"] == "name")
    swedish = named["_valueString"]["extension"][0]["extension"]
    assert (named["valueString"], swedish[1]["valueString"]) == ("Take it on", "Ta uppdraget")


def test_whoever_may_not_know_of_the_task_has_no_next_steps(party: Party, one: dict[str, Any]) -> None:
    for code in ("next-steps", "validate-transition?status=accepted"):
        assert party(STRANGER).get(f"/fhir/Task/{one['id']}/${code}").status_code == 404


def test_what_next_steps_lists_is_what_a_write_is_allowed(shared: httpx.Client, party: Party) -> None:
    ward, home_care = party(WARD), party(HOME_CARE)
    for begun in ([], ["accepted"], ["accepted", "in-progress"], ["accepted", "in-progress", "on-hold"]):
        for client in (ward, home_care):
            one = created(ward, task(person(shared)))
            for status in begun:
                moved(home_care, one, status, statusReason=reason())
            offered = set(steps(client, one))
            now = read(client, one)["status"]
            refused = [s for s in STATUSES if s not in offered and s != now]
            for status in refused:
                answer = put(client, one, status=status, statusReason=reason(), output=REPORT)
                assert answer.status_code in (403, 422), (now, status, answer.text)
            # The first that is listed is taken: the others would be of another Task by then.
            if offered:
                taken = sorted(offered)[0]
                given = {"output": REPORT} if taken == "completed" else {"statusReason": reason()}
                assert put(client, one, status=taken, **given).status_code == 200, (now, taken)


def test_the_list_of_ones_own_tasks_has_those_that_go_on_the_latest_first(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    ward, home_care = party(WARD), party(HOME_CARE)
    first, second, ended, others = (created(ward, task(patient)) for _ in range(4))
    moved(home_care, ended, "rejected", statusReason=reason())
    moved(home_care, first, "accepted")
    created(party(CLINIC), task(person(shared), requester=unit(CLINIC), owner=unit(STRANGER)))
    told = asked(home_care, "/fhir/Task/$next-steps", _count="500")
    listed = [parts(one, "reference")[0]["reference"] for one in parts(told, "task")]
    mine = [f"Task/{one['id']}" for one in (first, others, second)]
    assert [one for one in listed if one in {*mine, f"Task/{ended['id']}"}] == mine
    assert all(set(parts(one, "role")) - {"member", "other"} for one in parts(told, "task"))
    assert parts(asked(home_care, "/fhir/Task/$next-steps", _count="1"), "complete") == [False]


def test_an_open_task_is_listed_for_its_candidates_and_claimed_by_one(shared: httpx.Client, party: Party) -> None:
    invited = {"recipient": [unit(HOME_CARE), unit(CLINIC)]}
    open_to = created(party(WARD), task(person(shared), owner=None, restriction=invited))
    assert steps(party(CLINIC), open_to) == {"received": ["owner"], "accepted": ["owner"]}
    moved(party(HOME_CARE), open_to, "accepted", owner=unit(HOME_CARE))
    assert steps(party(CLINIC), open_to) == {}
    assert put(party(CLINIC), open_to, status="accepted", owner=unit(CLINIC)).status_code in (403, 409)


def test_a_dry_run_says_what_a_write_would_and_changes_nothing(party: Party, one: dict[str, Any]) -> None:
    before = read(party(WARD), one)
    path = f"/fhir/Task/{one['id']}/$validate-transition"
    told = asked(party(WARD), path, status="accepted")
    assert parts(told, "result") == [False]
    refused = put(party(WARD), one, status="accepted")
    assert refused.status_code == 403
    assert issue(told) == refused.json()["issue"][0]
    told = asked(party(HOME_CARE), path, status="rejected")
    assert (parts(told, "result"), parts(told, "need")) == ([True], ["statusReason.text"])
    whole = before | {"status": "rejected"}
    answer = party(HOME_CARE).post(path, json=whole).json()["parameter"]
    assert parts(answer, "result") == [False]
    assert issue(answer)["expression"] == ["Task.statusReason"]
    answer = party(HOME_CARE).post(path, json=whole | {"statusReason": reason()}).json()["parameter"]
    assert parts(answer, "result") == [True]
    sent = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "accepted"}]}
    assert parts(party(HOME_CARE).post(path, json=sent).json()["parameter"], "result") == [True]
    assert read(party(WARD), one) == before


def test_a_task_that_would_be_created_is_judged_as_one(shared: httpx.Client, party: Party) -> None:
    body = task(person(shared))
    path = "/fhir/Task/$validate-transition"
    assert parts(party(WARD).post(path, json=body).json()["parameter"], "result") == [True]
    told = party(HOME_CARE).post(path, json=body).json()["parameter"]
    assert issue(told)["details"]["coding"][1]["code"] == "C-6"
    told = party(WARD).post(path, json=body | {"status": "accepted"}).json()["parameter"]
    assert issue(told)["details"]["coding"][1]["code"] == "C-5"


def test_the_operator_is_bound_by_no_rule(shared: httpx.Client, one: dict[str, Any]) -> None:
    told = asked(shared, f"/fhir/Task/{one['id']}/$validate-transition", status="completed")
    assert parts(told, "result") == [True]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("{id}/$validate-transition", {"resourceType": "Parameters"}, 400),
        ("$validate-transition", {"resourceType": "Parameters", "parameter": []}, 400),
        (
            "{id}/$validate-transition",
            {"resourceType": "Task", "id": "another", "status": "draft", "intent": "order"},
            400,
        ),
        ("{id}/$validate-transition", {"resourceType": "Task", "status": "none", "intent": "order"}, 422),
        ("{id}/$validate-transition", {"resourceType": "Task", "intent": "order"}, 422),
        ("$next-steps?_count=0", None, 400),
        ("$next-steps?_count=501", None, 400),
        ("$next-steps?none=1", None, 400),
        ("{id}/$next-steps?_count=1", None, 400),
        ("{id}/$validate-transition?status=none", None, 400),
        ("none/$next-steps", None, 404),
    ],
)
def test_a_question_that_is_none_is_refused(
    party: Party, one: dict[str, Any], path: str, body: dict[str, Any] | None, status: int
) -> None:
    address = "/fhir/Task/" + path.format(id=one["id"])
    client = party(WARD)
    answer = client.get(address) if body is None else client.post(address, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_the_rules_are_read_and_translated_as_a_concept_map(party: Party) -> None:
    client = party(WARD)
    for name in ("default", "scp-0.3", "orca", "gravity"):
        served = client.get(f"/fhir/ConceptMap/task-rules-{name}").json()
        assert served["url"].endswith(f"/ConceptMap/task-rules-{name}")
    words = "https://samverka.example/fhir/CodeSystem/task-rules"
    owner = {"coding": [{"system": words, "code": "owner"}]}
    question = [
        {"name": "url", "valueUri": "https://samverka.example/fhir/ConceptMap/task-rules-default"},
        {"name": "system", "valueUri": "http://hl7.org/fhir/task-status"},
        {"name": "code", "valueCode": "in-progress"},
        {
            "name": "dependency",
            "part": [
                {"name": "element", "valueUri": f"{words}#role"},
                {"name": "concept", "valueCodeableConcept": owner},
            ],
        },
    ]
    answer = client.post("/fhir/ConceptMap/$translate", json={"resourceType": "Parameters", "parameter": question})
    assert answer.status_code == 200, answer.text
    found = {parts(match, "concept")[0]["code"] for match in parts(answer.json()["parameter"], "match")}
    assert found == {"completed", "failed", "on-hold"}
