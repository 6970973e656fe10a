"""When a person is asked whether two things are one: one unit, code and time, and nothing that tells them apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import definitions
from gateway.coordination import weak_links
from gateway.search.parameters import served

VISIT: dict[str, Any] = {
    "resourceType": "Encounter",
    "identifier": [{"system": "urn:old", "value": "K-1"}],
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "serviceProvider": {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": "SE2321000131-T0100"}},
    "period": {"start": "2026-03-03T10:00:00+01:00", "end": "2026-03-03T10:40:00+01:00"},
}
SAME = VISIT | {
    "identifier": [{"system": "urn:new", "value": "C-1"}],
    "period": {"start": "2026-03-03T10:20:00+01:00", "end": "2026-03-03T11:00:00+01:00"},
}
OTHER_UNIT = {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": "SE2321000131-T0101"}}
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "status": "accepted",
    "code": {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/mission", "code": "1177-uppdrag"}]},
    "owner": {"identifier": {"system": "urn:oid:1.2.752.29.4.19", "value": "SE2120001348-T0100"}},
}


def test_one_unit_one_code_and_times_that_meet_may_be_one() -> None:
    assert weak_links.may_be_one(VISIT, SAME)


@pytest.mark.parametrize(
    ("differs", "why"),
    [
        ({"serviceProvider": OTHER_UNIT}, "another unit"),
        ({"serviceProvider": {"display": "Mottagningen"}}, "a unit that is only called something"),
        ({"class": {"system": VISIT["class"]["system"], "code": "IMP"}}, "another code"),
        ({"period": {"start": "2026-03-03T10:40:00+01:00", "end": "2026-03-03T11:10:00+01:00"}}, "one after the other"),
        ({"period": {}}, "no time"),
        ({"status": "cancelled"}, "not done"),
        ({"status": "entered-in-error"}, "never was"),
        ({"identifier": [{"system": "urn:old", "value": "K-2"}]}, "numbered differently under one system"),
        ({"resourceType": "Task"}, "another type"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_tells_them_apart(differs: dict[str, Any], why: str) -> None:
    assert not weak_links.may_be_one(VISIT, SAME | differs), why


@pytest.mark.parametrize(
    ("start", "near"),
    [
        ("2026-03-03T11:59:00+01:00", True),
        ("2026-03-03T12:30:00+01:00", False),
        ("2026-03-03T09:00:00Z", True),
        ("2026-03-03", True),
        ("2026-03-04", False),
    ],
)
def test_without_an_end_the_starts_must_be_near(start: str, near: bool) -> None:
    assert weak_links.may_be_one(VISIT, SAME | {"period": {"start": start}}) is near


def test_an_asked_mission_may_be_one_that_is_done_soon_after() -> None:
    asked = TASK | {"authoredOn": "2026-03-03T10:00:00+01:00"}
    done = TASK | {"executionPeriod": {"start": "2026-03-03T11:10:00+01:00", "end": "2026-03-03T12:00:00+01:00"}}
    assert weak_links.may_be_one(asked, done)
    late = {"executionPeriod": {"start": "2026-03-03T15:10:00+01:00", "end": "2026-03-03T16:00:00+01:00"}}
    assert not weak_links.may_be_one(asked, done | late)
    both = done | {"authoredOn": "2026-03-01T10:00:00+01:00"}
    assert not weak_links.may_be_one(asked, both), "when it was asked is what both state"


def test_a_common_code_does_not_outweigh_a_differing_one_of_the_same_system() -> None:
    kind = {"system": "urn:kind", "code": "HSJV"}
    service = TASK | {"code": {"coding": [{"system": "urn:task", "code": "care-service"}, kind]}}
    visit = TASK | {"code": {"coding": [{"system": "urn:task", "code": "home-visit"}, kind]}}
    when = {"authoredOn": "2026-03-03T10:00:00+01:00"}
    assert not weak_links.may_be_one(service | when, visit | when)
    assert weak_links.may_be_one(visit | when, visit | when)


MOMENTS = st.sampled_from(
    [f"2026-03-03T{hour:02}:{minute}:00+01:00" for hour in range(7, 17) for minute in ("00", "30")]
)
PERIODS = st.builds(
    lambda a, b, ended: {"start": min(a, b)} | ({"end": max(a, b)} if ended else {}), MOMENTS, MOMENTS, st.booleans()
)


@given(PERIODS, PERIODS)
def test_it_does_not_matter_which_comes_first_and_the_window_holds_all_that_may_be(one: Any, other: Any) -> None:
    a, b = VISIT | {"period": one}, SAME | {"period": other}
    asked = weak_links.may_be_one(a, b)
    assert asked == weak_links.may_be_one(b, a)
    if asked:
        mine, theirs = weak_links.window(a), weak_links.window(b)
        assert mine and theirs and mine[0] <= theirs[1] and theirs[0] <= mine[1]


def test_the_search_parameters_of_the_table_find_its_times() -> None:
    for kind, rule in weak_links.rules().items():
        known = served(definitions.load(), kind)
        for code in rule.searched:
            assert known[code].type == "date", f"{kind} {code}"
