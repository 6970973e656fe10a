"""What the case files of bundles cannot say: who may do it, what is recorded, XML, bounds, and several at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.app import Gateway
from gateway.definitions import load
from gateway.fhir import xml
from gateway.fhir.entries import MOST
from gateway.rest.format import XML

NURSES, STRANGER = "SE2120001348-T0100", "SE2321000081-T0100"
PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:test", "value": "1"}]}
URN = "urn:uuid:00000000-0000-4000-8000-000000000001"


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **request: str) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url} | request}
    return made if resource is None else made | {"resource": resource}


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def task(requester: str = NURSES, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "for": {"reference": "Patient/p"},
        "requester": {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": requester}},
    } | more


def encounter() -> dict[str, Any]:
    subject = {"reference": "Patient/p"}
    return {"resourceType": "Encounter", "status": "planned", "class": {"code": "HH"}, "subject": subject}


def recorded(gateway: Gateway, count: int) -> list[tuple[str, str]]:
    """The latest decisions: interaction and outcome, oldest first."""
    rows = gateway.store.read(lambda uow: uow.audit.latest(limit=count))
    found = sorted(rows, key=lambda row: (row.recorded, row.number))
    return [(row.event["subtype"][0]["code"], row.event["outcome"]) for row in found]


def rule(answer: httpx.Response) -> str:
    code: str = answer.json()["issue"][0]["details"]["coding"][0]["code"]
    return code


def test_each_entry_leaves_its_decision_in_the_audit_trail(operator: httpx.Client, gateway: Gateway) -> None:
    entries = (entry("PUT", "Patient/p", PATIENT), entry("POST", "Task", task()), entry("GET", "Patient/p"))

    assert operator.post("/fhir", json=bundle(*entries)).status_code == 200
    assert recorded(gateway, 3) == [("update", "0"), ("create", "0"), ("read", "0")]

    undone = operator.post("/fhir", json=bundle(entry("POST", "Task", task()), entry("GET", "Patient/nobody")))
    assert undone.status_code == 404
    assert recorded(gateway, 1) == [("read", "4")]
    assert operator.get("/fhir/Task").json()["total"] == 1


def test_what_the_caller_may_not_do_undoes_the_whole_and_is_recorded(
    operator: httpx.Client, client_of: Callable[..., httpx.Client], gateway: Gateway
) -> None:
    operator.put("/fhir/Patient/p", json=PATIENT)
    nurses, stranger = client_of(NURSES), client_of(STRANGER)

    # Who asks for somebody's care takes part in it, from the same transaction on.
    assert (
        nurses.post(
            "/fhir", json=bundle(entry("POST", "Encounter", encounter()), entry("POST", "Task", task()))
        ).status_code
        == 200
    )

    refused = stranger.post("/fhir", json=bundle(entry("POST", "Encounter", encounter())))
    assert (refused.status_code, rule(refused)) == (403, "no-part-in-the-care")
    assert refused.json()["issue"][0]["expression"] == ["Bundle.entry[0].request"]
    assert recorded(gateway, 1) == [("create", "4")]
    hidden = stranger.post("/fhir", json=bundle(entry("DELETE", "Patient/p"), entry("GET", "Patient/p")))
    assert (hidden.status_code, rule(hidden)) == (404, "resource-unknown")
    unseen = task(STRANGER, focus={"reference": "Patient?identifier=urn:test|1"})
    sought = stranger.post("/fhir", json=bundle(entry("POST", "Task", unseen | {"for": {"display": "Somebody"}})))
    assert (sought.status_code, rule(sought)) == (412, "condition-unmet")
    assert operator.get("/fhir/Encounter").json()["total"] == 1


def test_a_bundle_may_be_xml_and_be_answered_in_it(operator: httpx.Client) -> None:
    sent = xml.dump(bundle(entry("PUT", "Patient/p", PATIENT), entry("GET", "Patient/p")), load())

    answer = operator.post("/fhir", content=sent, headers={"content-type": XML})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(XML)
    read = xml.parse(answer.content, load())
    assert read["type"] == "transaction-response"
    assert read["entry"][1]["resource"]["id"] == "p"


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_what_was_sent_is_kept_once_and_each_statement_knows_its_entry(
    operator: httpx.Client, gateway: Gateway, kind: str
) -> None:
    raw = json.dumps(bundle(entry("GET", "Task"), entry("PUT", "Patient/p", PATIENT), kind=kind), indent=1).encode()

    assert operator.post("/fhir", content=raw).status_code == 200
    (said,) = gateway.store.read(lambda uow: uow.statements.of_resources([("Patient", "p")]))
    assert said.item == 1
    assert gateway.store.read(lambda uow: uow.inbox.get(said.inbox_id or "")).body == raw  # type: ignore[union-attr]
    assert len(gateway.store.read(lambda uow: uow.inbox.entries())) == 1
    shown = gateway.door.source_record(Asking(OPERATOR, "source-record"), "p", said.digest)
    text = "".join(piece.text for line in shown.lines for piece in line.pieces)
    assert '"Patient/p"' in text and '"Task"' not in text


def test_of_transactions_that_create_the_same_at_once_one_does(operator: httpx.Client) -> None:
    patient = {name: value for name, value in PATIENT.items() if name != "id"}
    whole = bundle(
        entry("POST", "Patient", patient, ifNoneExist="identifier=urn:test|1") | {"fullUrl": URN},
        entry("POST", "Task", task(**{"for": {"reference": URN}})),
    )

    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: operator.post("/fhir", json=whole), range(6)))
    assert {one.status_code for one in answers} == {200}
    statuses = sorted(one.json()["entry"][0]["response"]["status"] for one in answers)
    assert statuses == ["200 OK"] * 5 + ["201 Created"]
    (found,) = operator.get("/fhir/Patient").json()["entry"]
    about = f"Patient/{found['resource']['id']}"
    assert operator.get("/fhir/Task", params={"patient": about}).json()["total"] == 6


def test_transactions_over_the_same_resources_in_any_order_do_not_stop_each_other(operator: httpx.Client) -> None:
    def write(number: int) -> int:
        ids = ["a", "b", "c", "d"]
        ids = ids if number % 2 else ids[::-1]
        entries = [
            entry("PUT", f"Patient/{id}", {"resourceType": "Patient", "id": id, "multipleBirthInteger": number})
            for id in ids
        ]
        return operator.post("/fhir", json=bundle(*entries)).status_code

    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(write, range(8))) == {200}
    numbers = {operator.get(f"/fhir/Patient/{id}").json()["multipleBirthInteger"] for id in "abcd"}
    assert len(numbers) == 1


def test_more_entries_than_are_taken_are_refused_at_once(operator: httpx.Client) -> None:
    refused = operator.post("/fhir", json=bundle(*[entry("GET", "Task")] * (MOST + 1)))
    assert (refused.status_code, rule(refused)) == (413, "too-many-entries")


def test_it_is_announced(operator: httpx.Client) -> None:
    announced = operator.get("/fhir/metadata").json()["rest"][0]["interaction"]
    assert {"transaction", "batch"} <= {one["code"] for one in announced}
