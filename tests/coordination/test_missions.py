"""The four missions as data: who may ask whom, in what order, how soon; and that the agreement reads them there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.coordination.agreements import agreement, read, read_agreement
from gateway.coordination.missions import DISPOSITION, STATUS, Mission, read_mission, shipped
from gateway.definitions import CANONICAL, load

MISSIONS = ("1177-uppdrag", "assistansuppdrag", "ivpa-uppdrag", "mava-uppdrag")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def mission(code: str) -> Mission:
    return shipped(f"{CANONICAL}/PlanDefinition/{code}")


def plan(code: str) -> dict[str, Any]:
    return load().resources[f"{CANONICAL}/PlanDefinition/{code}"]


@pytest.mark.parametrize(
    ("code", "asker", "asked", "may"),
    [
        ("1177-uppdrag", "advice-nurse", "municipal-nurse", True),
        ("1177-uppdrag", "advice-nurse", "ambulance-nurse", True),
        ("1177-uppdrag", "municipal-nurse", "ambulance-nurse", False),
        ("1177-uppdrag", "advice-nurse", "mava-ward", False),
        ("assistansuppdrag", "ambulance-nurse", "municipal-nurse", True),
        ("assistansuppdrag", "municipal-nurse", "ambulance-nurse", True),
        ("assistansuppdrag", "municipal-nurse", "health-centre-nurse", True),
        ("assistansuppdrag", "home-care", "municipal-nurse", True),
        ("assistansuppdrag", "home-care", "ambulance-nurse", False),
        ("ivpa-uppdrag", "alarm-centre", "municipal-nurse", True),
        ("ivpa-uppdrag", "alarm-centre", "ambulance-nurse", True),
        ("ivpa-uppdrag", "relative", "municipal-nurse", False),
        ("mava-uppdrag", "relative", "mava-ward", True),
        ("mava-uppdrag", "district-doctor", "mava-ward", True),
        ("mava-uppdrag", "mava-ward", "municipal-nurse", False),
    ],
)
def test_who_may_ask_whom(code: str, asker: str, asked: str, may: bool) -> None:
    assert mission(code).may_ask(asker, asked) is may


def test_1177_turns_to_the_next_when_the_first_says_no() -> None:
    assert mission("1177-uppdrag").next_candidates("advice-nurse", "municipal-nurse") == ("ambulance-nurse",)
    assert mission("1177-uppdrag").next_candidates("advice-nurse", "ambulance-nurse") == ()


def test_a_full_ward_leaves_the_patient_to_the_district_doctor() -> None:
    assert mission("mava-uppdrag").next_candidates("municipal-nurse", "mava-ward") == ("district-doctor",)


def test_an_ivpa_alarm_goes_to_both_at_once_and_nobody_is_next() -> None:
    found = mission("ivpa-uppdrag")
    assert found.parallel
    assert found.next_candidates("alarm-centre", "municipal-nurse") == ()
    assert [one.candidates for one in found.asks] == [("municipal-nurse", "ambulance-nurse")]


@pytest.mark.parametrize(
    ("code", "answer", "report"),
    [
        ("1177-uppdrag", 30 * MINUTE, 2 * HOUR),
        ("assistansuppdrag", 30 * MINUTE, 2 * HOUR),
        ("ivpa-uppdrag", 2 * MINUTE, 2 * HOUR),
        ("mava-uppdrag", 60 * MINUTE, DAY),
    ],
)
def test_the_agreement_has_its_times_from_the_missions(code: str, answer: timedelta, report: timedelta) -> None:
    found = agreement()
    assert (found.missions[code].answer_within, found.missions[code].report_within) == (answer, report)
    answered, reported = found.limit(found.unanswered, code, "routine"), found.limit(found.report, code, "routine")
    assert answered and reported
    assert (answered.after, reported.after) == (answer, report)


def test_what_an_agreement_says_of_its_own_goes_before_the_mission() -> None:
    stricter = read("example") | {"unanswered": [{"code": "mava-uppdrag", "after": "PT15M"}]}
    found = read_agreement(stricter)
    limit = found.limit(found.unanswered, "mava-uppdrag", "urgent")
    assert limit and limit.after == 15 * MINUTE


def test_parties_that_agree_on_fewer_missions_have_fewer() -> None:
    found = read_agreement(read("example") | {"missions": [f"{CANONICAL}/PlanDefinition/ivpa-uppdrag"]})
    assert found.codes["missions"] == found.codes["parallel"] == {"ivpa-uppdrag"}
    assert found.codes["needs"] == {"ivpa-uppdrag", "referral"}


@pytest.mark.parametrize("code", MISSIONS)
def test_every_code_that_a_mission_names_is_one(code: str) -> None:
    found = mission(code)
    assert found.code == code
    for system, codes in ((STATUS, found.arrived), (DISPOSITION, found.outcomes)):
        known = {concept["code"] for concept in load().resources[system]["concept"]}
        assert set(codes) <= known
    parties = {one["code"] for one in load().resources[f"{CANONICAL}/CodeSystem/mission-party"]["concept"]}
    assert {kind for ask in found.asks for kind in (*ask.askers, *ask.candidates)} <= parties


@pytest.mark.parametrize("code", MISSIONS)
def test_every_definition_and_every_step_that_a_mission_leads_to_is_there(code: str) -> None:
    actions = list(within(plan(code)["action"]))
    ids = [action["id"] for action in actions]
    assert len(ids) == len(set(ids))
    assert {related["actionId"] for one in actions for related in one.get("relatedAction", ())} <= set(ids)
    wanted = {one["definitionCanonical"] for one in actions if "definitionCanonical" in one}
    wanted |= set(mission(code).measures)
    assert wanted and wanted <= load().resources.keys()


def test_an_admission_to_the_ward_tells_the_municipality_and_asks_for_its_visits_to_be_paused() -> None:
    actions = {one["id"]: one for one in within(plan("mava-uppdrag")["action"])}
    for id in ("notify", "pause-visits"):
        task = load().resources[actions[id]["definitionCanonical"]]
        assert task["code"]["coding"][0]["code"] in agreement().codes["messages"] | {"pause-visits"}
        assert "'admitted'" in actions[id]["condition"][0]["expression"]["expression"]


def test_an_expected_time_in_an_unknown_unit_is_refused() -> None:
    wrong = plan("mava-uppdrag")
    steps = [one for one in wrong["action"] if one["id"] != "answer"]
    range_ = {"high": {"value": 1, "system": "http://unitsofmeasure.org", "code": "wk"}}
    answer = {
        "id": "answer",
        "code": [{"coding": [{"system": f"{CANONICAL}/CodeSystem/mission-step", "code": "answer"}]}],
        "relatedAction": [{"actionId": "ask", "relationship": "after-start", "offsetRange": range_}],
    }
    with pytest.raises(ValueError, match="answer is not"):
        read_mission(wrong | {"action": [*steps, answer]})


def within(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for action in actions for one in (action, *within(action.get("action", [])))]
