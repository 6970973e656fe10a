"""C-80: a Task changes hands when the arriving side accepts, and the leaving one is responsible until then."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

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
    refusal,
    task,
    unit,
)

Body = dict[str, Any]


def handed(client: httpx.Client, one: Body, *parts: Body) -> httpx.Response:
    sent = {"resourceType": "Parameters", "parameter": list(parts)}
    return client.post(f"/fhir/Task/{one['id']}/$handover", json=sent)


def to(hsa_id: str, name: str = "arriving") -> Body:
    return {"name": name, "valueReference": unit(hsa_id)}


def answer(code: str) -> Body:
    return {"name": "answer", "valueCode": code}


def because(text: str = "Ingen resurs") -> Body:
    return {"name": "reason", "valueCodeableConcept": reason(text)}


def made(answered: httpx.Response) -> Body:
    assert answered.status_code == 200, answered.text
    found: Body = answered.json()
    return found


def owner(one: Body) -> str:
    return str(one["owner"]["identifier"]["value"])


def begun(shared: httpx.Client, party: Party, status: str = "in-progress") -> Body:
    """A Task that home care has in hand."""
    one = created(party(WARD), task(person(shared)))
    moved(party(HOME_CARE), one, "accepted")
    return one if status == "accepted" else moved(party(HOME_CARE), one, status)


def coded(one: Body, element: str = "input") -> dict[str, str]:
    return {
        entry["type"]["coding"][0]["code"]: entry["valueReference"]["identifier"]["value"]
        for entry in one.get(element, ())
    }


def owners(one: Body) -> list[str]:
    """Who has had the Task, by its history."""
    return [
        part["valueReference"]["identifier"]["value"]
        for step in one["extension"]
        if step["url"].endswith("/task-status-history")
        for part in step["extension"]
        if part["url"] == "owner"
    ]


def test_the_owner_offers_and_stays_responsible_until_the_other_accepts(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    parts = (to(CLINIC), to(WARD, "remaining"), to(WARD, "informed"), {"name": "note", "valueString": "Från måndag"})
    offered = made(handed(party(HOME_CARE), one, *parts))
    assert (offered["status"], offered["focus"]["reference"]) == ("requested", f"Task/{one['id']}")
    assert (offered["requester"]["identifier"]["value"], owner(offered)) == (HOME_CARE, CLINIC)
    assert coded(offered) == {
        "inviting": HOME_CARE,
        "arriving": CLINIC,
        "leaving": HOME_CARE,
        "remaining": WARD,
        "informed": WARD,
    }
    assert (owner(read(party(WARD), one)), read(party(WARD), one)["status"]) == (HOME_CARE, "in-progress")
    moved(party(CLINIC), offered, "received")
    assert owner(read(party(WARD), one)) == HOME_CARE

    settled = made(handed(party(CLINIC), one, answer("accept")))
    assert (settled["status"], coded(settled, "output")) == ("completed", {"handed-over-to": CLINIC})
    now = read(party(WARD), one)
    assert (owner(now), now["status"]) == (CLINIC, "ready")
    assert owners(now) == [HOME_CARE, CLINIC]
    refusal(put(party(HOME_CARE), one, status="in-progress"), 403)
    moved(party(CLINIC), one, "in-progress")


def test_it_is_accepted_as_any_task_is(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party, "accepted")
    offered = made(handed(party(HOME_CARE), one, to(CLINIC)))
    told = put(party(CLINIC), offered, status="accepted")
    assert told.status_code == 200, told.text
    assert told.json()["status"] == "completed"
    now = read(party(CLINIC), one)
    assert (owner(now), now["status"]) == (CLINIC, "accepted")


def test_who_would_take_over_asks_the_owner(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    asked = made(handed(party(WARD), one, to(WARD)))
    assert (asked["requester"]["identifier"]["value"], owner(asked)) == (WARD, HOME_CARE)
    assert owner(read(party(WARD), one)) == HOME_CARE
    made(handed(party(HOME_CARE), one, answer("accept")))
    assert owner(read(party(WARD), one)) == WARD


@pytest.mark.parametrize(
    ("who", "code", "status"), [(CLINIC, "decline", "rejected"), (HOME_CARE, "withdraw", "cancelled")]
)
def test_declined_or_withdrawn_it_changes_nothing(
    shared: httpx.Client, party: Party, who: str, code: str, status: str
) -> None:
    one = begun(shared, party)
    offered = made(handed(party(HOME_CARE), one, to(CLINIC)))
    before = read(party(WARD), one)
    told = refusal(handed(party(who), one, answer(code)), 422)
    assert told["requirement"] == "C-7"
    assert made(handed(party(who), one, answer(code), because()))["status"] == status
    assert read(party(WARD), one) == before
    refusal(put(party(CLINIC), offered, status="accepted"), 422)


def test_of_several_offers_the_first_that_is_accepted_counts(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    first = made(handed(party(HOME_CARE), one, to(CLINIC)))
    second = made(handed(party(HOME_CARE), one, to(WARD)))
    made(handed(party(WARD), one, answer("accept")))
    assert owner(read(party(WARD), one)) == WARD
    overtaken = read(party(HOME_CARE), first)
    assert (overtaken["status"], overtaken["statusReason"]["coding"][0]["code"]) == ("cancelled", "overtaken")
    assert read(party(HOME_CARE), second)["status"] == "completed"
    refusal(put(party(CLINIC), first, status="accepted"), 422)


def test_an_offer_ends_with_the_task(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    offered = made(handed(party(HOME_CARE), one, to(CLINIC)))
    moved(party(HOME_CARE), one, "completed", output=[{"type": {"text": "Rapport"}, "valueString": "Gjort"}])
    assert read(party(HOME_CARE), offered)["status"] == "cancelled"
    told = handed(party(CLINIC), one, answer("accept"))
    assert told.status_code == 404


def test_what_became_of_it_is_not_corrected_so_that_nobody_gets_the_task_back_unasked(
    shared: httpx.Client, party: Party
) -> None:
    one = begun(shared, party)
    accepted, declined = (made(handed(party(HOME_CARE), one, to(who))) for who in (CLINIC, WARD))
    made(handed(party(WARD), declined, answer("decline"), because()))
    made(handed(party(CLINIC), one, answer("accept")))
    for who, offered in ((CLINIC, accepted), (WARD, declined)):
        body = read(party(who), offered) | {"status": "accepted"}
        sent = [{"name": "resource", "resource": body}, {"name": "reason", "valueString": "Fel"}]
        parameters = {"resourceType": "Parameters", "parameter": sent}
        told = refusal(party(who).post(f"/fhir/Task/{offered['id']}/$correct", json=parameters), 422)
        assert (told["rule"], told["requirement"]) == ("task-handover-was-answered", "C-80")
    assert owner(read(party(WARD), one)) == CLINIC


def test_it_is_not_the_requesters_to_hand_over(shared: httpx.Client, party: Party) -> None:
    told = refusal(handed(party(WARD), begun(shared, party), to(CLINIC)), 403)
    assert (told["rule"], told["requirement"]) == ("task-handover-by-another", "C-80")
    assert told["sv"]


def test_what_nobody_has_taken_or_what_has_ended_is_not_handed_over(shared: httpx.Client, party: Party) -> None:
    new = created(party(WARD), task(person(shared)))
    assert refusal(handed(party(HOME_CARE), new, to(CLINIC)), 422)["rule"] == "task-handover-not-held"
    moved(party(HOME_CARE), new, "rejected", statusReason=reason())
    assert refusal(handed(party(HOME_CARE), new, to(CLINIC)), 422)["rule"] == "task-handover-not-held"


def test_nobody_hands_over_to_himself(shared: httpx.Client, party: Party) -> None:
    told = refusal(handed(party(HOME_CARE), begun(shared, party), to(HOME_CARE)), 422)
    assert told["rule"] == "task-handover-to-nobody"


def test_the_owner_does_not_give_the_task_to_another_by_himself(shared: httpx.Client, party: Party) -> None:
    told = refusal(put(party(HOME_CARE), begun(shared, party), owner=unit(CLINIC)), 422)
    assert (told["rule"], told["path"]) == ("task-unless-own-organisation", "Task.owner")
    assert "$handover" in told["en"]


def test_a_hand_over_that_is_written_by_hand_is_held_to_the_same(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    by_hand = made(handed(party(HOME_CARE), one, to(CLINIC))) | {"for": {"reference": person(shared)}}
    by_hand = {name: value for name, value in by_hand.items() if name not in ("id", "meta", "extension")}
    told = refusal(party(HOME_CARE).post("/fhir/Task", json=by_hand), 422)
    assert told["rule"] == "task-handover-of-another-person"


def test_a_transaction_does_not_change_what_it_hands_over(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    asked = made(handed(party(WARD), one, to(WARD)))
    note = read(party(HOME_CARE), one) | {"note": [{"text": "På väg"}]}
    accepted = read(party(HOME_CARE), asked) | {"status": "accepted"}
    entries = [
        {"resource": body, "request": {"method": "PUT", "url": f"Task/{body['id']}"}} for body in (note, accepted)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    refusal(party(HOME_CARE).post("/fhir", json=bundle), 422)
    assert owner(read(party(WARD), one)) == HOME_CARE


@pytest.mark.parametrize("first", [0, 1])
def test_nor_does_it_lead_to_another_change_of_it(shared: httpx.Client, party: Party, first: int) -> None:
    """The whole is put on hold by who takes its part over: the part is not left with the leaving owner."""
    home_care, clinic, patient = party(HOME_CARE), party(CLINIC), person(shared)
    own = {"requester": unit(HOME_CARE), "status": "ready"}
    whole = created(home_care, task(patient, **own))
    part = created(home_care, task(patient, **own, owner=unit(CLINIC), partOf=[{"reference": f"Task/{whole['id']}"}]))
    moved(home_care, whole, "in-progress")
    moved(clinic, part, "in-progress")
    offered = made(handed(clinic, part, to(HOME_CARE)))
    held = read(home_care, whole) | {"status": "on-hold", "statusReason": reason()}
    bodies = [held, read(home_care, offered) | {"status": "accepted"}]
    entries = [
        {"resource": body, "request": {"method": "PUT", "url": f"Task/{body['id']}"}}
        for body in (bodies[first], bodies[1 - first])
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    assert refusal(home_care.post("/fhir", json=bundle), 422)["rule"] == "entry-duplicate"

    assert [read(home_care, one)["status"] for one in (whole, part, offered)] == [
        "in-progress",
        "in-progress",
        "requested",
    ]


def test_the_operator_accepts_for_nobody(shared: httpx.Client, party: Party) -> None:
    """His word is plain R4: the hand-over would say accepted, and the Task would stay where it is."""
    one = begun(shared, party)
    offered = made(handed(party(HOME_CARE), one, to(CLINIC)))
    assert refusal(handed(shared, one, answer("accept")), 422)["rule"] == "handover-of-parties"
    assert read(party(CLINIC), offered) == offered
    made(handed(party(CLINIC), one, answer("accept")))


def test_who_may_not_know_of_the_task_hands_nothing_over(shared: httpx.Client, party: Party) -> None:
    one = begun(shared, party)
    for parts in ((to(STRANGER),), (answer("accept"),)):
        assert handed(party(STRANGER), one, *parts).status_code == 404


def test_who_does_what_shows_who_has_it_and_whose_answer_is_awaited(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient))
    moved(party(HOME_CARE), one, "accepted")
    moved(party(HOME_CARE), one, "in-progress")
    made(handed(party(HOME_CARE), one, to(CLINIC)))
    shown = sections(party(WARD), patient)
    assert HOME_CARE in shown["now"] and CLINIC not in shown["now"]
    assert CLINIC in shown["awaited"] and "taking over" in shown["awaited"]
    made(handed(party(CLINIC), one, answer("accept")))
    shown = sections(party(WARD), patient)
    assert CLINIC in shown["now"] and HOME_CARE not in shown["now"]
    assert "taking over" not in shown["awaited"]


def sections(client: httpx.Client, patient: str) -> dict[str, str]:
    """The narrative of each section, by its code."""
    document = client.get(f"/fhir/{patient}/$who-does-what").json()
    composition = document["entry"][0]["resource"]
    return {
        section["code"]["coding"][0]["code"]: section.get("text", {}).get("div", "")
        for section in composition["section"]
    }


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (answer("perhaps"),),
        (answer("accept"), to(CLINIC)),
        (to(CLINIC), to(CLINIC)),
        ({"name": "none", "valueString": "x"},),
    ],
)
def test_a_request_that_is_none_is_refused(shared: httpx.Client, party: Party, parts: tuple[Body, ...]) -> None:
    assert handed(party(HOME_CARE), begun(shared, party), *parts).status_code == 400
