"""Organization/$worklist: what waits for an organisation, what it waits for, what has changed; and who is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.settings import Settings

HSA = "urn:oid:1.2.752.29.4.19"
ADVICE, NURSES, AMBULANCE, TOWN = "SE2321000131-W300", "SE2120001348-W100", "SE2321000131-W200", "SE2120001348-W000"
UNITS = {ADVICE: "1177", NURSES: "Home health care", AMBULANCE: "Ambulance", TOWN: "Town"}


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}, "display": UNITS[hsa_id]}


def task(id: str, status: str, owner: str | None, requester: str = ADVICE, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": id,
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/mission", "code": "1177-uppdrag"}]},
        "for": {"reference": "Patient/p"},
        "authoredOn": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(),
        "requester": unit(requester),
    }
    return made | ({"owner": unit(owner)} if owner else {}) | more


@pytest.fixture(scope="module")
def wired(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, str]]:
    path = tmp_path_factory.mktemp("worklist") / "worklist.db"
    shutil.copy(sqlite_template, path)
    gateway = wire(Settings(database_url=f"sqlite:///{path}"))
    with background(gateway) as base:
        yield gateway, base
    gateway.close()


def nurses(wired: tuple[Gateway, str], controller: str = NURSES) -> httpx.Client:
    """A client that speaks for home health care."""
    token = wired[0].identities.token(Caller("organisation", NURSES, "Nurses", controller))
    return httpx.Client(base_url=wired[1], headers={"authorization": f"Bearer {token}"}, timeout=60)


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    answer = client.put(path, content=json.dumps(resource), headers={"content-type": "application/fhir+json"})
    assert answer.is_success, answer.text


@pytest.fixture(scope="module")
def board(wired: tuple[Gateway, str]) -> Iterator[httpx.Client]:
    """One person; four units; missions of 1177 in every state that matters."""
    with httpx.Client(base_url=wired[1], timeout=60) as operator:
        _fill(partial(put, operator))
        yield operator


def _fill(put: Callable[[dict[str, Any]], None]) -> None:

    for hsa_id, name in UNITS.items():
        identifier = [{"system": HSA, "value": hsa_id}]
        put({"resourceType": "Organization", "id": hsa_id, "name": name, "identifier": identifier})
    put({"resourceType": "Patient", "id": "p", "name": [{"text": "Person"}]})
    hour = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    put(task("offered", "requested", NURSES))
    put(task("late", "requested", NURSES, authoredOn=hour))
    put(task("stat", "requested", NURSES, priority="stat"))
    put(task("urgent", "requested", NURSES, priority="urgent"))
    put(task("open", "requested", None, restriction={"recipient": [unit(NURSES), unit(AMBULANCE)]}))
    put(task("unasked", "requested", None))
    for status in ("requested", "accepted"):
        put(task("held", status, NURSES))
    for status in ("requested", "rejected"):
        put(task("declined", status, AMBULANCE, statusReason={"text": "Ingen bil"}))
        put(task("first", status, AMBULANCE, groupIdentifier={"value": "g"}, authoredOn=hour))
    put(task("second", "requested", NURSES, groupIdentifier={"value": "g"}))
    for status in ("requested", "accepted", "in-progress", "completed"):
        output = [{"type": {"text": "Report"}, "valueString": "Well"}] if status == "completed" else []
        put(task("done", status, AMBULANCE, **({"output": output} if output else {})))


def lists(client: httpx.Client, hsa_id: str, query: str = "") -> dict[str, list[tuple[str, str]]]:
    """Each list by its code: the Tasks' ids, each with why it stands there."""
    answer = client.get(f"/fhir/Organization/{hsa_id}/$worklist{query}")
    assert answer.status_code == 200, answer.text
    found = [one["resource"] for one in answer.json()["entry"] if one["resource"]["resourceType"] == "List"]
    entries = {one["code"]["coding"][0]["code"]: one.get("entry", ()) for one in found}
    return {code: [(_task(entry), _why(entry)) for entry in some] for code, some in entries.items()}


def _task(entry: dict[str, Any]) -> str:
    return str(entry["item"]["reference"]).rpartition("/")[2]


def _why(entry: dict[str, Any]) -> str:
    return str(entry["flag"]["coding"][0]["code"]) if "flag" in entry else ""


def test_a_unit_is_told_what_waits_for_it_the_late_first_then_the_urgent(board: httpx.Client) -> None:
    told = lists(board, NURSES)
    # Two minutes for what is stat, thirty for a mission of 1177.
    assert told["waits"][:3] == [("stat", "answer"), ("late", "answer"), ("urgent", "answer")]
    rest = {("offered", "answer"), ("open", "claim"), ("held", "carry-out"), ("second", "answer")}
    assert set(told["waits"][3:]) == rest
    assert told["awaited"] == []


def test_who_asked_is_told_what_it_waits_for_and_what_comes_back_to_it(board: httpx.Client) -> None:
    told = lists(board, ADVICE)
    # Of a need that was asked again it is the last Task that counts.
    assert set(told["waits"]) == {("unasked", "ask"), ("declined", "ask"), ("done", "read")}
    offered = {(id, "answer") for id in ("offered", "late", "stat", "urgent", "open", "second")}
    assert set(told["awaited"]) == offered | {("held", "carry-out")}


def test_a_report_that_was_acknowledged_waits_no_longer(board: httpx.Client) -> None:
    said = {
        "resourceType": "Communication",
        "id": "read",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "partOf": [{"reference": "Task/done"}],
        "sender": unit(NURSES),
    }
    put(board, said)
    assert ("done", "read") in lists(board, ADVICE)["waits"], "it is for who asked to acknowledge"
    put(board, said | {"sender": unit(ADVICE)})
    assert ("done", "read") not in lists(board, ADVICE)["waits"]
    assert board.delete("/fhir/Communication/read").is_success


def test_what_has_changed_is_told_from_the_time_on_that_is_given(board: httpx.Client) -> None:
    before = board.get(f"/fhir/Organization/{NURSES}/$worklist").json()["timestamp"]
    put(board, task("refused", "rejected", NURSES, requester=TOWN))
    changed = lists(board, NURSES, f"?since={before.replace('+', '%2B')}")["changed"]
    assert changed == [("refused", "")]
    assert len(lists(board, NURSES)["changed"]) > 1


def test_the_answer_names_persons_and_units_and_is_valid_fhir(board: httpx.Client) -> None:
    answer = board.get(f"/fhir/Organization/{ADVICE}/$worklist")
    kinds = [one["resource"]["resourceType"] for one in answer.json()["entry"]]
    assert kinds[:4] == ["List", "List", "List", "Task"]
    assert {"Patient", "Organization"} <= set(kinds)
    sent = {"content-type": "application/fhir+json"}
    outcome = board.post("/fhir/Bundle/$validate", content=answer.content, headers=sent).json()
    assert not [one for one in outcome["issue"] if one["severity"] in ("error", "fatal")], outcome
    xml = board.get(f"/fhir/Organization/{ADVICE}/$worklist?_format=xml")
    assert xml.headers["content-type"].startswith("application/fhir+xml")


def test_the_lists_are_bounded_and_say_so(board: httpx.Client) -> None:
    answer = board.get(f"/fhir/Organization/{NURSES}/$worklist?_count=2").json()
    told = lists(board, NURSES, "?_count=2")
    assert [len(told["waits"]), len(told["changed"])] == [2, 2]
    (outcome,) = (one["resource"] for one in answer["entry"] if one["resource"]["resourceType"] == "OperationOutcome")
    assert outcome["issue"][0]["severity"] == "warning"


def test_it_is_told_to_the_organisation_itself_and_to_its_care_provider_alone(
    board: httpx.Client, wired: tuple[Gateway, str]
) -> None:
    with nurses(wired, TOWN) as nurse:
        assert lists(nurse, NURSES)["waits"] == lists(board, NURSES)["waits"]
        assert nurse.get(f"/fhir/Organization/{TOWN}/$worklist").status_code == 200
        refused = nurse.get(f"/fhir/Organization/{ADVICE}/$worklist")
        assert refused.status_code == 403
        assert refused.json()["issue"][0]["details"]["coding"][0]["code"] == "worklist-of-another"
        assert nurse.get("/fhir/Organization/none/$worklist").status_code == 404


def test_what_a_unit_may_not_see_is_not_on_its_list(board: httpx.Client, wired: tuple[Gateway, str]) -> None:
    kept = {"system": "https://samverka.example/fhir/CodeSystem/security-label", "code": "own-provider-only"}
    hidden = task("hidden", "requested", NURSES) | {"meta": {"security": [kept]}}
    put(board, hidden)
    assert "hidden" in {id for id, _ in lists(board, NURSES)["waits"]}
    with nurses(wired) as nurse:
        assert "hidden" not in {id for id, _ in lists(nurse, NURSES)["waits"]}
    assert board.delete("/fhir/Task/hidden").is_success


@pytest.mark.parametrize("query", ["?since=yesterday", "?since=2999-01-01", "?_count=0", "?_count=many", "?when=now"])
def test_what_cannot_be_asked_is_refused(board: httpx.Client, query: str) -> None:
    answer = board.get(f"/fhir/Organization/{NURSES}/$worklist{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
