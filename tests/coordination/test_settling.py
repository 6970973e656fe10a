"""What a person decides of a contradiction: it holds while the sources stand by what they said, and no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coordination.agree import agree, agree_all
from gateway.coordination.as_of import as_of
from gateway.coordination.layout import marks_of
from gateway.coordination.settling import settlement
from gateway.coordination.statements import Origin, canonical, make
from gateway.coordination.tasks import written_history
from gateway.records import Statement
from tests.coordination import cases
from tests.coordination.test_agree import FACTS

NOON = datetime.fromisoformat("2026-03-10T13:00:00+01:00")
WARD, TOWN = cases.statements(cases.read(cases.HERE / "agree" / "004-statements.json"))
"""An Encounter that the ward says is in progress, and the town finished."""
ASKED, TAKEN, CLAIMED = cases.statements(cases.read(cases.HERE / "agree" / "027-statements.json"))
"""A Task that the town has accepted, and the ambulance says it does."""


def decided(
    chosen: Statement | None, *between: Statement, element: str, at: datetime = NOON, undone: bool = False
) -> Statement:
    return settlement(
        (between[0].resource_type, between[0].resource_id),
        element,
        [one.digest for one in between],
        chosen.digest if chosen else None,
        by="Operator",
        reason="Ringde avdelningen",
        person="p1",
        effective=at,
        recorded=at,
        undone=undone,
    )


def later(said: Statement, minutes: int, **body: Any) -> Statement:
    """The same source says it again, with something else in it."""
    again = make(
        body={**said.body, **body, "id": said.resource_id},
        origin=Origin(said.source),
        record_key=said.record_key,
        person=said.person,
        effective=said.effective + timedelta(minutes=minutes),
        recorded=said.effective + timedelta(minutes=minutes),
        party=said.party,
        provider=said.provider,
    )
    assert again.digest != said.digest
    return again


STATUS = "Encounter.status"


def test_the_chosen_word_is_followed_for_its_element_and_is_no_contradiction_any_more() -> None:
    before = agree([WARD, TOWN])
    after = agree([WARD, TOWN, decided(TOWN, WARD, TOWN, element=STATUS)])
    assert (before.resource["status"], before.differences[0].rule) == ("in-progress", "responsible")
    assert after.resource["status"] == "finished"
    assert after.contradictions == () and marks_of(after.resource) == {"settled"}
    (told,) = after.differences
    assert (told.rule, told.followed, set(told.statements)) == ("decision", TOWN.digest, {WARD.digest, TOWN.digest})
    others = {name: value for name, value in before.resource.items() if name not in ("status", "meta")}
    assert others == {name: after.resource[name] for name in others}, "The decision is about one element."
    assert after.contributors == before.contributors, "Who decides is no source."


def test_what_is_followed_already_can_be_found_right() -> None:
    after = agree([WARD, TOWN, decided(WARD, WARD, TOWN, element=STATUS)])
    assert after.resource["status"] == "in-progress" and after.contradictions == ()


def test_parties_that_are_asked_contradict_each_other_still() -> None:
    after = agree([WARD, TOWN, decided(None, WARD, TOWN, element=STATUS)])
    assert after.resource["status"] == "in-progress" and len(after.contradictions) == 1
    assert marks_of(after.resource) == {"contradicted", "asked"}


@pytest.mark.parametrize("who", [WARD, TOWN])
def test_a_decision_ends_when_either_party_says_something_else_of_the_element(who: Statement) -> None:
    decision = decided(TOWN, WARD, TOWN, element=STATUS)
    news = later(who, 30, status="onleave" if who is WARD else "arrived")
    after = agree([WARD, TOWN, decision, news])
    assert canonical(after.resource) == canonical(agree([WARD, TOWN, news]).resource)
    assert "contradicted" in marks_of(after.resource)
    back = later(who, 60, period={"start": "2026-03-10T08:00:00+01:00"})
    assert "settled" not in marks_of(agree([WARD, TOWN, decision, news, back]).resource), "Nor when he returns to it."


@pytest.mark.parametrize("who", [WARD, TOWN])
def test_a_decision_stays_when_a_party_repeats_itself_or_says_something_else_of_another_element(who: Statement) -> None:
    decision = decided(TOWN, WARD, TOWN, element=STATUS)
    after = agree([WARD, TOWN, decision, later(who, 30, priority={"text": "Brådskande"})])
    assert after.resource["status"] == "finished" and after.contradictions == ()


def test_a_decision_ends_when_a_party_withdraws_what_it_said() -> None:
    decision = decided(TOWN, WARD, TOWN, element=STATUS)
    gone = replace(later(TOWN, 30), kind="withdraw", digest="w")
    after = agree([WARD, TOWN, decision, gone])
    assert after.resource["status"] == "in-progress" and marks_of(after.resource) == set()


def test_what_a_third_source_says_is_a_contradiction_of_its_own() -> None:
    third = replace(later(TOWN, 30, status="cancelled"), source="other", record_key="o-1", digest="other")
    after = agree([WARD, TOWN, decided(TOWN, WARD, TOWN, element=STATUS), third])
    assert [set(one["sources"]) for one in after.contradictions] == [{"town", "other"}]
    assert marks_of(after.resource) == {"contradicted", "settled"}


def test_a_decision_that_is_undone_leaves_all_as_it_was() -> None:
    decision = decided(TOWN, WARD, TOWN, element=STATUS)
    undone = decided(None, WARD, TOWN, element=STATUS, at=NOON + timedelta(hours=1), undone=True)
    assert agree([WARD, TOWN, decision, undone]) == agree([WARD, TOWN])
    again = decided(WARD, WARD, TOWN, element=STATUS, at=NOON + timedelta(hours=2))
    assert agree([WARD, TOWN, decision, undone, again]).contradictions == ()


def test_a_reader_who_may_not_hear_one_of_them_gets_what_the_others_say() -> None:
    assert agree([WARD, decided(TOWN, WARD, TOWN, element=STATUS)]).resource["status"] == "in-progress"


def test_before_it_was_decided_it_was_not() -> None:
    said = [WARD, TOWN, decided(TOWN, WARD, TOWN, element=STATUS)]
    for at, known_at in ((NOON - timedelta(minutes=1), NOON), (NOON, NOON - timedelta(minutes=1))):
        (then,) = as_of(said, at=at, known_at=known_at)
        assert marks_of(then.resource) == {"contradicted"}


def test_the_owner_of_a_task_changes_when_it_is_decided_and_has_it_without_a_gap() -> None:
    decision = decided(CLAIMED, TAKEN, CLAIMED, element="Task.owner")
    after = agree([ASKED, TAKEN, CLAIMED, decision])
    assert after.resource["owner"] == CLAIMED.body["owner"] and after.contradictions == ()
    assert after.resource["status"] == "in-progress", "What the new owner says of the status is the owner's word now."
    last = list(written_history(after.resource))[-1]
    assert (last.start, last.owner) == (NOON, CLAIMED.body["owner"])
    assert marks_of(after.resource) == {"settled"}
    done = later(CLAIMED, 300, status="completed")
    assert agree([ASKED, TAKEN, CLAIMED, decision, done]).resource["status"] == "completed"


def test_who_has_a_task_can_be_found_right_against_a_claim() -> None:
    after = agree([ASKED, TAKEN, CLAIMED, decided(TAKEN, TAKEN, CLAIMED, element="Task.owner")])
    assert after.resource["owner"] == TAKEN.body["owner"] and after.contradictions == ()


def test_what_came_late_and_was_said_before_the_decision_ends_it_all_the_same() -> None:
    decision = decided(CLAIMED, TAKEN, CLAIMED, element="Task.owner")
    meanwhile = later(CLAIMED, 30, owner=ASKED.body["requester"])
    after = agree([ASKED, TAKEN, CLAIMED, decision, meanwhile])
    assert after.resource["owner"] == TAKEN.body["owner"]


@given(st.lists(FACTS, min_size=2, max_size=10), st.randoms(use_true_random=False), st.data())
def test_decisions_among_any_facts_give_the_same_in_any_order(
    facts: list[Statement], random: Random, data: Any
) -> None:
    every = list(facts)
    for hour in range(2):
        for found in agree(every).differences:
            between = [one for one in facts if one.digest in found.statements]
            chosen = data.draw(st.sampled_from([None, *between]))
            every.append(decided(chosen, *between, element=found.path, at=NOON + timedelta(hours=hour)))
    once = agree_all(every)
    for _ in range(2):
        random.shuffle(every)
        assert canonical([one.resource for one in agree_all(every)]) == canonical([one.resource for one in once])
    for one in once:
        owners = [step.owner for step in written_history(one.resource) if step.owner]
        if one.resource.get("status") in ("accepted", "in-progress") and owners:
            assert one.resource["owner"] == owners[-1], "Who has it is who took the last step."
