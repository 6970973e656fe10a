"""Every write of a Task over REST is held to the rules, by whatever interaction it comes (coordination.md B.1, B.2)."""

from __future__ import annotations

import json
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

OWNER_MOVES = {
    "draft": set(),
    "requested": {"received", "accepted", "rejected", "in-progress", "cancelled"},
    "received": {"accepted", "rejected", "in-progress", "cancelled"},
    "accepted": {"in-progress", "rejected", "cancelled"},
    "ready": {"in-progress", "completed", "failed"},
    "in-progress": {"completed", "failed", "on-hold"},
    "on-hold": {"in-progress", "completed", "failed"},
    "rejected": set(),
    "cancelled": set(),
    "failed": set(),
    "completed": set(),
    "entered-in-error": set(),
}
"""Table B.1, the column of our default, for the owner of an order."""
REPORT = {"output": [{"type": {"text": "Rapport"}, "valueString": "Gjort"}]}
ABORT = {"code": {"coding": [{"code": "abort"}]}}
JSON_PATCH = {"content-type": "application/json-patch+json"}


def placed(operator: httpx.Client, patient: str, status: str, **elements: Any) -> dict[str, Any]:
    """A Task at some status, by the operator's word, which no rule binds."""
    body = task(patient, status=status, id=fresh(), **elements)
    answer = operator.put(address(body), json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("start", OWNER_MOVES)
def test_c1_the_owner_moves_a_task_as_the_table_says(shared: httpx.Client, party: Party, start: str) -> None:
    one = placed(shared, person(shared), start)
    accepted = set()
    for to in OWNER_MOVES.keys() - {start}:
        answer = put(party(HOME_CARE), one, status=to, statusReason=reason(), **REPORT)
        if answer.status_code == 200:
            accepted.add(to)
            assert read(shared, one)["status"] == to
            shared.put(address(one), json=one)
        else:
            assert answer.status_code in (403, 422), answer.text
            assert read(shared, one)["status"] == start

    assert accepted == OWNER_MOVES[start]


def test_what_was_allowed_is_what_is_served_next(shared: httpx.Client, party: Party) -> None:
    ward, home_care = party(WARD), party(HOME_CARE)
    one = created(ward, task(person(shared)))
    assert read(home_care, one)["status"] == "requested"

    moved(home_care, one, "accepted")
    moved(home_care, one, "in-progress")
    for _ in range(2):  # What a source repeats is no news; what is commanded again is.
        moved(home_care, one, "on-hold", statusReason=reason())
        moved(home_care, one, "in-progress", statusReason=None)
    last = moved(home_care, one, "completed", **REPORT)

    assert "statusReason" not in last


def test_c2_a_move_that_nobody_may_make_names_what_is_allowed_in_both_languages(
    shared: httpx.Client, party: Party
) -> None:
    one = created(party(WARD), task(person(shared)))

    told = refusal(put(party(HOME_CARE), one, status="on-hold", statusReason=reason()), 422)

    assert (told["code"], told["requirement"], told["path"]) == ("business-rule", "C-2", "Task.status")
    for word in ("requested", "on-hold", "owner", "accepted", "rejected"):
        assert word in told["en"], told["en"]
    assert "requested" in told["sv"] and "accepted" in told["sv"], told["sv"]


def test_c2_a_move_of_another_role_is_forbidden(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))

    told = refusal(put(party(WARD), one, status="accepted"), 403)

    assert (told["code"], told["requirement"]) == ("forbidden", "C-2")
    assert "owner" in told["en"]


def test_c2_refusals_say_the_same_in_xml(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))
    body = json.dumps(one | {"status": "accepted"})

    answer = party(WARD).put(address(one), content=body, headers={"accept": "application/fhir+xml"})

    assert answer.status_code == 403
    assert "http://hl7.org/fhir/StructureDefinition/translation" in answer.text


def test_c3_who_is_no_party_does_not_rewrite_a_task_by_keeping_its_status(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient))
    created(party(CLINIC), task(patient, requester=unit(CLINIC), owner=unit(CLINIC)))

    assert refusal(put(party(CLINIC), one, note=[{"text": "Nytt"}]), 403)["requirement"] == "C-3"
    assert put(party(HOME_CARE), one, note=[{"text": "Nytt"}]).status_code == 200


def test_c3_who_may_not_read_it_is_told_nothing(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))

    for body in (one, one | {"status": "accepted"}, one | {"owner": unit(STRANGER), "status": "accepted"}):
        refusal(party(STRANGER).put(address(one), json=body), 404)
    refusal(party(STRANGER).delete(address(one)), 404)


@pytest.mark.parametrize(
    "claimed",
    [{"owner": unit(CLINIC)}, {"requester": unit(CLINIC)}, {"meta": {"profile": ["http://example.org/other"]}}],
    ids=["owner", "requester", "profile"],
)
def test_c4_the_role_comes_of_the_stored_task(shared: httpx.Client, party: Party, claimed: dict[str, Any]) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient))
    created(party(CLINIC), task(patient, requester=unit(CLINIC), owner=unit(CLINIC)))

    refusal(put(party(CLINIC), one, status="accepted", **claimed), 403)


def test_c4_to_belong_to_the_same_body_makes_nobody_the_owner(shared: httpx.Client, party: Party) -> None:
    patient, neighbour = person(shared), "SE2120001348-T0999"
    one = created(party(WARD), task(patient))
    created(party(neighbour), task(patient, requester=unit(neighbour), owner=unit(neighbour)))

    refusal(put(party(neighbour), one, status="accepted"), 403)


def test_c4_the_care_provider_acts_for_its_unit(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared), owner=unit("SE2120001348-E0001")))

    moved(party(HOME_CARE, "SE2120001348-E0001"), one, "accepted")


def test_c4_a_unit_is_the_same_named_by_the_address_of_its_organization(shared: httpx.Client, party: Party) -> None:
    own = "SE2120001348-T0123"
    organisation = created(
        shared, {"resourceType": "Organization", "name": "Hemsjukvården", "identifier": [unit(own)["identifier"]]}
    )
    literal = {"reference": f"Organization/{organisation['id']}"}
    one = created(party(WARD), task(person(shared), owner=literal, requester={"identifier": unit(WARD)["identifier"]}))

    moved(party(own), one, "accepted", owner=literal)
    assert read(shared, one)["owner"]["identifier"]["value"] == own
    moved(party(own), one, "in-progress")


@pytest.mark.parametrize("status", sorted(OWNER_MOVES.keys() - {"draft", "requested", "ready"}))
def test_c5_a_task_begins_as_draft_requested_or_ready(shared: httpx.Client, party: Party, status: str) -> None:
    body = task(person(shared), status=status, statusReason=reason(), **REPORT)

    assert refusal(party(WARD).post("/fhir/Task", json=body), 422)["requirement"] == "C-5"


def test_c5_the_id_in_the_body_of_a_create_is_passed_over(shared: httpx.Client, party: Party) -> None:
    assert created(party(WARD), task(person(shared), id="mine"))["id"] != "mine"


def test_c6_a_task_is_created_by_its_requester(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    created(party(WARD), task(patient))  # So that home care takes part in the care.

    assert refusal(party(HOME_CARE).post("/fhir/Task", json=task(patient)), 403)["requirement"] == "C-6"
    body = task(patient, id=fresh())
    assert refusal(party(HOME_CARE).put(address(body), json=body), 403)["requirement"] == "C-6"


@pytest.mark.parametrize(
    ("start", "to"), [("requested", "rejected"), ("accepted", "cancelled"), ("in-progress", "on-hold")]
)
def test_c7_a_reason_is_given_in_words(shared: httpx.Client, party: Party, start: str, to: str) -> None:
    one = placed(shared, person(shared), start)
    code = {"system": "https://samverka.example/fhir/CodeSystem/decline-reason", "code": "no-resource"}

    assert refusal(put(party(HOME_CARE), one, status=to), 422)["requirement"] == "C-7"
    assert refusal(put(party(HOME_CARE), one, status=to, statusReason={"coding": [code]}), 422)["requirement"] == "C-7"
    moved(party(HOME_CARE), one, to, statusReason=reason())


def test_c8_a_refusal_for_want_of_capacity_is_found_and_the_next_is_asked(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    request = created(shared, service_request(patient))
    focus = {"reference": f"ServiceRequest/{request['id']}"}
    one = created(party(WARD), task(patient, focus=focus))
    code = {"system": "https://samverka.example/fhir/CodeSystem/decline-reason", "code": "no-resource"}
    moved(party(HOME_CARE), one, "rejected", statusReason={"coding": [code], "text": "Ingen resurs"})

    found = party(WARD).get(f"/fhir/Task?status-reason=no-resource&patient={patient}").json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [one["id"]]

    following = created(party(WARD), task(patient, focus=focus, owner=unit(CLINIC)))
    moved(party(CLINIC), following, "accepted")


def service_request(patient: str, **elements: Any) -> dict[str, Any]:
    made = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": patient},
        "requester": unit(WARD),
    }
    return made | elements


def test_c9_a_question_goes_from_the_owner_to_the_requester_of_one_task(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient))
    asking = {"code": {"coding": [{"code": "information-request"}]}, "partOf": [{"reference": f"Task/{one['id']}"}]}
    question = task(patient, requester=unit(HOME_CARE), owner=unit(WARD), **asking)

    another = question | {"owner": unit(CLINIC)}
    assert refusal(party(HOME_CARE).post("/fhir/Task", json=another), 422)["requirement"] == "C-9"
    both = question | {"partOf": [*question["partOf"], *question["partOf"]]}
    assert refusal(party(HOME_CARE).post("/fhir/Task", json=both), 422)["requirement"] == "C-9"
    answered = created(party(HOME_CARE), question)
    moved(party(WARD), answered, "completed", **REPORT)


def test_c10_a_third_party_is_asked_by_who_has_accepted(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    based = within(created(shared, plan(patient)))
    one = created(party(WARD), task(patient, **based))
    part = task(patient, requester=unit(HOME_CARE), owner=unit(CLINIC), status="ready", **based)
    part["partOf"] = [{"reference": f"Task/{one['id']}"}]

    assert refusal(party(HOME_CARE).post("/fhir/Task", json=part), 422)["requirement"] == "C-10"
    moved(party(HOME_CARE), one, "accepted")
    created(party(HOME_CARE), part)


def test_c15_what_has_ended_is_left_as_it_is(shared: httpx.Client, party: Party) -> None:
    one = placed(shared, person(shared), "completed", **REPORT)

    for change in ({"status": "in-progress"}, {"note": [{"text": "Tillägg"}]}, {"businessStatus": {"text": "Klar"}}):
        assert refusal(put(party(HOME_CARE), one, **change), 422)["requirement"] == "C-15"
    assert put(party(HOME_CARE), one).status_code == 200


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("description", "Annat"),
        ("priority", "urgent"),
        ("authoredOn", "2026-01-01"),
        ("restriction", {"period": {"end": "2030-01-01"}}),
        ("input", [{"type": {"text": "x"}, "valueString": "y"}]),
        ("reasonCode", {"text": "Annat"}),
        ("encounter", {"reference": "Encounter/x"}),
    ],
)
def test_c18_the_owner_changes_only_what_is_his(shared: httpx.Client, party: Party, element: str, value: Any) -> None:
    one = created(party(WARD), task(person(shared)))

    told = refusal(put(party(HOME_CARE), one, **{element: value}), 422)

    assert told["requirement"] == "C-18"
    assert told["path"].startswith(f"Task.{element}")


def test_c18_what_is_the_owners_he_changes_and_others_see(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))
    moved(party(HOME_CARE), one, "in-progress")
    change = {
        "businessStatus": {"text": "På väg"},
        "executionPeriod": {"start": "2026-03-10T10:00:00+01:00"},
        "note": [{"text": "Ringer när jag är framme"}],
        "output": [{"type": {"text": "Puls"}, "valueInteger": 72}],
    }

    assert put(party(HOME_CARE), one, **change).status_code == 200
    found = read(party(WARD), one)
    assert {name: found[name] for name in change} == change
    assert put(party(HOME_CARE), one, businessStatus=None).status_code == 200
    assert "businessStatus" not in read(party(WARD), one)


@pytest.mark.parametrize("who", [WARD, HOME_CARE])
def test_c18_nobody_hides_a_task_from_the_others_by_a_label(shared: httpx.Client, party: Party, who: str) -> None:
    one = created(party(WARD), task(person(shared)))
    label = {"system": "https://samverka.example/fhir/CodeSystem/security-label", "code": "own-provider-only"}
    labelled = {"meta": {"security": [label]}}

    told = refusal(put(party(who), one, note=[{"text": "Nytt"}], **labelled), 422)

    assert told["path"] == "Task.meta.security"
    assert read(party(WARD), one) == read(party(HOME_CARE), one) == one


def test_c18_the_owner_names_another_unit_of_his_own_but_no_other_organisation(
    shared: httpx.Client, party: Party
) -> None:
    provider, night = "SE2120001348-E0002", "SE2120001348-T0222"
    created(
        shared,
        {
            "resourceType": "Organization",
            "name": "Nattpatrullen",
            "identifier": [unit(night)["identifier"]],
            "partOf": unit(provider),
        },
    )
    one = created(party(WARD), task(person(shared)))
    home_care = party(HOME_CARE, provider)
    moved(home_care, one, "accepted")

    assert refusal(put(home_care, one, owner=unit(CLINIC)), 422)["requirement"] == "C-18"
    assert put(home_care, one, owner=unit(night)).status_code == 200
    assert read(shared, one)["owner"]["identifier"]["value"] == night
    moved(party(night, provider), one, "in-progress")


@pytest.mark.parametrize(
    "change",
    [
        {"requester": unit(CLINIC)},
        {"code": {"text": "Annat"}},
        {"intent": "plan"},
        {"focus": {"reference": "ServiceRequest/another"}},
        {"partOf": [{"reference": "Task/another"}]},
        {"basedOn": [{"reference": "ServiceRequest/another"}]},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("who", [WARD, HOME_CARE])
def test_c19_what_makes_it_this_task_is_changed_by_nobody(
    shared: httpx.Client, party: Party, who: str, change: dict[str, Any]
) -> None:
    one = created(party(WARD), task(person(shared)))

    answer = put(party(who), one, **change)

    assert refusal(answer, 422)["requirement"] == "C-19", answer.text


def test_c19_nor_is_it_moved_to_another_person(shared: httpx.Client, party: Party) -> None:
    one, another = created(party(WARD), task(person(shared))), {"reference": person(shared)}

    assert refusal(put(party(WARD), one, **{"for": another}), 422)["requirement"] == "C-19"
    refusal(put(party(HOME_CARE), one, **{"for": another}), 403)


def test_c19_the_requester_changes_priority_and_due_time_until_it_is_accepted(
    shared: httpx.Client, party: Party
) -> None:
    one = created(party(WARD), task(person(shared)))
    urgent = {"priority": "urgent", "restriction": {"period": {"end": "2030-01-01"}}}

    assert put(party(WARD), one, **urgent).status_code == 200
    assert read(shared, one)["priority"] == "urgent"
    moved(party(HOME_CARE), one, "accepted")
    assert refusal(put(party(WARD), one, priority="routine"), 422)["requirement"] == "C-19"


@pytest.mark.parametrize("element", ["note", "output", "relevantHistory"])
def test_c20_what_was_noted_stays(shared: httpx.Client, party: Party, element: str) -> None:
    entries = {
        "note": {"text": "Första"},
        "output": {"type": {"text": "Puls"}, "valueInteger": 72},
        "relevantHistory": {"reference": "Provenance/p1"},
    }
    changed = {
        "note": {"text": "Ändrad"},
        "output": {"type": {"text": "Puls"}, "valueInteger": 73},
        "relevantHistory": {"reference": "Provenance/p2"},
    }
    one = placed(shared, person(shared), "in-progress", **{element: [entries[element]]})
    home_care = party(HOME_CARE)

    assert refusal(put(home_care, one, **{element: None}), 422)["requirement"] == "C-20"
    assert refusal(put(home_care, one, **{element: [changed[element]]}), 422)["requirement"] == "C-20"
    assert put(home_care, one, **{element: [entries[element], changed[element]]}).status_code == 200
    assert len(read(shared, one)[element]) == 2


def test_c66_only_who_takes_part_in_a_plan_asks_for_more_in_it(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    based = within(created(shared, plan(patient)))
    one = created(party(WARD), task(patient, **based))
    more = task(patient, requester=unit(HOME_CARE), owner=unit(CLINIC), **based)

    assert refusal(party(HOME_CARE).post("/fhir/Task", json=more), 422)["requirement"] == "C-66"
    moved(party(HOME_CARE), one, "accepted")
    created(party(HOME_CARE), more)


@pytest.mark.parametrize("body", [{"status": "draft"}, {"status": "ready", "owner": unit(HOME_CARE)}], ids=str)
def test_c66_nor_comes_anybody_into_a_plan_by_a_draft_or_by_work_of_his_own(
    shared: httpx.Client, party: Party, body: dict[str, Any]
) -> None:
    patient = person(shared)
    of_care = created(shared, plan(patient))
    created(party(WARD), task(patient))  # So that home care takes part in the care, and may see the plan.
    own = task(patient, **within(of_care) | {"requester": unit(HOME_CARE), "owner": unit(CLINIC)} | body)

    assert refusal(party(HOME_CARE).post("/fhir/Task", json=own), 422)["requirement"] == "C-66"


def test_c1_nothing_is_ready_for_another_as_a_part_of_what_is_not_here_or_not_for_the_caller(
    shared: httpx.Client, party: Party
) -> None:
    unseen = created(party(CLINIC), task(person(shared), requester=unit(CLINIC), owner=unit(STRANGER)))
    for id in ("nowhere", unseen["id"]):
        part = task(person(shared), status="ready", owner=unit(CLINIC), partOf=[{"reference": f"Task/{id}"}])
        assert refusal(party(WARD).post("/fhir/Task", json=part), 422)["requirement"] == "C-1"


def outcome(answered: dict[str, Any]) -> Any:
    """What a dry run says of the rules; nothing where a Task was made."""
    return next((one["resource"]["issue"] for one in answered.get("parameter", ()) if one["name"] == "outcome"), None)


@pytest.mark.parametrize("path", ["/fhir/Task", "/fhir/Task/$validate-transition"])
def test_what_a_new_task_names_is_told_to_nobody_who_may_not_see_it(
    shared: httpx.Client, party: Party, path: str
) -> None:
    patient = person(shared)
    unseen = created(party(CLINIC), task(person(shared), requester=unit(CLINIC), owner=unit(STRANGER)))
    moved(party(STRANGER), unseen, "accepted")
    told = []
    for id in ("nowhere", unseen["id"]):
        focus = {"focus": {"reference": f"Task/{id}"}}
        part = {"code": {"coding": [{"code": "information-request"}]}, "partOf": [{"reference": f"Task/{id}"}]}
        for named in ({"code": {"coding": [{"code": "handover"}]}} | focus, ABORT | focus, part):
            answer = party(WARD).post(path, json=task(patient, **named))
            told.append((answer.status_code, answer.json().get("issue") or outcome(answer.json())))

    assert told[:3] == told[3:]


def test_a_task_is_deleted_by_nobody_but_a_draft_by_its_requester(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one = created(party(WARD), task(patient))
    draft = created(party(WARD), task(patient, status="draft"))

    told = refusal(party(WARD).delete(address(one)), 422)
    assert told["requirement"] == "C-15" and "entered in error" in told["en"]
    refusal(party(HOME_CARE).delete(address(draft)), 403)
    assert party(WARD).delete(address(draft)).status_code == 204
    assert shared.delete(address(one)).status_code == 204


def test_the_operators_word_is_plain_r4(shared: httpx.Client) -> None:
    one = placed(shared, person(shared), "completed")

    assert put(shared, one, status="draft", requester=unit(CLINIC)).status_code == 200


PATCHES = {
    "JSON Patch": (
        "application/json-patch+json",
        '[{"op": "replace", "path": "/status", "value": "STATUS"}]',
    ),
    "FHIRPath Patch": (
        "application/fhir+json",
        """{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Task.status"},
            {"name": "value", "valueCode": "STATUS"}]}]}""",
    ),
    "XML Patch": (
        "application/xml-patch+xml",
        '<diff xmlns="http://hl7.org/fhir"><replace sel="Task/status/@value">STATUS</replace></diff>',
    ),
}


@pytest.mark.parametrize("language", PATCHES)
def test_c49_a_patch_obeys_the_same_rules(shared: httpx.Client, party: Party, language: str) -> None:
    one = created(party(WARD), task(person(shared)))
    media_type, patch = PATCHES[language]

    def patched(who: str, status: str) -> httpx.Response:
        headers = {"content-type": media_type, "accept": "application/fhir+json"}
        return party(who).patch(address(one), content=patch.replace("STATUS", status), headers=headers)

    assert refusal(patched(HOME_CARE, "completed"), 422)["requirement"] == "C-1"
    assert refusal(patched(WARD, "accepted"), 403)["requirement"] == "C-2"
    assert patched(HOME_CARE, "accepted").status_code == 200
    assert read(shared, one)["status"] == "accepted"


def test_a_conditional_update_and_patch_obey_the_same_rules(shared: httpx.Client, party: Party) -> None:
    identifier = {"system": "http://example.org/tasks", "value": fresh()}
    one = created(party(WARD), task(person(shared), identifier=[identifier]))
    condition = f"/fhir/Task?identifier={identifier['system']}|{identifier['value']}"

    refusal(party(WARD).put(condition, json=one | {"status": "accepted"}), 403)
    patch = '[{"op": "replace", "path": "/status", "value": "accepted"}]'
    refusal(party(WARD).patch(condition, content=patch, headers=JSON_PATCH), 403)
    refusal(party(HOME_CARE).delete(condition), 422)
    assert party(HOME_CARE).patch(condition, content=patch, headers=JSON_PATCH).status_code == 200
    assert party(HOME_CARE).put(condition, json=read(shared, one) | {"status": "in-progress"}).status_code == 200
    assert read(shared, one)["status"] == "in-progress"


def bundle(kind: str, *bodies: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in bodies
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def test_a_transaction_is_refused_whole_and_a_batch_entry_by_entry(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    one, other = created(party(WARD), task(patient)), created(party(WARD), task(patient))
    accepted, early = one | {"status": "accepted"}, other | {"status": "completed"} | REPORT
    home_care = party(HOME_CARE)

    answer = home_care.post("/fhir", json=bundle("transaction", accepted, early))
    assert refusal(answer, 422)["path"].startswith("Bundle.entry[1]"), answer.text
    assert read(shared, one)["status"] == "requested"

    answer = home_care.post("/fhir", json=bundle("batch", accepted, early))
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]] == ["200", "422"]
    assert read(shared, one)["status"] == "accepted"
    assert read(shared, other)["status"] == "requested"


def test_a_transaction_may_make_a_task_and_its_part(shared: httpx.Client, party: Party) -> None:
    patient = person(shared)
    whole = task(patient, id=fresh(), status="ready", owner=unit(WARD))
    part = task(patient, id=fresh(), status="ready", owner=unit(WARD), partOf=[{"reference": f"Task/{whole['id']}"}])

    answer = party(WARD).post("/fhir", json=bundle("transaction", whole, part))

    assert answer.status_code == 200, answer.text


def test_what_is_sent_back_as_it_was_read_makes_no_version(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))

    answer = put(party(HOME_CARE), one)

    assert answer.status_code == 200
    assert answer.json()["meta"]["versionId"] == one["meta"]["versionId"]
    assert shared.get(f"{address(one)}/_history").json()["total"] == 1


def test_each_move_is_a_version(shared: httpx.Client, party: Party) -> None:
    one = created(party(WARD), task(person(shared)))
    for status in ("received", "accepted", "in-progress"):
        moved(party(HOME_CARE), one, status)
    versions = shared.get(f"{address(one)}/_history").json()["entry"]

    assert [entry["resource"]["status"] for entry in versions] == ["in-progress", "accepted", "received", "requested"]


def test_who_is_asked_by_a_role_of_his_takes_part_in_the_care(shared: httpx.Client, party: Party) -> None:
    """C-4, C-65: the organisation of the PractitionerRole that is named reads what it is asked, and answers."""
    hsa_id = fresh("SE2120001348-R")
    role = created(shared, {"resourceType": "PractitionerRole", "organization": unit(hsa_id)})
    patient = person(shared)
    one = created(party(WARD), task(patient, owner={"reference": f"PractitionerRole/{role['id']}"}))
    assert read(party(hsa_id), one)["id"] == one["id"]
    assert party(hsa_id).get(f"/fhir/{patient}").status_code == 200
    assert party(STRANGER).get(f"/fhir/{patient}").status_code == 404
    moved(party(hsa_id), one, "accepted")
