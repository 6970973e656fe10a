"""What a caller is offered next is exactly what the rules let him do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coordination.negotiation import PROFILES, Circumstances, NextStep, Role, Rules, roles
from gateway.coordination.negotiation.profile import STATUSES
from gateway.coordination.negotiation.steps import step
from tests.coordination.negotiation.people import ASKER, COORDINATOR, DOER, MEMBER, STRANGER, party, task


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_read(profile: str) -> None:
    assert Rules.named(profile).profile.id == profile


def test_c4_who_is_named_by_the_stored_task_has_the_role() -> None:
    stored = task()
    assert roles(stored, [ASKER]) == {Role.REQUESTER}
    assert roles(stored, [DOER]) == {Role.OWNER}
    assert roles(stored, [DOER], members={DOER}, custodian=DOER) == {Role.OWNER, Role.MEMBER, Role.COORDINATOR}
    assert roles(task(owner=party(ASKER)), [ASKER]) == {Role.REQUESTER, Role.OWNER}
    assert roles(stored, [STRANGER], members={MEMBER}) == {Role.OTHER}


def test_a_unit_speaks_for_the_provider_that_is_named_and_not_for_its_sister() -> None:
    assert roles(task(owner=party("SE9")), ["SE9-ward", "SE9"]) == {Role.OWNER}
    assert roles(task(owner=party("SE9-ward")), ["SE9-other", "SE9"]) == {Role.OTHER}


def test_c12_candidates_are_who_is_invited_else_every_member_and_only_while_nobody_has_it() -> None:
    invited = task(owner=None, restriction={"recipient": [party(DOER)]})
    assert Role.CANDIDATE in roles(invited, [DOER])
    assert Role.CANDIDATE not in roles(invited, [MEMBER], members={MEMBER})
    assert Role.CANDIDATE in roles(task(owner=None), [MEMBER], members={MEMBER})
    assert roles(task(owner=None), [STRANGER], members={MEMBER}) == {Role.OTHER}
    assert Role.CANDIDATE not in roles(task(restriction={"recipient": [party(STRANGER)]}), [STRANGER])


@given(
    profile=st.sampled_from(PROFILES),
    start=st.sampled_from(STATUSES),
    to=st.sampled_from(STATUSES),
    who=st.sampled_from((ASKER, DOER, COORDINATOR, MEMBER, STRANGER)),
    owner=st.sampled_from((DOER, ASKER, None)),
    intent=st.sampled_from(("order", "proposal", "plan")),
    code=st.sampled_from((None, "information-request", "discharge-ready")),
    aborted=st.booleans(),
)
def test_next_steps_are_what_the_rules_accept(
    profile: str, start: str, to: str, who: str, owner: str | None, intent: str, code: str | None, aborted: bool
) -> None:
    rules = Rules.named(profile)
    stored = task(
        start,
        owner=party(owner) if owner else None,
        intent=intent,
        code={"coding": [{"code": code}]} if code else None,
    )
    members = frozenset({COORDINATOR, MEMBER})
    mine = roles(stored, [who], members=members, custodian=COORDINATOR)
    circumstances = Circumstances(organisations=(who,), members=members, abort_accepted=aborted)
    offered = {one.state: one for one in rules.next_steps(stored, mine, circumstances)}
    reason, claimed = {"text": "Because."}, party(who)
    tries = [
        NextStep.taken(one, stored, reason=given, owner=owner)
        for one in [offered.get(to) or step(to, ())]
        for given in (None, reason)
        for owner in (None, claimed)
    ]
    accepted = [one for one in tries if one != stored and not rules.decide(stored, one, mine, circumstances)]
    assert bool(accepted and to != start) == (to in offered)
    if to in offered:
        needs = {path.partition(".")[0] for need in offered[to].needs for path in need.one_of}
        full = offered[to].taken(
            stored,
            reason=reason if "statusReason" in needs else None,
            owner=claimed if "owner" in needs else None,
        )
        assert not rules.decide(stored, full, mine, circumstances)
