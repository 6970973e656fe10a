"""The parties of a Task, as clients of the shared server: who asks, who is asked, and others."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from gateway.identity.systems import HSA_ID

WARD, HOME_CARE, CLINIC = "SE2321000131-T0110", "SE2120001348-T0100", "SE2321000081-T0100"
STRANGER = "SE5560000000-T0001"
Party = Callable[..., httpx.Client]


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}


def person(operator: httpx.Client) -> str:
    """A person of the test's own; the reference."""
    answer = operator.post("/fhir/Patient", json={"resourceType": "Patient"})
    assert answer.status_code == 201, answer.text
    return f"Patient/{answer.json()['id']}"


def task(patient: str, **elements: Any) -> dict[str, Any]:
    """A Task that the ward asks home care for. An element None is left out."""
    made: dict[str, Any] = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"text": "Hembesök"},
        "for": {"reference": patient},
        "requester": unit(WARD),
        "owner": unit(HOME_CARE),
    } | elements
    return {name: value for name, value in made.items() if value is not None}


def plan(patient: str) -> dict[str, Any]:
    """A plan that the ward answers for."""
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": patient},
        "author": unit(WARD),
    }


def within(plan: dict[str, Any]) -> dict[str, Any]:
    """What a Task of a plan says of it."""
    return {"basedOn": [{"reference": f"CarePlan/{plan['id']}"}]}


def created(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/fhir/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def read(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(address(resource))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def address(resource: dict[str, Any]) -> str:
    return f"/fhir/{resource['resourceType']}/{resource['id']}"


def put(client: httpx.Client, resource: dict[str, Any], **changes: Any) -> httpx.Response:
    """The resource as it is now with some elements changed; None takes one away."""
    body = copy.deepcopy(read(client, resource)) | changes
    return client.put(address(resource), json={name: value for name, value in body.items() if value is not None})


def moved(client: httpx.Client, resource: dict[str, Any], status: str, **changes: Any) -> dict[str, Any]:
    """The Task after a move that must be allowed, as the next reader sees it."""
    answer = put(client, resource, status=status, **changes)
    assert answer.status_code == 200, answer.text
    found = read(client, resource)
    assert found["status"] == status
    return found


def reason(text: str = "Ingen resurs") -> dict[str, Any]:
    return {"text": text}


def fresh(prefix: str = "t") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def refusal(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The first issue of a refusal: its codes, text in both languages and path."""
    assert answer.status_code == status, answer.text
    issue = answer.json()["issue"][0]
    codes = {one["system"].rpartition("/")[2]: one["code"] for one in issue["details"]["coding"]}
    swedish = next(
        (
            part["valueString"]
            for extension in issue["details"].get("_text", {}).get("extension", ())
            for part in extension["extension"]
            if part["url"] == "content"
        ),
        None,
    )
    return {
        "code": issue["code"],
        "rule": codes["issue"],
        "requirement": codes.get("requirement"),
        "en": issue["details"]["text"],
        "sv": swedish,
        "path": issue.get("expression", [None])[0],
    }
