"""Plans and teams follow from the Tasks that organisations write, in one unit of work (C-22 to C-35)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from gateway.access.caller import Caller
from gateway.app import Gateway
from gateway.coordination.recorder import Recorder
from gateway.ingest.rebuild import rebuild, store_anew
from gateway.tables import resource
from tests.rest import parties

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


@pytest.mark.parametrize("kinds", [("CareTeam",), ("CarePlan", "CareTeam")], ids=" and ".join)
def test_a_team_is_stored_anew_by_the_plan_that_it_follows_from(
    ward: httpx.Client, client_of: Client, gateway: Gateway, kinds: tuple[str, ...]
) -> None:
    asked = made(ward, task(NURSES, made(ward, plan())["id"]))
    assert move(client_of(NURSES), asked, "accepted").status_code == 200
    altered = update(resource).where(resource.c.resource_type.in_(kinds)).values(person="x")
    gateway.store.write(lambda uow: uow._connection.execute(altered))

    found = rebuild(gateway.store, Recorder(), lambda *_: None)
    store_anew(gateway.store, Recorder(), found, gateway.clock, lambda *_: None)

    assert (found.stored, found.left) == (len(kinds), [])
    assert rebuild(gateway.store, Recorder(), lambda *_: None).different == []


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


# --- C-22: who changes what of a plan ------------------------------------------------------------------------------


@pytest.fixture
def within(ward: httpx.Client, client_of: Client) -> tuple[str, httpx.Client, httpx.Client]:
    """A plan of the ward's, of which the nurses have a Task in hand."""
    of_care = made(ward, plan(title="Plan"))["id"]
    nurses = client_of(NURSES)
    assert move(nurses, made(ward, task(NURSES, of_care)), "accepted").status_code == 200
    return of_care, ward, nurses


def change(client: httpx.Client, kind: str, id: str, **changes: Any) -> httpx.Response:
    body = client.get(f"/fhir/{kind}/{id}").json() | changes
    return client.put(f"/fhir/{kind}/{id}", json={name: value for name, value in body.items() if value is not None})


def test_members_and_coordinator_write_what_is_shared_together(within: tuple[str, httpx.Client, httpx.Client]) -> None:
    """C-22: title, description, goal, addresses, note, supportingInfo; what one takes away stays away."""
    of_care, ward, nurses = within
    goals = [{"display": "Läkt sår"}, {"display": "Gå själv"}]
    assert change(nurses, "CarePlan", of_care, title="Sår", goal=goals).status_code == 200
    found = ward.get(f"/fhir/CarePlan/{of_care}").json()
    assert (found["title"], found["goal"]) == ("Sår", goals)
    assert change(ward, "CarePlan", of_care, goal=goals[1:], note=[{"text": "x"}]).status_code == 200
    assert change(nurses, "CarePlan", of_care, description="Se till såret", note=None).status_code == 200
    found = ward.get(f"/fhir/CarePlan/{of_care}").json()
    assert (found["goal"], found["title"], found["description"]) == (goals[1:], "Sår", "Se till såret")
    assert "note" not in found
    assert "tag" not in found["meta"]
    assert len(found["activity"]) == 1


DETAIL, ELSEWHERE = {"detail": {"status": "unknown"}}, {"reference": {"reference": "Task/x"}}
TEAM = {"contained": [{"resourceType": "CareTeam", "id": "t"}], "supportingInfo": [{"reference": "#t"}]}
REFUSED: tuple[tuple[str, dict[str, Any], int, str, str], ...] = (
    ("ward", {"intent": "plan"}, 422, "plan-element-fixed", "CarePlan.intent"),
    ("ward", {"author": {"display": "Någon"}}, 422, "plan-element-fixed", "CarePlan.author"),
    ("ward", {"extension": None}, 422, "plan-custodian-fixed", "CarePlan.extension"),
    ("ward", {"activity": None}, 422, "plan-element-follows", "CarePlan.activity"),
    ("ward", {"activity": [ELSEWHERE]}, 422, "plan-element-follows", "CarePlan.activity[0].reference"),
    ("ward", {"activity": [DETAIL]}, 422, "plan-activity-detail", "CarePlan.activity[0].detail"),
    ("ward", {"careTeam": None}, 422, "plan-element-follows", "CarePlan.careTeam"),
    ("ward", TEAM, 422, "plan-element-follows", "CarePlan.contained[0]"),
    ("nurses", {"status": "completed"}, 403, "plan-element-of-coordinator", "CarePlan.status"),
    ("nurses", {"period": {"start": "2026-03-01"}}, 403, "plan-element-of-coordinator", "CarePlan.period"),
    ("nurses", {"extension": None}, 422, "plan-custodian-fixed", "CarePlan.extension"),
    ("nurses", {"language": "sv"}, 403, "plan-element-of-coordinator", "CarePlan.language"),
    ("nurses", {"meta": {"security": [{"code": "R"}]}}, 403, "plan-element-of-coordinator", "CarePlan.meta.security"),
    ("centre", {"title": "x"}, 403, "plan-not-yours", "CarePlan"),
)


def test_what_nobody_or_another_may_change_is_refused_with_its_path(
    within: tuple[str, httpx.Client, httpx.Client], client_of: Client
) -> None:
    """C-22; in Swedish and English (C-85)."""
    of_care, ward, nurses = within
    made(ward, task(CENTRE, None))  # The centre takes part in the care, and not in the plan.
    callers = {"ward": ward, "nurses": nurses, "centre": client_of(CENTRE)}
    version = ward.get(f"/fhir/CarePlan/{of_care}").headers["etag"]
    for caller, changes, status, rule, path in REFUSED:
        told = parties.refusal(change(callers[caller], "CarePlan", of_care, **changes), status)
        assert (told["rule"], told["path"]) == (rule, path), changes
        assert told["requirement"] in ("C-22", "C-32")
        assert told["sv"]
        assert told["sv"] != told["en"]
    assert ward.get(f"/fhir/CarePlan/{of_care}").headers["etag"] == version


def test_a_plan_is_deleted_by_its_coordinator_only_and_that_is_a_change_of_its_status(
    within: tuple[str, httpx.Client, httpx.Client],
) -> None:
    """C-22."""
    of_care, ward, nurses = within
    assert parties.refusal(nurses.delete(f"/fhir/CarePlan/{of_care}"), 403)["rule"] == "plan-deleted-by-another"
    assert ward.delete(f"/fhir/CarePlan/{of_care}").is_success
    found = nurses.get(f"/fhir/CarePlan/{of_care}").json()
    assert found["status"] == "revoked"
    assert nurses.get(f"/fhir/CareTeam/{of_care}").json()["status"] == "inactive"
    late = ward.post("/fhir/Task", json=task(NURSES, of_care))
    assert parties.refusal(late, 422)["rule"] == "task-plan-ended"


def test_members_write_beside_the_participants_that_follow_and_not_those(
    within: tuple[str, httpx.Client, httpx.Client], client_of: Client
) -> None:
    """C-23: as IHE DCTM has it, with what follows protected."""
    of_care, ward, nurses = within
    team = ward.get(f"/fhir/CareTeam/{of_care}").json()
    contact = {"member": {"type": "Practitioner", "display": "Test Testsson"}}
    more = [*team["participant"], contact]
    answer = change(nurses, "CareTeam", of_care, participant=more, name="Teamet")
    assert answer.status_code == 200, answer.text
    found = ward.get(f"/fhir/CareTeam/{of_care}").json()
    assert (found["name"], found["participant"]) == ("Teamet", more)
    tag = {"system": "urn:test", "code": "seen"}
    assert change(nurses, "CarePlan", of_care, meta={"tag": [tag]}).status_code == 200
    assert tag in ward.get(f"/fhir/CarePlan/{of_care}").json()["meta"]["tag"]
    for changes, path in (
        ({"participant": [contact]}, "CareTeam.participant"),
        ({"status": "inactive"}, "CareTeam.status"),
        ({"language": "sv"}, "CareTeam.language"),
    ):
        told = parties.refusal(change(nurses, "CareTeam", of_care, **changes), 422)
        assert (told["rule"], told["requirement"], told["path"]) == ("team-follows", "C-23", path)
    made(ward, task(CENTRE, None))
    assert parties.refusal(change(client_of(CENTRE), "CareTeam", of_care, name="x"), 403)["rule"] == "plan-not-yours"
    assert parties.refusal(ward.delete(f"/fhir/CareTeam/{of_care}"), 422)["rule"] == "team-not-deleted"
    assert change(ward, "CareTeam", of_care, participant=team["participant"]).status_code == 200
    assert ward.get(f"/fhir/CareTeam/{of_care}").json()["participant"] == team["participant"]


def test_who_makes_a_plan_is_its_custodian_and_nobody_is_in_anothers_name(ward: httpx.Client) -> None:
    """C-31."""
    bare = plan()
    del bare["author"]
    found = made(ward, bare)
    keeper = found["extension"][0]["valueReference"]["identifier"]["value"]
    assert (keeper, found["author"]["identifier"]["value"]) == (WARD, WARD)
    told = parties.refusal(ward.post("/fhir/CarePlan", json=plan(author=unit(NURSES))), 403)
    assert (told["rule"], told["requirement"]) == ("plan-of-another-custodian", "C-31")
    told = parties.refusal(ward.post("/fhir/CarePlan", json=plan(activity=[{"detail": {"status": "unknown"}}])), 422)
    assert (told["rule"], told["requirement"]) == ("plan-activity-detail", "C-32")


def test_a_plan_and_its_tasks_come_in_one_transaction(ward: httpx.Client) -> None:
    """C-32: the plan may name the Tasks that are written beside it."""
    of_care, asked = (f"urn:uuid:5a1b6a6e-6b5c-4c8e-9a0e-0d5b3f3f000{number}" for number in (1, 2))
    resources = {
        of_care: plan(activity=[{"reference": {"reference": asked}}]),
        asked: task(NURSES, None, basedOn=[{"reference": of_care}]),
    }
    entries = [
        {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for url, one in resources.items()
    ]
    answer = ward.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    id, task_id = (one["response"]["location"].split("/")[-3] for one in answer.json()["entry"])
    found = ward.get(f"/fhir/CarePlan/{id}").json()
    assert found["activity"] == [{"reference": {"reference": f"Task/{task_id}"}}]


# --- C-25 and C-26: the plan of a Task ------------------------------------------------------------------------------


def test_a_task_may_come_to_a_plan_of_its_own_with_it(ward: httpx.Client, client_of: Client) -> None:
    """C-25: plan, team and Task at once; and an active one in the same context is offered instead."""
    first = made(ward, task(NURSES, None, code={"text": "Omläggning"}), **{"X-Care-Plan": "offer"})
    of_care = first["basedOn"][0]["reference"].removeprefix("CarePlan/")
    found = ward.get(f"/fhir/CarePlan/{of_care}").json()
    assert (found["status"], found["intent"], found["title"]) == ("active", "order", "Omläggning")
    assert found["activity"] == [{"reference": {"reference": f"Task/{first['id']}"}}]
    team = client_of(NURSES).get(f"/fhir/CareTeam/{of_care}").json()
    assert [one["role"][0]["coding"][0]["code"] for one in team["participant"]] == ["subject", "custodian"]
    again = ward.post("/fhir/Task", json=task(CENTRE, None), headers={"X-Care-Plan": "offer"})
    told = parties.refusal(again, 409)
    assert (told["rule"], told["requirement"]) == ("plan-exists", "C-25")
    assert again.json()["issue"][0]["diagnostics"] == f"CarePlan/{of_care}"
    assert made(ward, task(CENTRE, of_care))["basedOn"] == first["basedOn"]
    other = made(ward, task(CENTRE, None), **{"X-Care-Plan": "new"})
    assert other["basedOn"] != first["basedOn"]


def test_without_being_asked_for_there_is_no_plan(ward: httpx.Client) -> None:
    """C-25: a plain client is not surprised by a plan."""
    assert "basedOn" not in made(ward, task(NURSES, None))
    assert ward.get("/fhir/CarePlan", params={"patient": "p"}).json()["total"] == 0
    wrong = ward.post("/fhir/Task", json=task(NURSES, None), headers={"X-Care-Plan": "perhaps"})
    assert parties.refusal(wrong, 400)["rule"] == "header-malformed"
    nobody = task(NURSES, None)
    del nobody["for"]
    assert ward.post("/fhir/Task", json=nobody, headers={"X-Care-Plan": "new"}).status_code in (403, 422)


def test_a_plan_of_another_encounter_is_not_offered(ward: httpx.Client) -> None:
    """C-25: the same patient and context."""
    stays = [{"encounter": {"reference": f"Encounter/{id}"}} for id in ("e1", "e2")]
    first, second = (made(ward, task(NURSES, None, **stay), **{"X-Care-Plan": "offer"}) for stay in stays)
    assert first["basedOn"] != second["basedOn"]


def test_tasks_of_one_transaction_come_to_one_plan(ward: httpx.Client) -> None:
    """C-25."""
    entries = [{"resource": task(one, None), "request": {"method": "POST", "url": "Task"}} for one in (NURSES, CENTRE)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert ward.post("/fhir", json=bundle, headers={"X-Care-Plan": "offer"}).status_code == 200
    (entry,) = ward.get("/fhir/CarePlan", params={"patient": "p"}).json()["entry"]
    assert len(entry["resource"]["activity"]) == 2


def test_a_task_is_based_on_one_plan_of_the_same_person_that_the_caller_may_see(
    ward: httpx.Client, operator: httpx.Client, client_of: Client
) -> None:
    """C-26: the same person after resolution of identities, not the same string."""
    person = {"resourceType": "Patient", "id": "q", "managingOrganization": unit(CENTRE), "active": True}
    assert operator.put("/fhir/Patient/q", json=person).status_code == 201
    theirs = made(client_of(CENTRE), plan(author=unit(CENTRE), subject={"reference": "Patient/q"}))["id"]
    ours, other = made(ward, plan())["id"], made(ward, plan())["id"]
    for named in (theirs, "none"):
        told = parties.refusal(ward.post("/fhir/Task", json=task(NURSES, named)), 422)
        assert (told["rule"], told["path"], told["requirement"]) == ("task-plan-unknown", "Task.basedOn[0]", "C-26")
    two = [{"reference": f"CarePlan/{id}"} for id in (ours, other)]
    assert (
        parties.refusal(ward.post("/fhir/Task", json=task(NURSES, None, basedOn=two)), 422)["rule"]
        == "task-plans-several"
    )
    made(client_of(CENTRE), task(WARD, theirs, requester=unit(CENTRE)) | {"for": {"reference": "Patient/q"}})
    told = parties.refusal(ward.post("/fhir/Task", json=task(NURSES, theirs)), 422)
    assert told["rule"] == "task-plan-of-another-person"


# --- C-34 and C-35: plans within plans, and plans that go on as one --------------------------------------------------

MERGER = {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/task", "code": "merge-plans"}]}


def content(client: httpx.Client, *references: str) -> list[dict[str, Any]]:
    """Resources as they are, but for their versions."""
    found = [client.get(f"/fhir/{one}").json() for one in references]
    return [{name: value for name, value in one.items() if name != "meta"} for one in found]


def test_two_plans_go_on_as_one_by_a_task_of_both_custodians_and_are_two_again_when_it_is_cancelled(
    within: tuple[str, httpx.Client, httpx.Client], client_of: Client, gateway: Gateway
) -> None:
    """C-35: request and acceptance, old addresses stay, undo restores the identical state."""
    stays, ward, nurses = within
    goes = made(nurses, plan(author=unit(NURSES), title="Kommunens plan"))["id"]
    centre = client_of(CENTRE)
    visit = made(nurses, task(CENTRE, goes, requester=unit(NURSES)))
    assert move(centre, visit, "accepted").status_code == 200
    things = [f"{kind}/{id}" for kind in ("CarePlan", "CareTeam") for id in (stays, goes)]
    before = content(ward, *things)

    focus = {"reference": f"CarePlan/{goes}"}
    asked = made(ward, task(NURSES, stays, code=MERGER, focus=focus))
    assert content(ward, *things) == before
    assert move(nurses, asked, "accepted").status_code == 200
    one, other, team, old_team = content(ward, *things)
    assert one["replaces"] == [focus]
    assert [entry["reference"]["reference"] for entry in one["activity"]][-1] == f"Task/{visit['id']}"
    assert (other["status"], old_team["status"]) == ("revoked", "inactive")
    assert other["extension"][-1]["valueReference"] == {"reference": f"CarePlan/{stays}"}
    assert {entry["member"]["identifier"]["value"] for entry in team["participant"][1:]} == {WARD, NURSES, CENTRE}
    assert parties.refusal(change(nurses, "CarePlan", goes, title="x"), 422)["requirement"] == "C-35"
    assert parties.refusal(ward.post("/fhir/Task", json=task(NURSES, goes)), 422)["rule"] == "task-plan-ended"
    assert change(ward, "CarePlan", stays, period={"start": "2026-03-01"}).status_code == 200
    assert change(ward, "CarePlan", stays, period=None).status_code == 200
    assert rebuild(gateway.store, Recorder(), lambda done, total: None).different == []

    undone = move(ward, asked, "cancelled", statusReason={"text": "Fel plan"})
    assert undone.status_code == 200, undone.text
    assert content(ward, *things) == before
    assert rebuild(gateway.store, Recorder(), lambda done, total: None).different == []


def test_a_plan_within_a_plan_has_a_team_of_its_own_and_is_not_told_of_by_the_whole(
    within: tuple[str, httpx.Client, httpx.Client], client_of: Client
) -> None:
    """C-34: the parent says nothing of its parts; who may see them finds them by a search, as anything."""
    whole, ward, nurses = within
    before = content(ward, f"CarePlan/{whole}", f"CareTeam/{whole}")
    part = made(nurses, plan(author=unit(NURSES), partOf=[{"reference": f"CarePlan/{whole}"}]))["id"]
    visit = made(nurses, task(CENTRE, part, requester=unit(NURSES)))
    assert move(client_of(CENTRE), visit, "accepted").status_code == 200
    assert owners(nurses, part) == [(CENTRE, True)]
    assert content(ward, f"CarePlan/{whole}", f"CareTeam/{whole}") == before
    found = ward.get("/fhir/CarePlan", params={"part-of": f"CarePlan/{whole}"}).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [part]
    stranger = client_of("SE5560000000-T0001")
    assert stranger.get(f"/fhir/CarePlan/{part}").status_code == 404
    assert stranger.get("/fhir/CarePlan", params={"part-of": f"CarePlan/{whole}"}).json()["total"] == 0
    elsewhere = plan(author=unit(NURSES), partOf=[{"reference": "CarePlan/none"}])
    told = parties.refusal(nurses.post("/fhir/CarePlan", json=elsewhere), 422)
    assert (told["rule"], told["requirement"], told["path"]) == ("plan-whole-unknown", "C-34", "CarePlan.partOf[0]")


# --- C-33: as it was ------------------------------------------------------------------------------------------------


def test_a_plan_and_its_team_are_told_as_they_were_at_any_time(ward: httpx.Client, client_of: Client) -> None:
    """C-33: statuses and members by time; what came later is not known before."""
    of_care = made(ward, plan())["id"]
    nurses = client_of(NURSES)
    asked = made(ward, task(NURSES, of_care))
    assert move(nurses, asked, "accepted").status_code == 200
    with_nurses = ward.get(f"/fhir/CareTeam/{of_care}").json()
    assert move(nurses, asked, "in-progress").status_code == 200
    report = [{"type": {"text": "r"}, "valueString": "done"}]
    assert move(nurses, asked, "completed", output=report).status_code == 200
    assert change(ward, "CarePlan", of_care, status="completed").status_code == 200

    def told(**params: str) -> dict[str, list[Any]]:
        answer = nurses.get(f"/fhir/CarePlan/{of_care}/$as-of", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, list[Any]] = {}
        for one in answer.json()["parameter"]:
            found.setdefault(one["name"], []).append(one.get("resource") or parts(one["part"]))
        return found

    now = told()
    assert now["plan"][0]["status"] == "completed"
    assert [one["status"] for one in now["statusHistory"]] == ["active", "completed"]
    assert now["statusHistory"][0]["period"]["end"] == now["statusHistory"][1]["period"]["start"]
    owned = [one for one in now["teamHistory"] if one["role"] == "owner"]
    assert [one["member"]["identifier"]["value"] for one in owned] == [NURSES]
    assert "end" in owned[0]["period"]

    then = told(at=owned[0]["period"]["start"])
    assert then["plan"][0]["status"] == "active"
    assert [one["status"] for one in then["statusHistory"]] == ["active"]
    assert "end" not in next(one for one in then["teamHistory"] if one["role"] == "owner")["period"]
    assert then["team"][0]["participant"] == with_nurses["participant"]
    made_at = now["statusHistory"][0]["period"]["start"]
    assert "team" not in told(at=made_at)
    assert "team" not in told(**{"known-at": made_at})
    before = nurses.get(f"/fhir/CarePlan/{of_care}/$as-of", params={"at": "2020-01-01"})
    assert parties.refusal(before, 404)["rule"] == "not-yet"
    assert client_of(CENTRE).get(f"/fhir/CarePlan/{of_care}/$as-of").status_code == 404
    assert nurses.get(f"/fhir/CarePlan/{of_care}/$as-of", params={"when": "2020"}).status_code == 400


def parts(given: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["name"]: next(value for name, value in one.items() if name.startswith("value")) for one in given}
