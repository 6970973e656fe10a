"""C-3 to C-20, C-66, C-76, C-80: what a change may bring and must bring, case by case.

`cases/changes.json` changes a stored Task, `cases/creations.json` creates one; `broken` is the rule and the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.coordination.negotiation import Breach, Circumstances, Kind, Move, Role, Rules
from tests.coordination.negotiation.people import ASKER, DOER, task

CASES: Final = Path(__file__).parent / "cases"


def cases(name: str) -> list[Any]:
    return [pytest.param(one, id=one["title"]) for one in json.loads((CASES / f"{name}.json").read_text())]


def circumstances(case: Mapping[str, Any], *, caller: str) -> Circumstances:
    given = case.get("circumstances", {})
    units = given.get("organisations")
    return Circumstances(
        move=Move(case.get("move", "command")),
        organisations=(caller,),
        members=frozenset(given["members"]) if "members" in given else None,
        abort_accepted=given.get("abort", False),
        rivals=given.get("rivals", 0),
        stored=given.get("stored", {}),
        organisation_of=lambda hsa_id: (units or {}).get(hsa_id, hsa_id),
    )


def told(breaches: tuple[Breach, ...]) -> list[str]:
    return [f"{one.rule} {one.path}" for one in breaches]


@pytest.mark.parametrize("case", cases("changes"))
def test_a_change(case: Mapping[str, Any]) -> None:
    before = task(case["status"], **case.get("given", {}))
    changed = before | {"status": case.get("to", case["status"])} | case.get("change", {})
    after = {name: value for name, value in changed.items() if value is not None}
    mine = [Role(one) for one in case["roles"]]
    caller = ASKER if "requester" in case["roles"] else DOER
    found = Rules.named(case.get("profile", "default")).decide(before, after, mine, circumstances(case, caller=caller))
    assert told(found) == case["broken"]


@pytest.mark.parametrize("case", cases("creations"))
def test_a_creation(case: Mapping[str, Any]) -> None:
    mine = [Role(one) for one in case["roles"]]
    rules = Rules.named(case.get("profile", "default"))
    found = rules.decide(None, task(**case["task"]), mine, circumstances(case, caller=ASKER))
    assert told(found) == case["broken"]


def test_a_draft_is_deleted_by_its_requester_and_nothing_else_is() -> None:
    rules, nothing = Rules.named("default"), Circumstances()
    assert not rules.decide(task("draft"), None, [Role.REQUESTER], nothing)
    (by_another,) = rules.decide(task("draft"), None, [Role.OWNER], nothing)
    assert (by_another.kind, by_another.rule) == (Kind.WRONG_ROLE, "C-15")
    (sent,) = rules.decide(task("requested"), None, [Role.REQUESTER], nothing)
    assert (sent.kind, sent.allowed) == (Kind.NOT_ALLOWED, ("cancelled", "entered-in-error"))


def test_every_condition_and_every_code_of_a_refusal_has_its_text() -> None:
    from gateway.coordination.negotiation.breach import texts
    from gateway.coordination.negotiation.conditions import CONDITIONS

    refusals = texts()["refusals"]
    assert {f"task-unless-{name}" for name in CONDITIONS} <= refusals.keys()
    assert all(set(row) == {"sv", "en"} for group in texts().values() for row in group.values())
