"""A statement's digest says what was said: how it was reckoned, and ids that we gave, play no part."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from gateway.coordination.statements import Origin, statement
from gateway.identity import resolve, systems
from gateway.identity.resolve import Resolved
from gateway.records import Draft, Source

NOW = datetime(2026, 3, 12, tzinfo=UTC)
WARD = Source("ward", "rivta-logistics", "Ward", "SE2321000131-T9001", "SE2321000131-T0000")
PATIENT = {"type": "Patient", "identifier": {"system": systems.PERSONNUMMER, "value": "191212121212"}}
UNIT = {"type": "Organization", "identifier": {"system": systems.HSA_ID, "value": "SE2321000131-T0110"}}
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "identifier": [{"system": "https://a.example/tasks", "value": "7", "assigner": UNIT}],
    "for": PATIENT,
    "owner": UNIT,
    "note": [{"text": "by telephone", "authorReference": UNIT}],
    "extension": [{"url": "https://a.example/cost", "valueDecimal": 12}],
}


def resolved(task: dict[str, Any], namespace: int) -> Iterator[Resolved]:
    (item,) = resolve([[Draft(deepcopy(task), NOW)]], WARD, UUID(int=namespace), lambda _: {}, NOW)
    yield from (one for one in item.resolved if one.resource["resourceType"] == "Task")


def digest(one: Resolved) -> str:
    return statement(one, origin=Origin("ward"), record_key="7", recorded=NOW).digest


def with_literals(task: dict[str, Any]) -> dict[str, Any]:
    """The same, whose references say by an id of the sender what they say by identifier, too."""
    assigned = {"identifier": {**UNIT["identifier"], "assigner": {**UNIT, "reference": "Organization/9"}}}
    return {**task, "for": {**PATIENT, "reference": "Patient/1"}, "requester": {**UNIT, **assigned}}


@pytest.mark.parametrize("task", [TASK, with_literals(TASK)])
def test_the_digest_is_the_same_whether_the_wording_is_at_hand_or_reckoned_anew(task: dict[str, Any]) -> None:
    (one,) = resolved(task, 1)
    assert digest(one) == digest(replace(one, wording=None))


@pytest.mark.parametrize("task", [TASK, with_literals(TASK)])
def test_ids_that_we_gave_play_no_part_in_what_is_said(task: dict[str, Any]) -> None:
    (one,), (other,) = resolved(task, 1), resolved(task, 2)
    assert one.id != other.id
    assert digest(one) == digest(other)


def test_resolving_leaves_the_draft_as_it_was() -> None:
    task = deepcopy(TASK)
    resolve([[Draft(task, NOW)]], WARD, UUID(int=1), lambda _: {}, NOW)
    assert task == TASK
