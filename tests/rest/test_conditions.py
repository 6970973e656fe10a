"""Conditional create, read, update and delete: R4's outcomes, and that two at once make one resource.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.app import Gateway

PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": "1"}], "active": True}
ONE = "identifier=urn:test|1"
NURSES = "SE2120001348-T0100"


def rule(answer: httpx.Response) -> str:
    code: str = answer.json()["issue"][0]["details"]["coding"][0]["code"]
    return code


def create(client: httpx.Client, resource: dict[str, Any], condition: str) -> httpx.Response:
    return client.post(f"/fhir/{resource['resourceType']}", json=resource, headers={"if-none-exist": condition})


def count(client: httpx.Client, query: str = ONE) -> int:
    total: int = client.get(f"/fhir/Patient?{query}").json()["total"]
    return total


def test_what_is_created_where_nothing_is_is_found_the_next_time(operator: httpx.Client) -> None:
    first = create(operator, PATIENT, ONE)
    again = create(operator, PATIENT | {"gender": "male"}, f"Patient?{ONE}")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert "gender" not in again.json()
    operator.post("/fhir/Patient", json=PATIENT)
    assert rule(several := create(operator, PATIENT, ONE)) == "condition-meets-several"
    assert several.status_code == 412
    assert count(operator) == 2


@pytest.mark.parametrize(
    "condition", ["identifier=urn:test|1", "active=true&family:missing=true"], ids=["identifier", "other"]
)
def test_of_those_who_create_at_once_one_does(operator: httpx.Client, condition: str) -> None:
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: create(operator, PATIENT, condition), range(6)))

    assert sorted(one.status_code for one in answers) == [200] * 5 + [201]
    assert len({one.headers["location"] for one in answers}) == 1
    assert count(operator) == 1


def test_conditions_that_say_the_same_in_other_words_meet_each_other(operator: httpx.Client) -> None:
    words = [ONE, "identifier=1", "identifier=urn:test%7C1&active=true"] * 2

    with ThreadPoolExecutor(6) as clients:
        statuses = sorted(one.status_code for one in clients.map(lambda one: create(operator, PATIENT, one), words))
    assert statuses == [200] * 5 + [201]


def test_a_conditional_update_makes_or_replaces_what_meets_it(operator: httpx.Client) -> None:
    def put(resource: dict[str, Any], condition: str = ONE, if_match: str = "") -> httpx.Response:
        headers = {"if-match": if_match} if if_match else {}
        return operator.put(f"/fhir/Patient?{condition}", json=resource, headers=headers)

    made = put(PATIENT)
    id = made.json()["id"]
    assert made.status_code == 201

    replaced = put(PATIENT | {"gender": "male"})
    assert replaced.status_code == 200
    assert replaced.json()["id"] == id and replaced.json()["gender"] == "male"
    assert put(PATIENT | {"id": id}).status_code == 200

    wrong_id = put(PATIENT | {"id": "another"})
    assert (wrong_id.status_code, rule(wrong_id)) == (400, "id-differs")
    assert wrong_id.json()["issue"][0]["expression"] == ["Patient.id"]

    other = PATIENT | {"id": "own", "identifier": [{"system": "urn:test", "value": "2"}]}
    assert put(other, "identifier=urn:test|2").status_code == 201
    assert operator.get("/fhir/Patient/own").status_code == 200
    taken = put(other, "identifier=urn:test|3")
    assert (taken.status_code, rule(taken)) == (409, "id-taken")

    stale = put(PATIENT, if_match='W/"other"')
    assert (stale.status_code, rule(stale)) == (412, "version-differs")
    several = put(PATIENT, "identifier=1,2")
    assert (several.status_code, rule(several)) == (412, "condition-meets-several")


def test_updates_may_ask_that_nothing_is_there(operator: httpx.Client) -> None:
    nothing, body = {"if-none-match": "*"}, PATIENT | {"id": "own"}

    assert operator.put("/fhir/Patient/own", json=body, headers=nothing).status_code == 201
    there = operator.put("/fhir/Patient/own", json=body | {"gender": "male"}, headers=nothing)
    assert (there.status_code, rule(there)) == (412, "version-exists")
    operator.delete("/fhir/Patient/own")
    assert operator.put("/fhir/Patient/own", json=body, headers=nothing).status_code == 201


def test_if_match_takes_several_versions_and_any(operator: httpx.Client) -> None:
    body = PATIENT | {"id": "own"}
    made = operator.put("/fhir/Patient/own", json=body)
    listed = {"if-match": f'W/"other", {made.headers["etag"]}'}

    assert operator.put("/fhir/Patient/own", json=body | {"gender": "male"}, headers=listed).status_code == 200
    assert operator.put("/fhir/Patient/own", json=body, headers={"if-match": "*"}).status_code == 200
    assert operator.put("/fhir/Patient/new", json=PATIENT | {"id": "new"}, headers={"if-match": "*"}).status_code == 412
    assert operator.delete("/fhir/Patient/own", headers={"if-match": '"other"'}).status_code == 412


def test_a_conditional_delete_deletes_all_that_meets_it(operator: httpx.Client) -> None:
    for number in "123":
        operator.post("/fhir/Patient", json=PATIENT | {"identifier": [{"system": "urn:test", "value": number}]})

    assert operator.delete("/fhir/Patient?identifier=urn:test|4").status_code == 204
    assert operator.delete("/fhir/Patient?identifier=urn:test|1,urn:test|2").status_code == 204
    assert count(operator, "active=true") == 1
    assert operator.get("/fhir/metadata").json()["rest"][0]["resource"][0]["conditionalDelete"] == "multiple"


@pytest.mark.parametrize(
    ("query", "status", "wanted"),
    [
        ("", 400, "condition-missing"),
        ("?_format=json", 400, "condition-missing"),
        ("?identifier=&active=true", 400, "condition-missing"),
        ("?_count=1&active=true", 400, "condition-not-criteria"),
        ("?active=true&_sort=name", 400, "condition-not-criteria"),
        ("?colour=red", 400, "unknown-search-parameter"),
        ("?birthdate=soon", 400, "malformed-search-value"),
    ],
)
def test_a_condition_that_says_nothing_certain_is_refused(
    operator: httpx.Client, query: str, status: int, wanted: str
) -> None:
    operator.post("/fhir/Patient", json=PATIENT)
    lenient = {"prefer": "handling=lenient"}
    for answer in (
        operator.delete(f"/fhir/Patient{query}", headers=lenient),
        operator.put(f"/fhir/Patient{query}", json=PATIENT, headers=lenient),
    ):
        assert (answer.status_code, rule(answer)) == (status, wanted)
    assert count(operator) == 1


def test_a_reader_who_has_the_version_is_told_so(operator: httpx.Client) -> None:
    made = operator.put("/fhir/Patient/own", json=PATIENT | {"id": "own"})

    def read(**headers: str) -> httpx.Response:
        return operator.get("/fhir/Patient/own", headers={name.replace("_", "-"): v for name, v in headers.items()})

    same = read(if_none_match=made.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == made.headers["etag"]
    assert read(if_none_match="*").status_code == 304
    assert read(if_none_match='W/"other"').status_code == 200
    assert read(if_modified_since=made.headers["last-modified"]).status_code == 304
    assert read(if_modified_since="Thu, 01 Jan 2015 00:00:00 GMT").status_code == 200
    assert read(if_modified_since="soon").status_code == 200
    both = read(if_none_match='W/"other"', if_modified_since=made.headers["last-modified"])
    assert both.status_code == 200
    assert read(if_none_match="nonsense").status_code == 400


def test_a_condition_sees_what_the_caller_may_see(
    operator: httpx.Client, client_of: Callable[..., httpx.Client], gateway: Gateway
) -> None:
    task = {
        "resourceType": "Task",
        "identifier": [{"system": "urn:test", "value": "1"}],
        "status": "requested",
        "intent": "order",
        "for": {"reference": "Patient/p"},
        "requester": {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": NURSES}},
    }
    operator.put("/fhir/Patient/p", json=PATIENT | {"id": "p"})
    operator.post("/fhir/Task", json=task | {"for": {"reference": "Patient/q"}, "requester": {"display": "Somebody"}})
    nurses = client_of(NURSES)

    # The operator's Task is not there for the nurses: they make one of their own, and then it is found.
    assert [create(nurses, task, ONE).status_code for _ in range(2)] == [201, 200]
    assert nurses.delete(f"/fhir/Organization?{ONE}").status_code == 204
    last = gateway.store.read(lambda uow: uow.audit.latest(limit=4))
    assert [row.event["subtype"][0]["code"] for row in last][:3] == ["delete", "create", "create"]
