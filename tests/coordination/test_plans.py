"""What follows from the Tasks of a plan, by case files: its activities and its team (C-9, C-16, C-26 to C-32).

The first seven cases are the situations of ORCA's golden derivations, in our words and with our times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.coordination import agreements
from gateway.coordination.agree import agree_all
from gateway.coordination.negotiation import PROFILES
from gateway.coordination.plans import follow
from gateway.coordination.plans.basis import TASK_CODES, WITHHELD
from gateway.coordination.plans.follow import follow_all
from gateway.coordination.plans.merging import mergers
from gateway.coordination.plans.rules import contains_team
from gateway.coordination.plans.team import CUSTODIAN, TEAM_ROLE, active_members
from gateway.coordination.tasks import command
from gateway.coordination.values import instant
from gateway.definitions import load
from gateway.fhir.check import check
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Statement
from tests.coordination import cases

UNITS = {
    "ward": "SE2321000131-T0110",
    "ambulance": "SE2321000131-T0200",
    "town": "SE2120001348-T0000",
    "nurse": "SE2120001348-T0100",
}
FOLDER = Path(__file__).parent / "plans"
CASES = sorted(FOLDER.glob("*.json"))
STEPS = agreements.authority().steps["Task"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_team_and_the_activities_follow_from_the_tasks(path: Path) -> None:
    case = cases.read(path)
    said = statements(case)
    plan, team = derived(said)
    assert team is not None
    assert told(team.resource) == case["team"], case["title"]
    assert activities(plan.resource) == case["activities"], case["title"]
    assert plan.resource["careTeam"] == [{"reference": "CareTeam/plan"}]
    assert team.resource["status"] == case.get("plan", {}).get("teamStatus", "active")
    for one in (plan.resource, team.resource):
        assert [issue.text for issue in check(one, load()) if issue.severity in ("fatal", "error")] == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_order_of_arrival_changes_nothing(path: Path) -> None:
    said = statements(cases.read(path))
    expected = derived(said)
    for order in list(permutations(said))[:: max(1, len(said) // 2)][:40]:
        assert derived(order) == expected
    assert derived([*said, *said]) == expected


def test_a_plan_that_nothing_is_based_on_stays_as_its_sources_have_it() -> None:
    said = [statement_of_plan({})]
    plan, team = derived(said)
    assert team is None
    assert "activity" not in plan.resource
    assert "careTeam" not in plan.resource


def test_what_others_state_of_the_team_stands_beside_what_follows_from_the_tasks() -> None:
    said = statements({"said": [{"at": "10:00", "task": "t1", "status": "accepted", "owner": "nurse"}]})
    forged = {"role": [{"coding": [{"system": TEAM_ROLE, "code": "owner"}]}], "member": unit("ambulance")}
    contact = {"member": {"type": "Practitioner", "display": "Test Testsson"}}
    body = {"resourceType": "CareTeam", "id": "plan", "name": "Teamet", "participant": [forged, contact]}
    row = {"source": "town", "record_key": "team", "effective": time("11:00"), "body": body}
    _, team = derived([*said, cases.statement(row)])
    assert team is not None
    assert team.resource["name"] == "Teamet"
    assert team.resource["participant"][-1] == contact
    assert told(team.resource)[:-1] == ["subject p1 09:00 –", "custodian ward 09:00 –", "owner nurse 10:00 –"]


def test_what_a_source_lists_as_activity_comes_first_and_once() -> None:
    rows = [{"at": f"10:0{n}", "task": f"t{n}", "status": "requested", "owner": "nurse"} for n in (1, 2)]
    said = statements({"said": rows})[1:]
    listed = statement_of_plan(
        {"activity": [{"reference": {"reference": "Task/t2"}}, {"detail": {"status": "unknown"}}]}
    )
    plan, _ = derived([listed, *said])
    assert [one.get("reference", {}).get("reference") for one in plan.resource["activity"]] == [
        "Task/t2",
        None,
        "Task/t1",
    ]


STATUSES = (
    "requested",
    "received",
    "accepted",
    "rejected",
    "in-progress",
    "on-hold",
    "completed",
    "failed",
    "cancelled",
)
MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(STATUSES), st.sampled_from(("nurse", "ambulance", "town"))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, random=st.randoms())
def test_who_takes_part_now_is_who_has_an_accepted_task_that_is_not_over(moves: list[Any], random: Any) -> None:
    rows = [
        {"at": f"{10 + n // 6}:{n % 6}0", "task": f"t{task}", "status": status, "owner": owner}
        for n, (task, status, owner) in enumerate(moves)
    ]
    said = statements({"said": rows})
    plan, team = derived(said)
    assert team is not None
    agreed = [one for one in agree_all(said) if one.resource_type == "Task"]
    holders = {
        one.resource["owner"]["identifier"]["value"]
        for one in agreed
        if one.resource["status"] in ("accepted", "in-progress") and "owner" in one.resource
    }
    active = {
        member["identifier"]["value"]
        for member in active_members(team.resource, datetime.fromisoformat(time("23:00")))
        if "identifier" in member
    }
    assert holders <= active
    paused = {
        one.resource["owner"]["identifier"]["value"]
        for one in agreed
        if one.resource["status"] == "on-hold" and "owner" in one.resource
    }
    assert active <= holders | paused | {UNITS["ward"]}
    assert len(plan.resource["activity"]) == len(agreed)
    shuffled = list(said)
    random.shuffle(shuffled)
    assert derived(shuffled) == (plan, team)


def statements(case: dict[str, Any]) -> list[Statement]:
    return [statement_of_plan(case.get("plan", {})), *(statement_of_task(row) for row in case["said"])]


def statement_of_plan(plan: dict[str, Any]) -> Statement:
    body: dict[str, Any] = {
        "resourceType": "CarePlan",
        "id": "plan",
        "status": plan.get("status", "active"),
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "created": time("09:00"),
    }
    if keeper := plan.get("custodian", "ward"):
        body["extension"] = [{"url": CUSTODIAN, "valueReference": unit(keeper)}]
    if author := plan.get("author"):
        body["author"] = unit(author)
    if activity := plan.get("activity"):
        body["activity"] = activity
    return cases.statement({"source": "ward", "record_key": "plan", "effective": time("09:00"), "body": body})


def statement_of_task(row: dict[str, Any]) -> Statement:
    body: dict[str, Any] = {
        "resourceType": "Task",
        "id": row["task"],
        "status": row["status"],
        "intent": row.get("intent", "order"),
        "basedOn": [{"reference": f"CarePlan/{row.get('plan', 'plan')}"}],
        "for": {"reference": f"Patient/{row.get('person', 'p1')}"},
        "requester": unit(row.get("requester", "ward")),
        "owner": unit(row["owner"]),
    }
    if parent := row.get("partOf"):
        body["partOf"] = [{"reference": f"Task/{parent}"}]
    if output := row.get("output"):
        body["output"] = [{"type": {"text": "result"}, "valueReference": {"reference": output}}]
    source = row.get("source", "dispatch")
    if "was" in row:  # A command, which was decided on what was stored.
        body = command(body, {"status": row["was"], "owner": unit(row["from"])})
        source = "organisation:x"
    if row.get("withheld"):
        body["meta"] = {"security": [dict(zip(("system", "code"), WITHHELD, strict=True))]}
    return cases.statement({"source": source, "record_key": row["task"], "effective": time(row["at"]), "body": body})


def derived(said: Sequence[Statement]) -> tuple[Agreed, Agreed | None]:
    agreed = agree_all(said)
    plan = next(one for one in agreed if one.resource_type == "CarePlan")
    stated = next((one for one in agreed if one.resource_type == "CareTeam"), None)
    return follow(plan, (one for one in agreed if one.resource_type == "Task"), stated, STEPS)


def unit(name: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": UNITS[name]}}


def time(clock: str) -> str:
    return f"2026-03-10T{clock}:00+01:00"


def told(team: dict[str, Any]) -> list[str]:
    return [_told(one) for one in team["participant"]]


def _told(participant: dict[str, Any]) -> str:
    member, period = participant["member"], participant.get("period", {})
    names = {hsa_id: name for name, hsa_id in UNITS.items()}
    name = names.get(member.get("identifier", {}).get("value")) or member.get("reference", "").removeprefix("Patient/")
    role = participant["role"][0]["coding"][0]["code"] if "role" in participant else "other"
    clock = [f"{found:%H:%M}" if (found := instant(period.get(end))) else "" for end in ("start", "end")]
    return f"{role} {name} {clock[0]} – {clock[1]}".rstrip()


def activities(plan: dict[str, Any]) -> list[str]:
    found = []
    for one in plan["activity"]:
        outcomes = [reference["reference"] for reference in one.get("outcomeReference", ())]
        found.append(" -> ".join([one["reference"]["reference"].removeprefix("Task/"), *outcomes]))
    return found


def test_by_some_profiles_a_plan_holds_its_team_within_itself_too() -> None:
    """C-30: as SCP has it, beside the one that stands alone."""
    said = statements({"said": [{"at": "10:00", "task": "t1", "status": "accepted", "owner": "nurse"}]})
    plans = {"plan": next(one for one in agree_all(said) if one.resource_type == "CarePlan")}
    made = follow_all(plans, agree_all(said), {}, STEPS, contained=True)
    plan, team = made["plan"]
    assert team is not None
    assert plan.resource["careTeam"] == [{"reference": "#care-team"}, {"reference": "CareTeam/plan"}]
    (within,) = plan.resource["contained"]
    assert within == {name: value for name, value in team.resource.items() if name != "meta"} | {"id": "care-team"}
    assert [issue.text for issue in check(plan.resource, load()) if issue.severity in ("fatal", "error")] == []
    assert {name: contains_team(name) for name in PROFILES} == {
        "default": False,
        "scp-0.3": True,
        "orca": True,
        "gravity": False,
    }


def merger(stays: str, goes: str, status: str = "accepted", **row: Any) -> Statement:
    """A Task by which a plan goes on in another."""
    base = {"at": "12:00", "task": f"{goes}-into-{stays}", "status": status, "plan": stays, "requester": stays}
    base |= {"owner": goes} | row
    said = statement_of_task(base)
    code = {"coding": [{"system": TASK_CODES, "code": "merge-plans"}]}
    body = {**said.body, "id": said.resource_id, "code": code, "focus": {"reference": f"CarePlan/{goes}"}}
    return cases.statement({"source": "x", "record_key": said.resource_id, "effective": time(base["at"]), "body": body})


def plan_of(keeper: str, person: str = "p1") -> Statement:
    """A plan with the id of its custodian's name."""
    said = statement_of_plan({"custodian": keeper})
    body = {**said.body, "id": keeper, "subject": {"reference": f"Patient/{person}"}}
    row = {"source": keeper, "record_key": "plan", "effective": time("09:00"), "body": body}
    return cases.statement(row)


def held(*said: Statement) -> list[tuple[str, str]]:
    agreed = agree_all(said)
    plans = {one.id: one for one in agreed if one.resource_type == "CarePlan"}
    return [(one.plan, one.into) for one in mergers(plans, [one for one in agreed if one.resource_type == "Task"])]


def test_a_merger_holds_by_the_custodians_of_both_plans_and_for_as_long_as_it_is_accepted() -> None:
    """C-35."""
    plans = [plan_of("ward"), plan_of("town")]
    assert held(*plans, merger("ward", "town")) == [("town", "ward")]
    assert held(*plans, merger("ward", "town", requester="town", owner="ward")) == [("town", "ward")]
    for wrong in ({"owner": "nurse"}, {"requester": "nurse"}, {"owner": "ward"}, {"person": "p2"}):
        assert held(*plans, merger("ward", "town", **wrong)) == [], wrong
    for status in ("requested", "received", "rejected", "cancelled", "failed", "draft"):
        assert held(*plans, merger("ward", "town", status)) == [], status
    assert held(plan_of("ward"), plan_of("town", "p2"), merger("ward", "town")) == []
    assert held(plan_of("ward"), merger("ward", "town")) == []


def test_plans_go_on_in_one_another_and_never_in_themselves() -> None:
    """C-35: the first that was accepted holds; what is merged further goes along."""
    plans = [plan_of(one) for one in ("ward", "town", "nurse")]
    chain = [merger("town", "nurse", at="11:00"), merger("ward", "town")]
    assert held(*plans, *chain) == [("nurse", "town"), ("town", "ward")]
    assert held(*plans, merger("ward", "town", at="11:00"), merger("town", "ward")) == [("town", "ward")]
    agreed = agree_all([*plans, *chain, *statements({"said": []})[1:]])
    by_id = {one.id: one for one in agreed if one.resource_type == "CarePlan"}
    made = follow_all(by_id, [one for one in agreed if one.resource_type == "Task"], {}, STEPS)
    replaced = [one["reference"] for one in made["ward"][0].resource["replaces"]]
    assert replaced == ["CarePlan/town", "CarePlan/nurse"]
    assert [made[one][0].resource["status"] for one in ("ward", "town", "nurse")] == ["active", "revoked", "revoked"]
