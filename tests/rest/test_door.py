"""Who may see and write what: the operator on loopback, organisations by their part in the care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from gateway.store.audit import AuditRow

HSA = "urn:oid:1.2.752.29.4.19"
HOME_CARE, WARD, STRANGER = "SE2120001348-T0100", "SE2321000131-T0110", "SE2321000081-T0100"
Clients = Callable[..., httpx.Client]


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


@pytest.fixture
def task(operator: httpx.Client) -> str:
    """A Task of a person, asked for by the ward, owned by home care."""
    operator.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    body = {
        "resourceType": "Task",
        "id": "t",
        "status": "requested",
        "intent": "order",
        "for": {"reference": "Patient/p"},
        "requester": unit(WARD),
        "owner": unit(HOME_CARE),
    }
    assert operator.put("/fhir/Task/t", json=body).status_code == 201
    return "/fhir/Task/t"


def test_those_who_take_part_in_the_care_see_it_and_others_do_not(task: str, client_of: Clients) -> None:
    assert client_of(HOME_CARE).get(task).status_code == 200
    assert client_of(WARD).get("/fhir/Patient/p").status_code == 200
    assert client_of(STRANGER).get(task).status_code == 404


def test_what_may_not_be_seen_is_not_found_by_any_path(task: str, client_of: Clients) -> None:
    stranger = client_of(STRANGER)

    assert stranger.get("/fhir/Task").json()["total"] == 0
    assert stranger.get("/fhir/Task?status=requested&_total=accurate").json()["total"] == 0
    assert stranger.get(f"{task}/_history").status_code == 404
    assert stranger.get("/fhir/Patient/p/$who-does-what").status_code == 404
    assert stranger.get("/fhir/Patient?_revinclude=Task:patient").json().get("entry") is None
    assert client_of(WARD).get("/fhir/Task").json()["total"] == 1


def test_who_may_not_read_gets_not_found_on_writes_too(task: str, operator: httpx.Client, client_of: Clients) -> None:
    body = operator.get(task).json() | {"status": "accepted"}

    assert client_of(STRANGER).put(task, json=body).status_code == 404
    assert client_of(STRANGER).delete(task).status_code == 404
    assert operator.get(task).json()["status"] == "requested"


def test_the_word_of_the_owner_is_agreed_with_what_was_said_before(
    task: str, operator: httpx.Client, client_of: Clients
) -> None:
    body = {k: v for k, v in operator.get(task).json().items() if k != "meta"} | {"status": "accepted"}

    written = client_of(HOME_CARE).put(task, json=body)
    assert written.status_code == 200, written.text
    assert operator.get(task).json()["status"] == "accepted"


def test_the_directory_is_open_to_read_and_closed_to_write(operator: httpx.Client, client_of: Clients) -> None:
    operator.put("/fhir/Organization/o", json={"resourceType": "Organization", "id": "o", "name": "Vårdcentralen"})
    stranger = client_of(STRANGER)

    assert stranger.get("/fhir/Organization/o").status_code == 200
    assert stranger.get("/fhir/Organization?name=vard").json()["total"] == 1
    refused = stranger.put("/fhir/Organization/o", json={"resourceType": "Organization", "id": "o", "name": "x"})
    assert refused.status_code == 403


def test_a_record_without_care_provider_is_kept_from_other_providers(
    operator: httpx.Client, task: str, client_of: Clients
) -> None:
    label = {"system": "https://samverka.example/fhir/CodeSystem/security-label", "code": "own-provider-only"}
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "meta": {"security": [label]},
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/p"},
    }
    assert operator.put("/fhir/Encounter/e", json=encounter).status_code == 201

    home_care = client_of(HOME_CARE)
    assert home_care.get("/fhir/Encounter/e").status_code == 404
    assert home_care.get("/fhir/Encounter").json()["total"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"host": "elsewhere.example"},
        {"x-forwarded-for": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer abc"},
    ],
)
def test_nobody_becomes_the_operator_through_another_site_or_a_proxy(address: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{address}/fhir/Patient", headers=headers)

    assert answer.status_code == 401
    assert "bearer" in answer.headers["www-authenticate"].lower()


def test_every_decision_is_audited_with_its_rule(task: str, client_of: Clients, gateway: Gateway) -> None:
    client_of(STRANGER).get(task)
    client_of(WARD).get(task)

    rows = gateway.store.read(lambda uow: list(uow.audit.latest(limit=3)))
    outcomes = [(row.event["outcome"], row.event["outcomeDesc"]) for row in rows]
    assert ("4", "no-part-in-the-care") in outcomes
    assert ("0", "takes-part-in-the-care") in outcomes
    denied = next(row.event for row in rows if row.event["outcome"] == "4")
    assert "Task/t" not in str(denied["entity"])


def test_asking_who_does_what_for_nobody_is_audited_too(client_of: Clients, gateway: Gateway) -> None:
    assert client_of(WARD).get("/fhir/Patient/none/$who-does-what").status_code == 404

    (row,) = gateway.store.read(lambda uow: list(uow.audit.latest(limit=3)))
    assert (row.event["outcome"], row.event["outcomeDesc"]) == ("4", "not-found")


def test_the_page_gives_no_identity_to_a_name_that_was_bound_anew(address: str, gateway: Gateway) -> None:
    known = gateway.test_identities()[0]
    for host, given in ((address.removeprefix("http://"), True), ("elsewhere.example", False)):
        headers = {"host": host, "origin": f"http://{host}"}
        answer = httpx.post(f"{address}/identity", headers=headers, data={"identity": known.hsa_id})
        assert (known.token in answer.headers.get("set-cookie", "")) is given


def test_whoever_sees_several_persons_at_once_is_recorded_for_each_of_them(
    operator: httpx.Client, gateway: Gateway
) -> None:
    for id in ("p1", "p2"):
        operator.put(f"/fhir/Patient/{id}", json={"resourceType": "Patient", "id": id})
    before = len(audited(gateway))
    assert operator.get("/fhir/Patient?_revinclude=Task:patient").json()["total"] == 2

    events = audited(gateway)[: len(audited(gateway)) - before]
    assert {row.person for row in events} == {"p1", "p2"}
    assert all(str(row.person) in str(row.event["entity"]) for row in events)
    assert not any("p1" in str(row.event) and "p2" in str(row.event) for row in events)


def test_a_message_of_another_s_source_is_as_unknown_as_one_that_is_none(
    operator: httpx.Client, client_of: Clients, gateway: Gateway
) -> None:
    kept = operator.post("/ingest/municipal-csv", content=b"x", headers={"content-type": "text/csv"}).json()["id"]
    stranger = client_of(STRANGER)

    def told(path: str) -> tuple[int, str]:
        return stranger.get(path).status_code, stranger.get(path).json()["issue"][0]["details"]["text"]

    assert told(f"/ingest/municipal-csv/{kept}") == told("/ingest/municipal-csv/none") == told(f"/ingest/none/{kept}")
    assert operator.get(f"/ingest/municipal-csv/{kept}").status_code == 200
    assert stranger.post("/ingest/municipal-csv", content=b"x").status_code == 404
    assert "not-its-own-source" in {row.event["outcomeDesc"] for row in audited(gateway)}


def audited(gateway: Gateway) -> list[AuditRow]:
    return list(gateway.store.read(lambda uow: uow.audit.latest(limit=1000)))
