"""Task/$correct: what has ended is put right on the record, and by nothing else (C-15)."""

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
    address,
    created,
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

REPORT = {"output": [{"type": {"text": "Rapport"}, "valueString": "Gjort"}]}


def corrected(
    client: httpx.Client,
    one: dict[str, Any],
    why: str = "Fel uppgift",
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> httpx.Response:
    body = {name: value for name, value in (one | changes).items() if value is not None}
    parameters = [{"name": "resource", "resource": body}, {"name": "reason", "valueString": why}]
    sent = {"resourceType": "Parameters", "parameter": parameters}
    return client.post(f"{address(one)}/$correct", json=sent, headers=headers)


@pytest.fixture
def done(shared: httpx.Client, party: Party) -> dict[str, Any]:
    """A Task that home care has completed for the ward."""
    one = created(party(WARD), task(person(shared)))
    moved(party(HOME_CARE), one, "in-progress")
    return moved(party(HOME_CARE), one, "completed", **REPORT)


def test_c15_a_correction_is_a_version_with_its_provenance(party: Party, done: dict[str, Any]) -> None:
    answer = corrected(party(HOME_CARE), done, "Ingen var hemma", status="failed", statusReason=reason("Ingen öppnade"))

    assert answer.status_code == 200, answer.text
    now = read(party(WARD), done)
    assert (now["status"], now["statusReason"]["text"]) == ("failed", "Ingen öppnade")
    found = party(WARD).get(f"/fhir/Provenance?target=Task/{done['id']}").json()
    (provenance,) = [entry["resource"] for entry in found["entry"]]
    assert provenance["target"] == [{"reference": f"Task/{done['id']}/_history/{now['meta']['versionId']}"}]
    was = f"Task/{done['id']}/_history/{done['meta']['versionId']}"
    assert [(one["role"], one["what"]["reference"]) for one in provenance["entity"]] == [("revision", was)]
    assert provenance["agent"][0]["who"]["identifier"]["value"] == HOME_CARE
    assert provenance["reason"][0]["text"] == "Ingen var hemma"
    refusal(party(STRANGER).get(address(provenance)), 404)


def test_c15_a_task_that_is_opened_again_goes_on(party: Party, done: dict[str, Any]) -> None:
    assert corrected(party(HOME_CARE), done, status="in-progress").status_code == 200

    assert read(party(WARD), done)["status"] == "in-progress"
    moved(party(HOME_CARE), done, "completed")


def test_c15_nothing_else_changes_what_has_ended(party: Party, done: dict[str, Any]) -> None:
    assert refusal(put(party(HOME_CARE), done, status="failed", statusReason=reason()), 422)["requirement"] == "C-15"


def test_c15_the_requester_does_not_correct_what_the_owner_reported(party: Party, done: dict[str, Any]) -> None:
    refusal(corrected(party(WARD), done, status="in-progress"), 403)
    assert read(party(WARD), done)["status"] == "completed"


def test_c15_the_requester_takes_his_own_cancellation_back(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))
    gone = moved(party(WARD), one, "cancelled", statusReason=reason("Behövs inte"))

    assert corrected(party(WARD), gone, status="requested", statusReason=None).status_code == 200
    assert read(party(HOME_CARE), one)["status"] == "requested"
    moved(party(HOME_CARE), one, "accepted")


def test_c15_what_makes_it_this_task_is_not_corrected(party: Party, done: dict[str, Any]) -> None:
    assert refusal(corrected(party(HOME_CARE), done, requester=unit(CLINIC)), 422)["requirement"] == "C-19"


def test_c15_nothing_is_corrected_into_a_task_that_is_under_way_and_nobodys(shared: httpx.Client, party: Party) -> None:
    offered = {"restriction": {"recipient": [unit(HOME_CARE)]}}
    one = created(party(WARD), task(person(shared), owner=None, **offered))
    gone = moved(party(WARD), one, "cancelled", statusReason=reason("Behövs inte"))

    for status in ("accepted", "in-progress"):
        told = refusal(corrected(party(WARD), gone, status=status, statusReason=None), 422)
        assert (told["rule"], told["path"]) == ("task-without-owner", "Task.owner")
    assert corrected(party(WARD), gone, status="requested", statusReason=None).status_code == 200


def test_c15_the_requester_makes_nobody_responsible_who_has_not_taken_it(shared: httpx.Client, party: Party) -> None:
    asked, taken = (created(party(WARD), task(person(shared))) for _ in range(2))
    moved(party(HOME_CARE), taken, "accepted")
    asked, taken = (moved(party(WARD), one, "cancelled", statusReason=reason()) for one in (asked, taken))

    told = refusal(corrected(party(WARD), asked, status="accepted", statusReason=None), 422)

    assert (told["rule"], told["path"]) == ("task-never-accepted", "Task.status")
    assert read(party(HOME_CARE), asked)["status"] == "cancelled"
    assert corrected(party(WARD), taken, status="accepted", statusReason=None).status_code == 200
    assert read(party(HOME_CARE), taken)["status"] == "accepted"


def test_c15_who_was_put_on_hold_with_the_whole_has_not_taken_his_part(shared: httpx.Client, party: Party) -> None:
    """What he was asked for waited, and he had not said yes."""
    ward, patient = party(WARD), person(shared)
    whole = created(ward, task(patient, requester=unit(WARD), owner=unit(WARD), status="ready"))
    part = created(ward, task(patient, partOf=[{"reference": f"Task/{whole['id']}"}]))
    moved(ward, moved(ward, whole, "in-progress"), "on-hold", statusReason=reason("Inlagd"))
    assert read(ward, part)["status"] == "on-hold"
    gone = moved(ward, read(ward, part), "entered-in-error", statusReason=reason())

    for status in ("accepted", "in-progress"):
        told = refusal(corrected(ward, gone, status=status, statusReason=None), 422)
        assert told["rule"] == "task-never-accepted"
    held = corrected(ward, gone, status="on-hold", statusReason=reason("Inlagd"))
    assert held.status_code == 200, "There it stood before."


def test_c15_nor_does_the_coordinator_of_the_plan_make_who_has_declined(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient, **within(created(shared, plan(patient)))))
    declined = moved(party(HOME_CARE), one, "rejected", statusReason=reason())

    assert refusal(corrected(party(WARD), declined, status="accepted"), 422)["rule"] == "task-never-accepted"
    assert corrected(party(HOME_CARE), declined, status="accepted", statusReason=None).status_code == 200


def test_c18_a_correction_gives_the_task_to_no_other_organisation(
    shared: httpx.Client, party: Party, done: dict[str, Any]
) -> None:
    told = refusal(corrected(party(HOME_CARE), done, status="in-progress", owner=unit(CLINIC)), 422)

    assert (told["rule"], told["path"]) == ("task-unless-own-organisation", "Task.owner")
    assert read(shared, done)["owner"]["identifier"] == unit(HOME_CARE)["identifier"]


def test_what_has_not_ended_is_not_corrected(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))

    assert refusal(corrected(party(HOME_CARE), one, status="accepted"), 422)["rule"] == "task-not-ended"
    assert refusal(corrected(shared, one, status="accepted"), 422)["rule"] == "task-not-ended"


def test_a_correction_of_what_somebody_changed_meanwhile_is_refused(party: Party, done: dict[str, Any]) -> None:
    home_care, etag = party(HOME_CARE), f'W/"{done["meta"]["versionId"]}"'
    assert corrected(home_care, done, headers={"if-match": etag}, businessStatus={"text": "Halva"}).status_code == 200

    refusal(corrected(home_care, done, headers={"if-match": etag}, businessStatus={"text": "Hela"}), 412)


def test_a_correction_that_corrects_nothing_is_refused(party: Party, done: dict[str, Any]) -> None:
    assert refusal(corrected(party(HOME_CARE), done), 409)["rule"] == "version-unchanged"


@pytest.mark.parametrize("why", ["", "  "])
def test_a_correction_says_why(party: Party, done: dict[str, Any], why: str) -> None:
    refusal(corrected(party(HOME_CARE), done, why, status="in-progress"), 400)


def test_the_operator_corrects_anything_on_the_record(shared: httpx.Client, done: dict[str, Any]) -> None:
    assert corrected(shared, done, status="in-progress", requester=unit(CLINIC)).status_code == 200

    assert read(shared, done)["requester"]["identifier"] == unit(CLINIC)["identifier"]
    found = shared.get(f"/fhir/Provenance?target=Task/{done['id']}").json()
    assert found["entry"][0]["resource"]["agent"][0]["who"]["display"]


def test_what_is_not_there_or_not_seen_is_not_corrected(
    shared: httpx.Client, party: Party, done: dict[str, Any]
) -> None:
    refusal(corrected(party(STRANGER), done, status="in-progress"), 404)
    refusal(corrected(shared, done | {"id": "no-such"}, status="in-progress"), 404)
