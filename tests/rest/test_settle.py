"""$contradictions and $settle: what sources do not agree on, decided over REST until one of them says something new."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from tests.coordination import cases
from tests.coordination.test_settling import later
from tests.rest.parties import Party, refusal

TASK_ID = "settle-1"
TOWN, AMBULANCE = "SE2120001348-T0100", "SE2321000131-T0200"


def recorded(gateway: Gateway, *said: Any) -> None:
    recorder = gateway.ingest.recorder
    gateway.store.write(lambda uow: recorder.record(uow, said), now=datetime.now(UTC))


@pytest.fixture(scope="module")
def said(shared_gateway: Gateway, shared: httpx.Client) -> list[Any]:
    """1177 asks; the town takes it, and the ambulance says that it does it."""
    shared.put("/fhir/Patient/p1", json={"resourceType": "Patient", "id": "p1"})
    document = cases.read(cases.HERE / "agree" / "027-statements.json")
    for row in document["statements"]:
        row["body"]["id"] = TASK_ID
        row["body"]["identifier"][0]["value"] = "settle-1"
    made = cases.statements(document)
    recorded(shared_gateway, *made)
    return made


def explained(client: httpx.Client) -> dict[str, Any] | None:
    """The parts of the one contradiction; those that repeat as lists."""
    answer = client.get(f"/fhir/Task/{TASK_ID}/$contradictions")
    assert answer.status_code == 200, answer.text
    return parts_of(answer.json())


def parts_of(told: Mapping[str, Any]) -> dict[str, Any] | None:
    (one,) = told.get("parameter", [None])
    if one is None:
        return None
    found: dict[str, Any] = {"side": []}
    for part in one["part"]:
        value = {each["name"]: _value(each) for each in part["part"]} if "part" in part else _value(part)
        if part["name"] == "side":
            found["side"].append(value)
        else:
            found[part["name"]] = value
    return found


def _value(part: Mapping[str, Any]) -> Any:
    return next(value for name, value in part.items() if name.startswith("value"))


def settled(
    client: httpx.Client, statements: list[str], decision: str, chosen: str = "", **more: str
) -> httpx.Response:
    given = {"element": "Task.owner", "decision": decision, "reason": "Ringde båda", **more}
    parts = [{"name": name, "valueString": value} for name, value in given.items()]
    parts += [{"name": "statement", "valueString": one} for one in statements]
    parts += [{"name": "chosen", "valueString": chosen}] if chosen else []
    return client.post(f"/fhir/Task/{TASK_ID}/$settle", json={"resourceType": "Parameters", "parameter": parts})


def test_both_sides_the_rule_and_what_is_served_are_told_and_decided(
    shared_gateway: Gateway, shared: httpx.Client, party: Party, said: list[Any]
) -> None:
    _, town, ambulance = said
    found = explained(shared)
    assert found is not None
    assert (found["element"], found["rule"], found["open"]) == ("Task.owner", "course", True)
    assert found["value"]["identifier"]["value"] == TOWN
    sides = {one["party"]["identifier"]["value"]: one for one in found["side"]}
    assert sides[TOWN]["followed"] and not sides[AMBULANCE]["followed"]
    assert sides[AMBULANCE]["value"]["identifier"]["value"] == AMBULANCE
    assert sides[AMBULANCE]["effective"].startswith("2026-03-10T09:15:00")
    assert explained(party(TOWN)) == found, "who takes part in the care is told the same"

    shown = [one["statement"] for one in found["side"]]
    assert set(shown) == {town.digest, ambulance.digest}
    after = parts_of(settled(shared, shown, "choose", ambulance.digest).json())
    assert after is not None and after["rule"] == "decision" and not after["open"]
    assert (after["decision"]["chosen"], after["decision"]["reason"]) == (ambulance.digest, "Ringde båda")
    task = shared.get(f"/fhir/Task/{TASK_ID}").json()
    assert task["owner"]["identifier"]["value"] == AMBULANCE
    assert [tag["code"] for tag in task["meta"]["tag"]] == ["settled"]
    version = task["meta"]["versionId"]
    told = shared.get(f"/fhir/Task/{TASK_ID}/$explain").json()["parameter"]
    (owner,) = (
        one["part"]
        for one in told
        if {"name": "path", "valueString": "Task.owner.identifier.value"} in one.get("part", ())
    )
    assert {"name": "rule", "valueCode": "decided"} in owner
    rests = [one["valueString"] for one in owner if one["name"] == "statement"]
    (decision,) = (
        one["part"] for one in told if {"name": "reason", "valueString": "Ringde båda"} in one.get("part", ())
    )
    assert rests == [ambulance.digest, decision[0]["valueString"]]
    assert settled(shared, shown, "choose", ambulance.digest).status_code == 200
    assert shared.get(f"/fhir/Task/{TASK_ID}").json()["meta"]["versionId"] == version, "sent twice, it is made once"

    recorded(shared_gateway, later(ambulance, 10, owner=town.body["owner"], status="rejected"))
    assert "contradicted" not in str(shared.get(f"/fhir/Task/{TASK_ID}").json()["meta"].get("tag"))
    assert refusal(settled(shared, shown, "choose", town.digest), 409)["rule"] == "contradiction-changed"


def test_what_is_no_decision_is_refused_and_nobody_else_decides(
    shared: httpx.Client, party: Party, said: list[Any]
) -> None:
    shown = [one.digest for one in said[1:]]
    assert refusal(settled(shared, shown, "guess"), 400)["rule"] == "decision-unknown"
    assert refusal(settled(shared, shown, "choose", "another"), 400)["rule"] == "chosen-unknown"
    assert refusal(settled(shared, shown, "ask", shown[0]), 400)["rule"] == "chosen-unknown"
    assert refusal(settled(shared, shown, "ask", reason=" "), 400)["rule"] == "reason-missing"
    assert refusal(settled(shared, shown, "ask", element="Task.color"), 409)["rule"] == "contradiction-changed"
    assert settled(party(TOWN), shown, "ask").status_code == 404
    assert party("SE2321000081-T0100").get(f"/fhir/Task/{TASK_ID}/$contradictions").status_code == 404
    assert shared.get("/fhir/Task/no-such/$contradictions").status_code == 404
    assert shared.get("/fhir/Tusk/x/$contradictions").status_code == 404
    assert shared.get("/fhir/Patient/p1/$contradictions").json() == {"resourceType": "Parameters"}
