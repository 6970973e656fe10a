"""What one move of a Task leads on to in others, over HTTP: C-11 to C-14, C-16 and C-17."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.rest.parties import (
    CLINIC,
    HOME_CARE,
    WARD,
    Party,
    address,
    created,
    fresh,
    moved,
    person,
    plan,
    put,
    read,
    reason,
    refusal,
    task,
    unit,
    within,
)

SELECTED = {"coding": [{"code": "selected"}], "text": "Vald"}
ABORT = {"coding": [{"code": "abort"}]}


def part_of(one: dict[str, Any]) -> dict[str, Any]:
    return {"partOf": [{"reference": f"Task/{one['id']}"}]}


def own(patient: str, **elements: Any) -> dict[str, Any]:
    """A Task that home care takes on by itself."""
    return task(patient, requester=unit(HOME_CARE), status="ready", **elements)


def test_c11_parts_are_put_on_hold_with_the_whole_and_return_to_where_they_were(
    shared: httpx.Client, party: Party
) -> None:
    home_care, patient = party(HOME_CARE), person(shared)
    whole = created(home_care, own(patient))
    ready = created(home_care, own(patient, **part_of(whole)))
    busy = created(home_care, own(patient, **part_of(whole)))
    below = created(home_care, own(patient, **part_of(busy)))
    paused = created(home_care, own(patient, **part_of(whole)))
    done = created(home_care, own(patient, **part_of(whole)))
    for one in (whole, busy, paused, done):
        moved(home_care, one, "in-progress")
    moved(home_care, paused, "on-hold", statusReason=reason("Väntar på provsvar"))
    moved(home_care, done, "completed", statusReason=reason("Inget att rapportera"))

    moved(home_care, whole, "on-hold", statusReason=reason("Inlagd"))

    found = {
        name: read(shared, one) for name, one in {"r": ready, "b": busy, "l": below, "p": paused, "d": done}.items()
    }
    assert {name: one["status"] for name, one in found.items()} == {
        "r": "on-hold", "b": "on-hold", "l": "on-hold", "p": "on-hold", "d": "completed",
    }  # fmt: skip
    assert found["b"]["statusReason"]["coding"][0]["code"] == "parent-on-hold"
    assert found["p"]["statusReason"]["text"] == "Väntar på provsvar"

    moved(home_care, whole, "in-progress", statusReason=None)

    statuses = [read(shared, one)["status"] for one in (ready, busy, below, paused, done)]
    assert statuses == ["ready", "in-progress", "ready", "on-hold", "completed"]
    assert "statusReason" not in read(shared, busy)


def test_c11_parts_in_other_hands_follow_too_and_go_on_by_themselves(shared: httpx.Client, party: Party) -> None:
    home_care, clinic, patient = party(HOME_CARE), party(CLINIC), person(shared)
    whole = created(home_care, own(patient))
    part = created(home_care, own(patient, owner=unit(CLINIC), **part_of(whole)))
    moved(home_care, whole, "in-progress")
    moved(clinic, part, "in-progress")

    for _ in range(2):
        moved(home_care, whole, "on-hold", statusReason=reason())
        assert read(clinic, part)["status"] == "on-hold"
        moved(home_care, whole, "in-progress", statusReason=None)
        assert read(clinic, part)["status"] == "in-progress"
    moved(clinic, part, "completed", statusReason=reason("Inget att rapportera"))


def test_c11_what_follows_is_audited_and_undone_with_the_whole(shared: httpx.Client, party: Party) -> None:
    home_care, patient = party(HOME_CARE), person(shared)
    whole = created(home_care, own(patient))
    part = created(home_care, own(patient, **part_of(whole)))
    moved(home_care, whole, "in-progress")
    hold = read(home_care, whole) | {"status": "on-hold", "statusReason": reason()}
    illegal = created(party(WARD), task(patient)) | {"status": "completed"}
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": address(one).removeprefix("/fhir/")}}
        for one in (hold, illegal)
    ]

    refusal(home_care.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}), 422)

    assert read(home_care, part)["status"] == "ready"
    assert put(home_care, whole, status="on-hold", statusReason=reason()).status_code == 200
    assert read(home_care, part)["status"] == "on-hold"


@pytest.mark.parametrize("way", ["PUT", "PATCH"])
def test_c11_what_is_commanded_of_a_part_itself_goes_before_what_follows(
    shared: httpx.Client, party: Party, way: str
) -> None:
    home_care, patient = party(HOME_CARE), person(shared)
    whole = created(home_care, own(patient))
    part = created(home_care, own(patient, **part_of(whole)))
    moved(home_care, whole, "in-progress")
    patch = base64.b64encode(b'[{"op": "replace", "path": "/status", "value": "in-progress"}]').decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch}
    entries = [
        {
            "resource": read(home_care, whole) | {"status": "on-hold", "statusReason": reason()},
            "request": {"method": "PUT", "url": f"Task/{whole['id']}"},
        },
        {
            "resource": binary if way == "PATCH" else part | {"status": "in-progress"},
            "request": {"method": way, "url": f"Task/{part['id']}"},
        },
    ]

    answer = home_care.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})

    assert answer.status_code == 200, answer.text
    assert (read(home_care, whole)["status"], read(home_care, part)["status"]) == ("on-hold", "in-progress")


def test_c11_nothing_about_another_person_follows(shared: httpx.Client, party: Party) -> None:
    home_care, clinic = party(HOME_CARE), party(CLINIC)
    whole = created(home_care, own(person(shared)))
    another = person(shared)
    body = task(another, status="in-progress", owner=unit(CLINIC), id=fresh(), **part_of(whole))
    assert shared.put(address(body), json=body).status_code == 201
    moved(home_care, whole, "in-progress")

    moved(home_care, whole, "on-hold", statusReason=reason())

    assert read(clinic, body)["status"] == "in-progress"


def test_c12_an_open_task_is_taken_once(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    offered = {"restriction": {"recipient": [unit(HOME_CARE), unit(CLINIC)]}}
    one = created(party(WARD), task(patient, owner=None, **offered))
    stale = {"status": "accepted"}

    moved(party(HOME_CARE), one, "accepted", owner=unit(HOME_CARE))
    late = party(CLINIC).put(address(one), json=one | stale | {"owner": unit(CLINIC)})
    assert refusal(late, 409)["rule"] == "task-taken"
    etag = f'W/"{one["meta"]["versionId"]}"'
    late = party(CLINIC).put(address(one), json=one | stale | {"owner": unit(CLINIC)}, headers={"if-match": etag})
    refusal(late, 412)
    assert read(shared, one)["owner"]["identifier"]["value"] == HOME_CARE


def test_c12_nobody_takes_it_for_another(shared: httpx.Client, party: Party) -> None:
    offered = {"restriction": {"recipient": [unit(HOME_CARE), unit(CLINIC)]}}
    one = created(party(WARD), task(person(shared), owner=None, **offered))

    assert refusal(put(party(HOME_CARE), one, status="accepted", owner=unit(CLINIC)), 422)["requirement"] == "C-12"
    assert refusal(put(party(HOME_CARE), one, status="accepted"), 422)["requirement"] == "C-12"


def request(operator: httpx.Client, patient: str) -> dict[str, Any]:
    body = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": patient}}
    return created(operator, body | {"requester": unit(WARD)})


def test_c13_selecting_a_bid_cancels_the_others(shared: httpx.Client, party: Party) -> None:
    ward, patient = party(WARD), person(shared)
    focus = {"focus": {"reference": f"ServiceRequest/{request(shared, patient)['id']}"}}
    bids = [created(ward, task(patient, owner=unit(who), **focus)) for who in (HOME_CARE, CLINIC, CLINIC)]
    elsewhere = created(ward, task(patient))
    moved(party(HOME_CARE), bids[0], "accepted")
    moved(party(CLINIC), bids[1], "accepted")
    moved(party(CLINIC), bids[2], "rejected", statusReason=reason())

    assert put(ward, bids[0], businessStatus=SELECTED).status_code == 200

    first, second, third = (read(ward, one) for one in bids)
    assert (first["status"], second["status"], third["status"]) == ("accepted", "cancelled", "rejected")
    assert first["businessStatus"]["coding"][0]["code"] == "selected"
    assert "not selected" in second["statusReason"]["coding"][0]["display"]
    assert read(ward, elsewhere)["status"] == "requested"


def test_c13_no_bid_is_selected_while_another_is_under_way(shared: httpx.Client, party: Party) -> None:
    ward, patient = party(WARD), person(shared)
    focus = {"focus": {"reference": f"ServiceRequest/{request(shared, patient)['id']}"}}
    one, other = (created(ward, task(patient, owner=unit(who), **focus)) for who in (HOME_CARE, CLINIC))
    moved(party(CLINIC), other, "in-progress")

    assert refusal(put(ward, one, businessStatus=SELECTED), 422)["requirement"] == "C-13"
    assert read(ward, other)["status"] == "in-progress"


def test_c13_no_bidder_selects_himself(shared: httpx.Client, party: Party) -> None:
    ward, patient = party(WARD), person(shared)
    focus = {"focus": {"reference": f"ServiceRequest/{request(shared, patient)['id']}"}}
    one, other = (created(ward, task(patient, owner=unit(who), **focus)) for who in (HOME_CARE, CLINIC))

    told = refusal(put(party(HOME_CARE), one, businessStatus=SELECTED), 403)

    assert (told["requirement"], told["path"]) == ("C-13", "Task.businessStatus")
    assert read(ward, other)["status"] == "requested"


def test_c13_one_transaction_selects_one_bid(shared: httpx.Client, party: Party) -> None:
    ward, patient = party(WARD), person(shared)
    focus = {"focus": {"reference": f"ServiceRequest/{request(shared, patient)['id']}"}}
    bids = [created(ward, task(patient, owner=unit(who), **focus)) for who in (HOME_CARE, CLINIC)]
    over = {"status": "cancelled", "statusReason": reason("Inte vald")}

    def sent(*changes: dict[str, Any]) -> httpx.Response:
        entries = [
            {"resource": one | change, "request": {"method": "PUT", "url": f"Task/{one['id']}"}}
            for one, change in zip(bids, changes, strict=True)
        ]
        return ward.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})

    chosen = {"businessStatus": SELECTED}
    for beside in (chosen, {"note": [{"text": "Ring först"}]}):
        assert refusal(sent(chosen, beside), 422)["requirement"] == "C-13"
    assert sent(chosen, over).status_code == 200
    assert [read(ward, one)["status"] for one in bids] == ["requested", "cancelled"]


def test_c14_what_is_under_way_is_given_up_once_the_other_side_has_agreed(shared: httpx.Client, party: Party) -> None:
    ward, home_care, patient = party(WARD), party(HOME_CARE), person(shared)
    one = created(ward, task(patient))
    moved(home_care, one, "in-progress")
    assert refusal(put(home_care, one, status="cancelled", statusReason=reason()), 422)["requirement"] == "C-14"
    focus = {"code": ABORT, "focus": {"reference": f"Task/{one['id']}"}}

    abort = created(ward, task(patient, **focus))
    refusal(put(ward, abort, status="accepted"), 403)
    assert refusal(put(home_care, one, status="cancelled", statusReason=reason()), 422)["requirement"] == "C-14"
    moved(home_care, abort, "accepted")

    moved(home_care, one, "cancelled", statusReason=reason())


def test_c14_only_one_side_asks_the_other(shared: httpx.Client, party: Party) -> None:
    ward, patient = party(WARD), person(shared)
    one = created(ward, task(patient))
    focus = {"code": ABORT, "focus": {"reference": f"Task/{one['id']}"}}

    assert (
        refusal(ward.post("/fhir/Task", json=task(patient, owner=unit(CLINIC), **focus)), 422)["requirement"] == "C-14"
    )
    created(party(HOME_CARE), task(patient, requester=unit(HOME_CARE), owner=unit(WARD), **focus))


def test_c16_accepting_a_proposal_makes_an_order(shared: httpx.Client, party: Party) -> None:
    ward, home_care, patient = party(WARD), party(HOME_CARE), person(shared)
    proposal = created(ward, task(patient, intent="proposal", priority="urgent"))
    assert refusal(put(home_care, proposal, status="in-progress"), 422)["requirement"] == "C-16"

    moved(home_care, proposal, "accepted")

    found = ward.get(f"/fhir/Task?patient={patient}&intent=order").json()["entry"]
    (order,) = [entry["resource"] for entry in found]
    assert (order["status"], order["priority"], order["owner"]) == ("accepted", "urgent", unit(HOME_CARE))
    assert order["basedOn"] == [{"reference": f"Task/{proposal['id']}"}]
    assert read(ward, proposal)["intent"] == "proposal"
    moved(home_care, order, "in-progress")


def test_c16_a_proposal_brings_nobody_into_the_team_and_the_order_does(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    of_care = created(shared, plan(patient))
    proposal = created(party(WARD), task(patient, intent="proposal", **within(of_care)))

    def team() -> set[str]:
        found = shared.get(f"/fhir/CareTeam/{of_care['id']}").json()
        return {one["member"].get("identifier", {}).get("value", "") for one in found["participant"]}

    assert HOME_CARE not in team()
    moved(party(HOME_CARE), proposal, "accepted")
    assert HOME_CARE in team()


def test_c17_an_alternative_is_offered_with_the_refusal(shared: httpx.Client, party: Party) -> None:
    home_care, patient = party(HOME_CARE), person(shared)
    one, other = created(party(WARD), task(patient)), request(shared, patient)
    offered = {
        "type": {"coding": [{"code": "alternative"}]},
        "valueReference": {"reference": f"ServiceRequest/{other['id']}"},
    }

    assert refusal(put(home_care, one, status="accepted", output=[offered]), 422)["requirement"] == "C-17"
    found = moved(home_care, one, "rejected", statusReason=reason(), output=[offered])
    assert found["output"] == [offered]
