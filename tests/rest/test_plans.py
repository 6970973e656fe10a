"""Plans and teams follow from the Tasks that organisations write, in one unit of work (C-22 to C-35)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway
from gateway.coordination.recorder import Recorder
from gateway.ingest.rebuild import rebuild

HSA = "urn:oid:1.2.752.29.4.19"
WARD, NURSES, CENTRE = "SE2321000131-T0110", "SE2120001348-T0100", "SE2321000131-T0400"
Client = Callable[..., httpx.Client]


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


def plan(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "CarePlan", "status": "active", "intent": "order"}
    return made | {"subject": {"reference": "Patient/p"}, "author": unit(WARD), "created": "2026-03-01"} | more


def task(owner: str, plan: str | None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Task", "status": "requested", "intent": "order"}
    made |= {"for": {"reference": "Patient/p"}, "requester": unit(WARD), "owner": unit(owner)}
    return made | ({"basedOn": [{"reference": f"CarePlan/{plan}"}]} if plan else {}) | more


def made(client: httpx.Client, resource: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post(f"/fhir/{resource['resourceType']}", json=resource, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = client.get(answer.headers["location"].partition("/_history")[0]).json()
    return found


def move(client: httpx.Client, task: dict[str, Any], status: str, **more: Any) -> httpx.Response:
    current = client.get(f"/fhir/Task/{task['id']}").json()
    return client.put(f"/fhir/Task/{task['id']}", json=current | {"status": status} | more)


def owners(client: httpx.Client, plan: str) -> list[tuple[str, bool]]:
    """Who has, or had, a Task of the plan in hand, and whether still."""
    team = client.get(f"/fhir/CareTeam/{plan}").json()
    return [
        (one["member"]["identifier"]["value"], "end" not in one["period"])
        for one in team["participant"]
        if one["role"][0]["coding"][0]["code"] == "owner"
    ]


@pytest.fixture
def ward(operator: httpx.Client, client_of: Client) -> httpx.Client:
    person = {"resourceType": "Patient", "id": "p", "managingOrganization": unit(WARD), "active": True}
    assert operator.put("/fhir/Patient/p", json=person).status_code == 201
    return client_of(WARD)


def test_plan_team_and_task_change_together_and_are_the_fold_of_the_statements(
    ward: httpx.Client, client_of: Client, gateway: Gateway
) -> None:
    """C-27, C-29, C-32."""
    of_care = made(ward, plan())["id"]
    asked = made(ward, task(NURSES, of_care))
    assert ward.get(f"/fhir/CarePlan/{of_care}").json()["activity"] == [
        {"reference": {"reference": f"Task/{asked['id']}"}}
    ]
    assert owners(ward, of_care) == []
    nurses = client_of(NURSES)
    assert move(nurses, asked, "accepted").status_code == 200
    assert owners(nurses, of_care) == [(NURSES, True)]
    found = ward.get("/fhir/CareTeam", params={"participant:identifier": f"{HSA}|{NURSES}"}).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [of_care]
    assert move(nurses, asked, "in-progress").status_code == 200
    assert move(nurses, asked, "completed", output=[{"type": {"text": "r"}, "valueString": "done"}]).status_code == 200
    assert owners(nurses, of_care) == [(NURSES, False)]
    proof = rebuild(gateway.store, Recorder(), lambda done, total: None)
    assert proof.different == []


def test_fifty_parallel_acceptances_lose_no_participant(ward: httpx.Client, gateway: Gateway) -> None:
    """C-29."""
    of_care = made(ward, plan())["id"]
    units = {f"t{number}": f"SE2120001348-T1{number:03d}" for number in range(50)}
    tasks = {id: task(hsa_id, of_care, id=id) for id, hsa_id in units.items()}
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"Task/{id}"}} for id, one in tasks.items()]
    assert ward.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}).is_success
    tokens = {id: gateway.identities.token(Caller("organisation", units[id], id, units[id])) for id in units}

    def accept(id: str) -> int:
        by = {"authorization": f"Bearer {tokens[id]}"}
        return ward.put(f"/fhir/Task/{id}", json=tasks[id] | {"status": "accepted"}, headers=by).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(accept, units)) == [200] * len(units)
    assert sorted(owners(ward, of_care)) == [(hsa_id, True) for hsa_id in units.values()]
    assert len(ward.get(f"/fhir/CarePlan/{of_care}").json()["activity"]) == len(units)
