"""The fold: what statements agree on, as files, and in any order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.coordination.agree import agree, agree_all, wanted
from gateway.coordination.agreements import authority
from gateway.coordination.statements import Origin, canonical, make
from gateway.coordination.tasks import DECIDED_ON, live
from gateway.coordination.values import reference_key
from gateway.fhir.json import dump
from gateway.identity import systems
from gateway.records import Statement
from tests.coordination import cases

FOLDER = cases.HERE / "agree"
CASES = [pytest.param(row, id=f"{row['number']:03}-{row['name']}") for row in cases.index("agree")]
START = datetime(2026, 3, 10, 10, tzinfo=UTC)
STATUSES = ["draft", "requested", "received", "accepted", "rejected", "ready", "in-progress", "on-hold", "completed"]
STATUSES += ["failed", "cancelled", "entered-in-error"]
UNITS = ["SE2321000131-T0200", "SE2120001348-T0100", "SE2321000131-T0300"]


@pytest.mark.parametrize("row", CASES)
def test_statements_agree_by_the_rule(row: dict[str, Any]) -> None:
    document = cases.read(FOLDER / f"{row['number']:03}-statements.json")
    expected = cases.read(FOLDER / f"{row['number']:03}-expected.json")
    assert cases.agreed(document, cases.statements(document)) == expected, row["rule"]


@pytest.mark.parametrize("row", CASES)
def test_two_hundred_orders_of_arrival_give_the_same_bytes(row: dict[str, Any]) -> None:
    document = cases.read(FOLDER / f"{row['number']:03}-statements.json")
    said = cases.statements(document)
    once = canonical(cases.agreed(document, said))
    for seed in range(200):
        Random(seed).shuffle(said)
        assert canonical(cases.agreed(document, [*said, *said[:1]])) == once


def task(status: str, owner: int | None, source: int, minute: int, key: int, version: str, kind: Any) -> Statement:
    body: dict[str, Any] = {"resourceType": "Task", "id": "t1", "status": status, "intent": "order"}
    body["requester"] = {"identifier": {"system": systems.HSA_ID, "value": UNITS[2]}}
    body["note"] = [{"text": f"{status} {source}"}]
    if owner is not None:
        body["owner"] = {"identifier": {"system": systems.HSA_ID, "value": UNITS[owner]}}
    return make(
        body=body,
        origin=Origin(f"source-{source}"),
        record_key=f"record-{key}",
        person=None,
        effective=START + timedelta(minutes=minute),
        recorded=START,
        version=version,
        party=UNITS[source],
        kind=kind,
    )


FACTS = st.builds(
    task,
    st.sampled_from(STATUSES),
    st.one_of(st.none(), st.integers(0, 2)),
    st.integers(0, 2),
    st.integers(0, 6),
    st.integers(0, 2),
    st.sampled_from(["", "1", "2", "10", "a"]),
    st.sampled_from(["assert", "assert", "assert", "withdraw"]),
)


@given(st.lists(FACTS, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_facts_in_any_order_agree(facts: list[Statement], random: Random) -> None:
    once = agree(facts)
    shuffled: Sequence[Statement] = random.sample(facts, len(facts))
    again = agree([*shuffled, *facts[:2]])
    assert (canonical(again.resource), again.contradictions) == (canonical(once.resource), once.contradictions)
    assert list(again.resource) == list(once.resource)


@given(st.lists(FACTS, min_size=1, max_size=10))
@example(
    [
        task("draft", None, 0, 0, 0, "", "assert"),
        task("ready", None, 1, 0, 0, "", "assert"),
        task("accepted", 1, 0, 0, 0, "1", "assert"),
    ]
)
def test_what_is_in_hand_has_one_owner_at_every_instant(facts: list[Statement]) -> None:
    """And he is one whom somebody had named by then; he changes only from one step to the next."""
    said = [one for one in facts if one.kind == "assert"]
    life = live(said, authority().steps["Task"])
    for step in life.steps:
        named = {reference_key(one.body.get("owner")) for one in said if one.effective <= step.since} - {None}
        if step.status in authority().steps["Task"].held and named and not step.inferred:
            assert step.owner in named | {None}
    if life.accepted:
        assert life.owner is None or life.owner == life.steps[-1].owner


@given(st.lists(FACTS, min_size=1, max_size=8))
def test_the_history_of_a_task_runs_in_time_without_gaps(facts: list[Statement]) -> None:
    resource = agree(facts).resource
    periods = [
        part["valuePeriod"]
        for extension in resource.get("extension", [])
        for part in extension.get("extension", [])
        if part["url"] == "period"
    ]
    for one, following in pairwise(periods):
        assert one["end"] == following["start"]
        assert one["start"] <= one["end"]
    assert all("end" not in period for period in periods[-1:])


@pytest.mark.parametrize("row", CASES)
def test_what_is_told_once_agrees_as_if_it_were_told_twice(row: dict[str, Any]) -> None:
    """One fact alone goes a shorter way than several."""
    document = cases.read(FOLDER / f"{row['number']:03}-statements.json")
    known = cases.known(document)
    for one in cases.statements(document):
        alone, twice = agree_all([one], known=known), agree_all([one, one], known=known)
        assert alone == twice
        assert dump([a.resource for a in alone]) == dump([a.resource for a in twice])


def told(kind: str, minute: int, key: int, party: int, version: str, said: dict[str, Any]) -> Statement:
    """What one source says, of a thing of its own."""
    return make(
        body={"resourceType": kind, "id": "x1"} | {name: value for name, value in said.items() if value is not None},
        origin=Origin("source", inbox_id=f"message-{minute}-{key}"),
        record_key=f"record-{key}",
        person=f"person-{key}" if key else None,
        effective=START + timedelta(minutes=minute),
        recorded=START,
        version=version,
        party=UNITS[party],
    )


def unit(number: int) -> dict[str, Any]:
    return {"identifier": {"system": systems.HSA_ID, "value": UNITS[number]}}


_SEVERAL = st.lists(st.sampled_from([{"text": "a"}, {"text": "b"}, {"text": "c"}]), min_size=1, max_size=3)
_ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(STATUSES),
    "owner": st.builds(unit, st.integers(0, 2)),
    "requester": st.builds(unit, st.integers(0, 2)),
    "identifier": st.lists(
        st.builds(lambda n: {"system": "urn:x", "value": n}, st.sampled_from(["1", "2"])), min_size=1, max_size=3
    ),
    "note": _SEVERAL,
    "input": st.lists(
        st.builds(
            lambda n: {"valueQuantity": {"value": n}}, st.sampled_from([1, Decimal("1.0"), Decimal("1.00"), Decimal(2)])
        ),
        min_size=1,
        max_size=2,
    ),
    "period": st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(["2026", "2027"]) for name in ("start", "end")}
    ),
    "restriction": st.builds(lambda told: {"id": "r", "recipient": told}, _SEVERAL),
    "meta": st.builds(lambda told: {"tag": told, "versionId": "3"}, _SEVERAL),
    "businessStatus": st.sampled_from([{"text": "a"}, {"text": "b"}]),
}
_SAID = st.builds(
    told,
    st.just("Task"),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 1),
    st.sampled_from(["", "1", "2"]),
    st.fixed_dictionaries({}, optional=_ELEMENTS),
)


@given(st.sampled_from(["Task", "Patient", "Encounter", "CarePlan"]), st.lists(_SAID, min_size=1, max_size=5))
def test_what_one_source_tells_agrees_as_if_it_told_some_of_it_twice(kind: str, said: list[Statement]) -> None:
    """What one source alone tells goes a shorter way than what several do."""
    facts = [replace(one, resource_type=kind) for one in {one.digest: one for one in said}.values()]
    (alone,), (twice,) = agree_all(facts), agree_all([*facts, *facts[:1]])
    assert alone == twice
    assert dump(alone.resource) == dump(twice.resource)


def test_the_fold_leaves_its_statements_as_they_are() -> None:
    document = cases.read(FOLDER / "030-statements.json")
    said = cases.statements(document)
    before = canonical([one.body for one in said])
    agree_all(said, known=cases.known(document))
    assert canonical([one.body for one in said]) == before


def test_targets_that_are_awaited_are_named() -> None:
    said = cases.statements(cases.read(FOLDER / "030-statements.json"))
    assert {(kind, value) for kind, _, value in wanted(said)} >= {("CarePlan", "plan-1"), ("Task", "other")}


def test_our_own_ids_are_no_part_of_what_was_said() -> None:
    body = {"resourceType": "Task", "id": "a", "for": {"reference": "Patient/1", "identifier": {"value": "x"}}}
    other = {"resourceType": "Task", "id": "b", "for": {"reference": "Patient/2", "identifier": {"value": "x"}}}
    both = [
        make(body=said, origin=Origin("s"), record_key="k", person=None, effective=START, recorded=START)
        for said in (body, other)
    ]
    assert len({one.digest for one in both}) == 1


def test_a_source_cannot_pass_its_report_off_as_a_command_that_was_decided_on() -> None:
    """What a command was decided on is said by the gateway alone: a report goes by the rules of facts."""
    nurse, thief = "SE2120001348-T0100", "SE5560000000-T0001"

    def owned(hsa_id: str) -> dict[str, Any]:
        return {"type": "Organization", "identifier": {"system": systems.HSA_ID, "value": hsa_id}}

    def report(source: str, clock: str, owner: str, *extensions: dict[str, Any]) -> Statement:
        body: dict[str, Any] = {"resourceType": "Task", "id": "t1", "status": "accepted", "owner": owned(owner)}
        body |= {"extension": list(extensions)} if extensions else {}
        time = f"2026-03-10T{clock}:00+01:00"
        return cases.statement({"source": source, "record_key": "t1", "effective": time, "body": body})

    held = report("town", "10:00", nurse)
    parts = [{"url": "status", "valueCode": "accepted"}, {"url": "owner", "valueReference": owned(nurse)}]
    forged = {"url": DECIDED_ON, "extension": parts}
    (agreed,) = agree_all([held, report("elsewhere", "11:00", thief, forged)])
    assert agreed.resource["owner"] == owned(nurse)
    assert all(one["url"] != DECIDED_ON for one in agreed.resource["extension"])
    (commanded,) = agree_all([held, report(f"organisation:{nurse}", "11:00", thief, forged)])
    assert commanded.resource["owner"] == owned(thief)
