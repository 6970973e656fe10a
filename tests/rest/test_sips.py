"""A SIP is written over REST: the law's four questions and consent, who is asked, and who sees it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.rest.parties import fresh, refusal

HSA = "urn:oid:1.2.752.29.4.19"
BASE = "https://samverka.example/fhir"
REGION, CENTRE, REHAB = "SE2321000131-S0000", "SE2321000131-S0400", "SE2321000131-S0430"
TOWN, NURSES = "SE2120001348-S0000", "SE2120001348-S0100"
Party = Callable[..., httpx.Client]


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


def organisation(hsa_id: str, huvudman: str, above: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": hsa_id.lower(), "name": hsa_id}
    made["identifier"] = [{"system": HSA, "value": hsa_id}]
    made["type"] = [{"coding": [{"system": f"{BASE}/CodeSystem/huvudman", "code": huvudman}]}]
    return made | ({"partOf": unit(above)} if above else {})


@pytest.fixture(scope="module", autouse=True)
def directory(shared: httpx.Client) -> None:
    for hsa_id, huvudman, above in (
        (REGION, "region", None),
        (CENTRE, "region", REGION),
        (TOWN, "kommun", None),
        (NURSES, "kommun", TOWN),
    ):
        one = organisation(hsa_id, huvudman, above)
        assert shared.put(f"/fhir/Organization/{one['id']}", json=one).is_success


@pytest.fixture
def person(shared: httpx.Client) -> str:
    """Somebody in whose care the health centre takes part, and nobody else."""
    id = fresh("p")
    made = {"resourceType": "Patient", "id": id, "managingOrganization": unit(CENTRE)}
    assert shared.put(f"/fhir/Patient/{id}", json=made).is_success
    return id


@pytest.fixture
def centre(party: Party) -> Iterator[httpx.Client]:
    yield party(CENTRE, REGION)


@pytest.fixture
def nurses(party: Party) -> Iterator[httpx.Client]:
    yield party(NURSES, TOWN)


def consent(person: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "id": fresh("c"),
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IDSCL"}]}],
        "patient": {"reference": f"Patient/{person}"},
        "dateTime": "2026-03-11",
        "organization": [unit(CENTRE)],
        "policyRule": {"text": "HSL 16 kap. 4 §"},
    } | more


def overall(hsa_id: str) -> dict[str, Any]:
    return {"extension": [{"url": f"{BASE}/StructureDefinition/overall-responsible", "valueReference": unit(hsa_id)}]}


def sip(person: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "CarePlan",
        "id": fresh("sip"),
        "status": "draft",
        "intent": "plan",
        "category": [{"coding": [{"system": "https://fhir.inera.se/CodeSystem/typeofcareplan-cs", "code": "SIP"}]}],
        "title": "Samordnad individuell plan",
        "subject": {"reference": f"Patient/{person}"},
    } | more


def agrees(consent: dict[str, Any]) -> dict[str, Any]:
    return {"supportingInfo": [{"reference": f"Consent/{consent['id']}"}]}


def accountable(kind: str, body: dict[str, Any] | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "kind", "valueCode": kind}]
    parts += [{"url": "body", "valueReference": body}] if body else []
    return {"extension": [{"url": f"{BASE}/StructureDefinition/accountable", "extension": parts}]}


def activity(plan: dict[str, Any], owner: Any, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": fresh("a"),
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/task", "code": "activity"}]},
        "description": "Läkemedelsdelning",
        "for": plan["subject"],
        "basedOn": [{"reference": f"CarePlan/{plan['id']}"}],
        "requester": unit(CENTRE),
    }
    return made | ({"owner": unit(owner) if isinstance(owner, str) else owner} if owner else {}) | more


def put(client: httpx.Client, resource: dict[str, Any], **more: Any) -> httpx.Response:
    """The resource written under its id, changed; None takes an element away."""
    body = {name: value for name, value in (resource | more).items() if value is not None}
    return client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=body)


def now(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/fhir/{resource['resourceType']}/{resource['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def transaction(client: httpx.Client, *resources: dict[str, Any]) -> httpx.Response:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    return client.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})


def rules(answer: httpx.Response, status: int) -> list[tuple[str, str, str | None]]:
    """The rule, the path and the Task of every issue."""
    assert answer.status_code == status, answer.text
    return [
        (one["details"]["coding"][0]["code"], one["expression"][0], one.get("diagnostics"))
        for one in answer.json()["issue"]
    ]


def test_a_draft_may_leave_every_question_open_and_says_on_asking_what_is_left(
    centre: httpx.Client, person: str
) -> None:
    plan = sip(person)
    assert put(centre, plan).status_code == 201
    told = centre.get(f"/fhir/CarePlan/{plan['id']}/$validate").json()["issue"]
    found = [(one["severity"], one["details"]["coding"][0]["code"]) for one in told if "requirement" in str(one)]
    assert found == [("warning", "sip-consent"), ("warning", "sip-activities"), ("warning", "sip-overall")]


def test_a_plan_that_is_sent_again_is_what_it_was(centre: httpx.Client, nurses: httpx.Client, person: str) -> None:
    """RFC 9110, 9.2.2: who has heard no answer sends it again; he takes nothing away that he does not know of."""
    given = consent(person)
    plan = sip(person, **agrees(given))
    for one in (given, plan, activity(plan, CENTRE)):
        assert put(centre, one).status_code == 201
    before = now(centre, plan)
    assert put(centre, plan).status_code == 200
    assert now(centre, plan) == before
    assert before["activity"] and before["extension"]
    # What is said anew is held to the rules: what follows from the Tasks is not left out.
    assert refusal(put(centre, plan, title="SIP"), 422)["rule"] == "plan-element-follows"


def test_a_plan_that_is_settled_is_refused_for_each_question_that_it_leaves_open(
    centre: httpx.Client, person: str
) -> None:
    """HSL 16 kap. 4 §: the four points, and consent."""
    plan = sip(person)
    nobody, other = activity(plan, NURSES), activity(plan, None, **accountable("other", None))
    for one in (plan, nobody, other):
        assert put(centre, one).status_code == 201
    answer = put(centre, now(centre, plan), status="active")
    assert sorted(rules(answer, 422)) == sorted(
        [
            ("sip-consent", "CarePlan.supportingInfo", None),
            ("sip-accountable", "Task.extension", f"Task/{nobody['id']}"),
            ("sip-other", "Task.extension", f"Task/{other['id']}"),
            ("sip-overall", "CarePlan.extension", None),
        ]
    )
    told = refusal(answer, 422)
    assert (told["code"], told["requirement"]) == ("business-rule", "SIP-0")
    assert "samtycke" in told["sv"]
    assert "Läkemedelsdelning" not in answer.text
    assert now(centre, plan)["status"] == "draft"
    empty = sip(person)
    assert ("sip-activities", "CarePlan.activity", None) in rules(put(centre, empty, status="active"), 422)


def whole(person: str) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Consent, a plan that leaves nothing open, and its activities: one of each party, one of a relative."""
    given = consent(person)
    plan = sip(person, **agrees(given), **overall(REGION))
    return (
        given,
        plan,
        [
            activity(plan, NURSES, **accountable("municipality", unit(TOWN))),
            activity(plan, CENTRE, description="Läkarkontakt", **accountable("region", unit(REGION))),
            activity(
                plan,
                {"type": "RelatedPerson", "display": "Dottern Lena"},
                description="Handlar mat",
                **accountable("other", {"display": "Dottern Lena"}),
            ),
        ],
    )


def test_whom_nobody_knows_has_not_accepted(centre: httpx.Client, person: str) -> None:
    given, plan, tasks = whole(person)
    unknown = {**tasks[0], "owner": {"type": "Organization", "display": "Hemtjänsten"}}
    for one in (given, plan, unknown, *tasks[1:]):
        assert put(centre, one).status_code == 201
    assert put(centre, now(centre, plan), status="active").status_code == 200
    assert now(centre, unknown)["status"] == "requested"


def test_a_plan_that_is_settled_asks_each_party_which_accepts_or_declines(
    centre: httpx.Client, nurses: httpx.Client, person: str
) -> None:
    given, plan, tasks = whole(person)
    for one in (given, plan, *tasks):
        assert put(centre, one).status_code == 201
    assert put(centre, now(centre, plan), status="active").status_code == 200
    assert [now(centre, one)["status"] for one in tasks] == ["requested", "accepted", "accepted"]
    found = now(nurses, plan)
    assert len(found["activity"]) == 3
    accepted = put(nurses, now(nurses, tasks[0]), status="accepted")
    assert accepted.status_code == 200, accepted.text
    team = now(nurses, {"resourceType": "CareTeam", "id": plan["id"]})
    assert NURSES in str(team["participant"])


def test_plan_consent_and_tasks_may_come_in_one_transaction(centre: httpx.Client, person: str) -> None:
    given, plan, tasks = whole(person)
    own = tasks[0] | {"status": "requested"}
    assert transaction(centre, given, plan | {"status": "active"}, own).status_code == 200
    assert now(centre, plan)["status"] == "active"
    given, plan, tasks = whole(person)
    bare = tasks[0] | {"status": "requested", "extension": []}
    bare.pop("extension")
    answer = transaction(centre, given, plan | {"status": "active"}, bare)
    assert {one[0] for one in rules(answer, 422)} == {"sip-accountable"}


def test_without_consent_nobody_is_asked_and_nobody_else_knows(
    centre: httpx.Client, nurses: httpx.Client, party: Party, person: str
) -> None:
    """A draft without consent is withheld: whom it names learns of neither the plan nor the person."""
    given = consent(person, status="proposed")
    plan = sip(person, **agrees(given))
    task = activity(plan, NURSES, **accountable("municipality", unit(TOWN)))
    for one in (given, plan, task):
        assert put(centre, one).status_code == 201
    for one in (plan, task, {"resourceType": "Patient", "id": person}):
        assert nurses.get(f"/fhir/{one['resourceType']}/{one['id']}").status_code == 404
    assert rules(put(centre, now(centre, task), status="requested"), 422) == [
        ("sip-asks-without-consent", "Task.status", None)
    ]
    # Once the person has consented, the draft is there for those who take part.
    assert put(centre, given, status="active").status_code == 200
    assert put(centre, now(centre, plan), title="SIP").status_code == 200
    assert "security" not in now(centre, plan)["meta"]
    assert now(nurses, task)["status"] == "draft"
    assert party("SE5560000000-T0001").get(f"/fhir/CarePlan/{plan['id']}").status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "inactive"},
        {"status": "rejected"},
        {"provision": {"type": "deny"}},
        {"provision": {"period": {"end": "2020-01-01"}}},
        {"patient": {"reference": "Patient/somebody-else"}},
    ],
    ids=["withdrawn", "refused", "denies", "over", "of another person"],
)
def test_a_consent_that_is_not_in_force_is_none(
    centre: httpx.Client, shared: httpx.Client, person: str, changed: dict[str, Any]
) -> None:
    given, plan, tasks = whole(person)
    shared.put("/fhir/Patient/somebody-else", json={"resourceType": "Patient", "id": "somebody-else"})
    assert put(shared, given, **changed).status_code == 201
    for one in (plan, tasks[0]):
        assert put(centre, one).status_code == 201
    assert [one[0] for one in rules(put(centre, now(centre, plan), status="active"), 422)] == ["sip-consent"]


@pytest.mark.parametrize("hsa_id", [CENTRE, "SE5560000000-T0009"], ids=["a unit", "nobody in the directory"])
def test_the_overall_responsibility_is_one_of_the_bodies(centre: httpx.Client, person: str, hsa_id: str) -> None:
    given, plan, tasks = whole(person)
    for one in (given, plan | overall(hsa_id), tasks[0]):
        assert put(centre, one).status_code == 201
    assert [one[0] for one in rules(put(centre, now(centre, plan), status="active"), 422)] == ["sip-overall"]


def test_the_other_body_may_have_the_overall_responsibility(centre: httpx.Client, person: str) -> None:
    given, plan, tasks = whole(person)
    for one in (given, plan | overall(TOWN), tasks[0]):
        assert put(centre, one).status_code == 201
    assert put(centre, now(centre, plan), status="active").status_code == 200
    found = now(centre, plan)
    assert "author" not in found


def test_a_body_is_named_as_what_it_is(centre: httpx.Client, person: str) -> None:
    """The region does not answer for what is said to be the municipality's."""
    given, plan, _ = whole(person)
    task = activity(plan, NURSES, **accountable("municipality", unit(REGION)))
    for one in (given, plan, task):
        assert put(centre, one).status_code == 201
    assert [one[0] for one in rules(put(centre, now(centre, plan), status="active"), 422)] == ["sip-accountable"]


def test_a_settled_plan_stays_whole(centre: httpx.Client, person: str) -> None:
    """What is taken away of it, or asked within it, leaves no question open."""
    given, plan, tasks = whole(person)
    for one in (given, plan, *tasks):
        assert put(centre, one).status_code == 201
    assert put(centre, now(centre, plan), status="active").status_code == 200
    assert [one[0] for one in rules(put(centre, now(centre, plan), supportingInfo=None), 422)] == ["sip-consent"]
    late = activity(plan, NURSES, status="requested")
    assert rules(put(centre, late), 422) == [("sip-accountable", "Task.extension", f"Task/{late['id']}")]
    assert put(centre, now(centre, plan), title="SIP, våren").status_code == 200
    # A consent that is withdrawn later is a gap, and hinders nobody from mending the plan.
    assert put(centre, given, status="inactive").status_code == 200
    assert put(centre, now(centre, plan), title="SIP, hösten").status_code == 200
    answer = centre.get(f"/fhir/Patient/{person}/$who-does-what").text
    assert "sip-incomplete" in answer


def test_who_takes_no_part_in_the_care_draws_up_no_plan(nurses: httpx.Client, person: str) -> None:
    assert put(nurses, sip(person)).status_code == 404
    body = {name: value for name, value in sip(person).items() if name != "id"}
    assert nurses.post("/fhir/CarePlan", json=body).status_code == 403


@pytest.mark.parametrize("profile", [None, f"{BASE}/StructureDefinition/sip"])
def test_validate_tells_of_each_question_once_with_or_without_the_profile(
    centre: httpx.Client, person: str, profile: str | None
) -> None:
    body = sip(person, status="active", **({"meta": {"profile": [profile]}} if profile else {}))
    told = centre.post("/fhir/CarePlan/$validate", json=body).json()["issue"]
    found = [one["details"]["coding"][0]["code"] for one in told]
    assert [found.count(one) for one in ("sip-consent", "sip-activities", "sip-overall")] == [1, 1, 1]
    wrapped = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": body}]}
    told = centre.post("/fhir/CarePlan/$validate", json=wrapped).json()["issue"]
    paths = {one["details"]["coding"][0]["code"]: one["expression"][0] for one in told}
    assert paths["sip-consent"].startswith("Parameters.parameter[0].resource")


def test_a_plan_that_answers_everything_is_valid_by_the_profiles(centre: httpx.Client, person: str) -> None:
    given, plan, tasks = whole(person)
    for one in (given, plan, *tasks):
        assert put(centre, one).status_code == 201
    assert put(centre, now(centre, plan), status="active").status_code == 200
    for one, profile in ((plan, "sip"), (tasks[0], "sip-activity"), (given, "sip-consent")):
        asked = f"/fhir/{one['resourceType']}/{one['id']}/$validate"
        told = centre.get(asked, params={"profile": f"{BASE}/StructureDefinition/{profile}"}).json()["issue"]
        assert not [issue for issue in told if issue["severity"] in ("error", "fatal")], told


def test_a_plan_is_drawn_up_settled_and_answered_on_either_database(operator: httpx.Client, client_of: Party) -> None:
    """On SQLite and on PostgreSQL: what follows from settling is done, or undone, with it."""
    for hsa_id, huvudman, above in ((REGION, "region", None), (TOWN, "kommun", None), (NURSES, "kommun", TOWN)):
        assert put(operator, organisation(hsa_id, huvudman, above)).status_code == 201
    patient = {"resourceType": "Patient", "id": "p", "managingOrganization": unit(CENTRE)}
    assert put(operator, patient).status_code == 201
    centre, nurses = client_of(CENTRE, REGION), client_of(NURSES, TOWN)
    given, plan, tasks = whole("p")
    assert transaction(centre, given, plan, *tasks).status_code == 200
    assert put(centre, now(centre, given), status="rejected").status_code == 200
    assert [one[0] for one in rules(put(centre, now(centre, plan), status="active"), 422)] == ["sip-consent"]
    assert {now(centre, one)["status"] for one in (plan, *tasks)} == {"draft"}
    assert put(centre, now(centre, given), status="active").status_code == 200
    assert put(centre, now(centre, plan), status="active").status_code == 200
    assert put(nurses, now(nurses, tasks[0]), status="accepted").status_code == 200
    assert len(now(nurses, plan)["activity"]) == 3
