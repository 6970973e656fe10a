"""C-34: a plan within a plan that is for its own team only, and who must not see everything: by every way to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from gateway.coordination.compartments import COMPARTMENT, WITHIN, compartments
from gateway.ingest.rebuild import rebuild
from tests.rest.parties import created, moved, put, read, refusal, unit

WARD, NURSES, THERAPY, TOWN = "SE2321000131-P110", "SE2120001348-P100", "SE2321000131-P400", "SE2120001348-P300"
TEAM_ONLY = {"system": "https://samverka.example/fhir/CodeSystem/security-label", "code": "plan-team-only"}
Body = dict[str, Any]
Party = Callable[..., httpx.Client]


def plan(patient: str, by: str, **more: Any) -> Body:
    made: Body = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": patient}}
    return made | {"author": unit(by)} | more


def task(patient: str, by: str, to: str, of: Body | None = None, **more: Any) -> Body:
    made: Body = {"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": patient}}
    made |= {"requester": unit(by), "owner": unit(to), "description": "Samtal"}
    return made | ({"basedOn": [{"reference": f"CarePlan/{of['id']}"}]} if of else {}) | more


class Plans:
    """A whole that the ward answers for, and within it what the therapist does: for those alone who do it."""

    def __init__(self, operator: httpx.Client, party: Party, *, closed: bool = True) -> None:
        self.party, self.operator = party, operator
        self.patient = f"Patient/{created(operator, {'resourceType': 'Patient'})['id']}"
        for to in (NURSES, THERAPY, TOWN):  # All take part in the person's care.
            moved(party(to), created(party(WARD), task(self.patient, WARD, to)), "accepted")
        self.whole = created(party(WARD), plan(self.patient, WARD, title="Helheten"))
        visit = created(party(WARD), task(self.patient, WARD, NURSES, self.whole))
        moved(party(NURSES), visit, "accepted")
        label = {"meta": {"security": [TEAM_ONLY]}} if closed else {}
        within = {"partOf": [{"reference": f"CarePlan/{self.whole['id']}"}]}
        self.part = created(party(THERAPY), plan(self.patient, THERAPY, title="Delen", **within, **label))
        self.talk = created(party(THERAPY), task(self.patient, THERAPY, NURSES, self.part))
        self.team = {"resourceType": "CareTeam", "id": self.part["id"]}

    def seen(self, hsa_id: str) -> set[str]:
        """What of the part a caller is told, by every way to ask."""
        client, person = self.party(hsa_id), self.patient
        wanted = {f"{one['resourceType']}/{one['id']}" for one in (self.part, self.talk, self.team)}
        told = "".join(client.get(f"/fhir/{one}").text for one in wanted)
        told += "".join(client.get(f"/fhir/{one}/_history").text for one in wanted)
        for path in (
            f"CarePlan?part-of=CarePlan/{self.whole['id']}",
            f"CarePlan?patient={person}&_include=*",
            f"CarePlan?_id={self.whole['id']}&_revinclude=CarePlan:part-of",
            f"CareTeam?patient={person}",
            f"Task?patient={person}",
            f"Task?based-on=CarePlan/{self.part['id']}",
            f"{person}/_history",
            "CarePlan/_history",
            f"{person}/$everything",
            f"{person}/$who-does-what",
            f"CarePlan/{self.part['id']}/$as-of",
            f"Task/{self.talk['id']}/$next-steps",
        ):
            told += client.get(f"/fhir/{path}").text
        return {one.partition("/")[0] for one in wanted if _is_told(told, one)}


def _is_told(told: str, reference: str) -> bool:
    """As a resource, or by its address; not where a refusal or a link says what was asked for."""
    kind, id = reference.split("/")
    return f'"resourceType":"{kind}","id":"{id}"' in told


@pytest.fixture(scope="module")
def plans(shared: httpx.Client, party: Party) -> Plans:
    return Plans(shared, party)


def test_a_plan_for_its_team_only_is_not_told_to_others_in_the_persons_care(plans: Plans) -> None:
    """C-34: nor are its team and its Tasks, and the whole does not say that it is there."""
    assert plans.seen(THERAPY) == {"CarePlan", "CareTeam", "Task"}
    assert plans.seen(TOWN) == set()
    assert plans.seen(WARD) == set(), "Who answers for the whole is not within the part."


def test_who_is_asked_sees_what_he_is_asked_and_the_plan_once_he_takes_part(plans: Plans) -> None:
    """C-34, C-65."""
    assert plans.seen(NURSES) == {"Task"}
    moved(plans.party(NURSES), plans.talk, "accepted")
    assert plans.seen(NURSES) == {"CarePlan", "CareTeam", "Task"}
    report = [{"type": {"text": "Rapport"}, "valueString": "Klart"}]
    moved(plans.party(NURSES), plans.talk, "in-progress")
    moved(plans.party(NURSES), plans.talk, "completed", output=report)
    assert plans.seen(NURSES) == {"CarePlan", "CareTeam", "Task"}, "Who was in the team goes on seeing it."
    assert plans.seen(WARD) == set()


def corrected(here: Plans) -> list[str]:
    """The Task of the part is done, and then corrected by the nurses; the ways to ask who corrected what and why."""
    for status in ("accepted", "in-progress", "completed"):
        report = {"output": [{"type": {"text": "Rapport"}, "valueString": "Klart"}]} if status == "completed" else {}
        moved(here.party(NURSES), here.talk, status, **report)
    now = read(here.operator, here.talk)
    sent = [
        {"name": "resource", "resource": now | {"status": "failed", "statusReason": {"text": "Ingen öppnade"}}},
        {"name": "reason", "valueString": "Ingen var hemma"},
    ]
    answer = here.party(NURSES).post(
        f"/fhir/Task/{here.talk['id']}/$correct", json={"resourceType": "Parameters", "parameter": sent}
    )
    assert answer.status_code == 200, answer.text
    return [f"Provenance?target=Task/{here.talk['id']}", "Provenance/_history"]


def tells(client: httpx.Client, ways: list[str]) -> set[bool]:
    """Whether he is told of the correction, by each way."""
    return {"Ingen var hemma" in client.get(f"/fhir/{path}", params={"_count": "500"}).text for path in ways}


def test_a_correction_within_a_closed_plan_is_told_to_who_is_within(shared: httpx.Client, party: Party) -> None:
    """C-34, C-15: its Provenance says that there is a Task, who corrected it and why."""
    here = Plans(shared, party)
    ways = corrected(here)
    assert tells(shared, ways) == tells(party(NURSES), ways) == tells(party(THERAPY), ways) == {True}
    assert tells(party(TOWN), ways) == tells(party(WARD), ways) == {False}
    assert here.seen(TOWN) == set()


def test_a_correction_from_before_a_plan_was_closed_is_closed_with_it(
    shared: httpx.Client, party: Party, shared_gateway: Gateway
) -> None:
    """C-34, C-15: and open with it again."""
    here = Plans(shared, party, closed=False)
    ways = corrected(here)
    assert tells(party(TOWN), ways) == {True}
    (entry,) = party(TOWN).get(f"/fhir/{ways[0]}").json()["entry"]
    address = f"/fhir/Provenance/{entry['resource']['id']}"
    version = f"{address}/_history/{entry['resource']['meta']['versionId']}"
    assert put(party(THERAPY), here.part, meta={"security": [TEAM_ONLY]}).status_code == 200
    assert tells(party(TOWN), ways) == {False}
    assert [party(TOWN).get(one).status_code for one in (address, version)] == [404, 404]
    assert [party(THERAPY).get(one).status_code for one in (address, version)] == [200, 200]
    assert rebuild(shared_gateway.store, shared_gateway.ingest.recorder, lambda done, total: None).different == []
    assert put(party(THERAPY), here.part, meta=None).status_code == 200
    assert tells(party(TOWN), ways) == {True}
    assert rebuild(shared_gateway.store, shared_gateway.ingest.recorder, lambda done, total: None).different == []


def test_a_correction_of_a_task_that_leaves_a_closed_plan_is_open_again(
    shared: httpx.Client, party: Party, shared_gateway: Gateway
) -> None:
    """C-34: it is closed by what it is about as that is now."""
    here = Plans(shared, party)
    ways = corrected(here)
    now = read(shared, here.talk)
    left = {name: value for name, value in now.items() if name != "basedOn"}
    assert shared.put(f"/fhir/Task/{here.talk['id']}", json=left).status_code == 200
    assert tells(party(TOWN), ways) == {True}
    assert rebuild(shared_gateway.store, shared_gateway.ingest.recorder, lambda done, total: None).different == []


def test_who_is_in_the_part_alone_does_not_see_a_whole_that_is_for_its_team(shared: httpx.Client, party: Party) -> None:
    """C-34: the member that must not see everything."""
    here = Plans(shared, party)
    labelled = put(party(WARD), here.whole, meta={"security": [TEAM_ONLY]})
    assert labelled.status_code == 200, labelled.text
    assert party(THERAPY).get(f"/fhir/CarePlan/{here.whole['id']}").status_code == 404
    assert party(NURSES).get(f"/fhir/CarePlan/{here.whole['id']}").status_code == 200
    assert party(THERAPY).get(f"/fhir/CareTeam/{here.whole['id']}").status_code == 404
    assert here.seen(THERAPY) == {"CarePlan", "CareTeam", "Task"}


def test_without_the_label_the_part_is_told_to_whoever_takes_part_in_the_care(
    shared: httpx.Client, party: Party, shared_gateway: Gateway
) -> None:
    """C-34: the policy is the plan's, and can be changed by who answers for it, and nobody else."""
    here = Plans(shared, party, closed=False)
    assert here.seen(TOWN) == {"CarePlan", "CareTeam", "Task"}
    before = read(shared, here.talk)["meta"]["versionId"]
    told = refusal(put(party(TOWN), here.part, meta={"security": [TEAM_ONLY]}), 403)
    assert told["rule"] in ("plan-not-yours", "plan-element-of-coordinator")
    closed = put(party(THERAPY), here.part, meta={"security": [TEAM_ONLY]})
    assert closed.status_code == 200, closed.text
    assert here.seen(TOWN) == set(), "Its Tasks are closed with it."
    assert party(TOWN).get(f"/fhir/Task/{here.talk['id']}/_history/{before}").status_code == 404
    assert before not in party(TOWN).get("/fhir/Task/_history", params={"_count": "500"}).text
    assert party(THERAPY).get(f"/fhir/Task/{here.talk['id']}/_history/{before}").status_code == 200
    answer = party(TOWN).post("/fhir/Task", json=task(here.patient, TOWN, THERAPY, here.part))
    assert refusal(answer, 422)["rule"] == "task-plan-unknown"
    opened = put(party(THERAPY), here.part, meta=None)
    assert opened.status_code == 200, opened.text
    assert here.seen(TOWN) == {"CarePlan", "CareTeam", "Task"}
    assert "meta" not in read(shared, here.talk) or "security" not in read(shared, here.talk)["meta"]
    assert rebuild(shared_gateway.store, shared_gateway.ingest.recorder, lambda done, total: None).different == []


def test_what_was_read_back_and_written_states_no_label_of_its_own(shared: httpx.Client, party: Party) -> None:
    """C-34: the labels follow from the plan, whoever sends them back."""
    here = Plans(shared, party)
    noted = put(party(NURSES), here.talk, note=[{"text": "Ring först"}])
    assert noted.status_code == 200, noted.text
    assert put(party(THERAPY), here.part, meta=None).status_code == 200
    assert "security" not in read(shared, here.talk).get("meta", {})


def test_nobody_gets_within_by_what_he_writes_of_a_person_of_the_same_name(plans: Plans, party: Party) -> None:
    """C-65: the name follows from an id that others may have seen before the plan was closed."""
    (name,) = compartments(read(plans.operator, plans.part))
    answer = party(TOWN).post("/fhir/Task", json=task(f"Patient/{name}", TOWN, TOWN))
    assert answer.is_error, answer.text
    assert plans.seen(TOWN) == set()


def test_nobody_closes_what_is_in_no_plan_by_stating_a_label(plans: Plans, party: Party) -> None:
    """C-34: the labels follow from plans alone, and hide nothing that others have said."""
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "Vikt"}}
    made = created(party(WARD), body | {"subject": {"reference": plans.patient}})
    label = {"system": COMPARTMENT, "code": f"{WITHIN}x"}
    assert put(party(TOWN), made, meta={"security": [label]}).status_code == 200
    answer = party(WARD).get(f"/fhir/Observation/{made['id']}")
    assert answer.status_code == 200, answer.text
    assert "security" not in answer.json()["meta"]


def test_a_plan_closed_since_is_not_told_by_asking_what_was_known_before(shared: httpx.Client, party: Party) -> None:
    """C-34: as by its history."""
    here = Plans(shared, party, closed=False)
    then = read(shared, here.talk)["meta"]["lastUpdated"]
    assert put(party(THERAPY), here.part, meta={"security": [TEAM_ONLY]}).status_code == 200
    for hsa_id, told in ((TOWN, False), (THERAPY, True)):
        answer = party(hsa_id).get(f"/fhir/{here.patient}/$who-does-what", params={"known-at": then})
        assert answer.status_code == 200, answer.text
        assert (here.part["id"] in answer.text) is told


@pytest.mark.postgres
def test_it_is_the_same_on_postgresql(operator: httpx.Client, client_of: Party, gateway: Gateway) -> None:
    """C-34."""
    made: dict[str, httpx.Client] = {}
    here = Plans(operator, lambda hsa_id: made.setdefault(hsa_id, client_of(hsa_id)))
    assert (here.seen(TOWN), here.seen(NURSES)) == (set(), {"Task"})
    assert rebuild(gateway.store, gateway.ingest.recorder, lambda done, total: None).different == []
