"""What the rules let a party do is what the fold over the statements then says: a command is never passed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from gateway.coordination.agreements import authority
from gateway.coordination.negotiation import PROFILES, Move, Role, Rules
from gateway.coordination.negotiation.profile import NEW, Row
from gateway.coordination.statements import Origin, make
from gateway.coordination.tasks import disagreements, live
from gateway.coordination.values import reference_key
from gateway.records import Resource, Statement
from tests.coordination.negotiation.people import ASKER, COORDINATOR, DOER, party, task

BEGIN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
SPEAKER: Final = {
    Role.REQUESTER: ASKER,
    Role.OWNER: DOER,
    Role.CANDIDATE: DOER,
    Role.COORDINATOR: COORDINATOR,
}
STEPS: Final = authority().steps["Task"]


def said(body: Resource, by: str, after: int) -> Statement:
    time = BEGIN + timedelta(minutes=after)
    origin = Origin(f"organisation:{by}")
    return make(
        body=body, origin=origin, record_key="Task/t", person=None, effective=time, recorded=time, party=by, provider=by
    )


def moves() -> Iterator[tuple[str, Row, Role]]:
    seen = set()
    for name in PROFILES:
        for row in Rules.named(name).profile.rows:
            for role in sorted(row.by or {Role.OWNER}):
                key = (row.start, row.to, row.move, role)
                if row.move in (Move.COMMAND, Move.CASCADE) and row.start != NEW and key not in seen:
                    seen.add(key)
                    yield name, row, role


@pytest.mark.parametrize(
    ("row", "role"), [pytest.param(row, role, id=f"{row.start}-{row.to}-{role}") for _, row, role in moves()]
)
def test_a_move_that_is_allowed_is_what_the_fold_says(row: Row, role: Role) -> None:
    taken = role is Role.CANDIDATE
    owner = None if taken else party(DOER)
    facts = [said(task("draft" if row.start == "draft" else "requested", owner=owner), ASKER, 0)]
    if row.start == "ready":
        facts = [said(task("ready", owner=owner), ASKER, 0)]
    elif row.start not in ("draft", "requested"):
        begun = "in-progress" if row.start == "on-hold" and row.move is Move.COMMAND else "accepted"
        for number, status in enumerate(["received"] if row.start == "received" else [begun, row.start]):
            facts.append(said(task(status), DOER, 1 + number))
    facts.append(said(task(row.to, owner=party(DOER)), SPEAKER[role], 9))
    life = live(facts, STEPS)
    assert life.status == row.to
    assert not any(step.impossible for step in life.steps)
    assert life.owner == reference_key(party(DOER))
    assert not disagreements(life, facts, STEPS, {})


@pytest.mark.parametrize("status", ["requested", "ready"])
def test_who_claims_an_open_task_is_its_one_owner_and_who_comes_later_is_not(status: str) -> None:
    facts = [
        said(task(status, owner=None), ASKER, 0),
        said(task("accepted", owner=party(DOER)), DOER, 1),
        said(task("accepted", owner=party(COORDINATOR)), COORDINATOR, 2),
    ]
    life = live(facts, STEPS)
    assert (life.status, life.owner, life.accepted) == ("accepted", reference_key(party(DOER)), True)
