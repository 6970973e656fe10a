"""What is long over is left out before it is folded, and no answer is another for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bench.who import AT, encounters, statement, tasks, unit
from gateway.coordination import agreements, gaps
from gateway.coordination.as_of import as_of
from gateway.coordination.directory import Directory
from gateway.coordination.over import without_what_is_over
from gateway.coordination.picture import picture
from gateway.records import Link, Statement

SINCE = AT - timedelta(days=14)
LONG_AGO = AT - timedelta(days=100)
TABLE = agreements.authority()
MISSION = {"code": {"coding": [{"code": "1177-uppdrag"}]}, "owner": unit(0)}


def task(id: str, status: str = "completed", *, days: int = 100, **body: Any) -> Statement:
    return statement("Task", id, {"status": status, **MISSION, **body}, AT - timedelta(days=days), 0)


def left(*said: Statement, links: tuple[Link, ...] = ()) -> set[str]:
    return {one.resource_id for one in without_what_is_over(said, links, TABLE, SINCE)}


def group(value: str) -> dict[str, Any]:
    return {"groupIdentifier": {"system": "urn:group", "value": value}}


def test_what_ended_before_is_left_out_and_what_is_open_or_recent_is_not() -> None:
    assert left(task("over"), task("open", "accepted"), task("recent", days=3)) == {"open", "recent"}


def test_what_two_sources_tell_of_stays_for_they_may_differ() -> None:
    assert left(task("t"), replace(task("t"), source="other", digest="other")) == {"t"}


def test_what_a_source_took_back_stays() -> None:
    assert left(task("t"), replace(task("t", days=99), kind="withdraw", digest="gone")) == {"t"}


def test_a_stay_that_is_to_end_later_stays() -> None:
    period = {"start": LONG_AGO.isoformat(), "end": AT.isoformat()}
    assert left(statement("Encounter", "e", {"status": "finished", "period": period}, LONG_AGO, 0)) == {"e"}


def test_a_refusal_of_long_ago_stays_while_its_need_is_open() -> None:
    said = (task("refused", "rejected", **group("n")), task("asked", "requested", days=1, **group("n")))
    assert left(*said, task("other", "rejected", **group("m"))) == {"refused", "asked"}


def test_a_task_of_a_plan_and_one_that_a_link_ties_stay() -> None:
    of_plan = task("planned", basedOn=[{"identifier": {"system": "urn:plan", "value": "p"}}])
    link = Link("Task", "tied", "other", "same", "", AT)
    assert left(of_plan, task("tied"), links=(link,)) == {"planned", "tied"}


@pytest.mark.parametrize("days", [0, 2])
def test_the_gaps_are_those_of_the_whole(days: int) -> None:
    at = AT - timedelta(days=days)
    said = [one for one in (*tasks()[:400], *encounters()[:400]) if one.recorded <= at]
    limits = agreements.agreement()

    def found(some: list[Statement]) -> list[gaps.Gap]:
        agreed = as_of(some, (), TABLE, at=at, known_at=at)
        seen = picture(
            {"resourceType": "Patient", "id": "p1"},
            agreed,
            [one for one in some if one.effective <= at],
            Directory(),
            (),
            agreement=limits,
            authority=TABLE,
            at=at,
            known_at=at,
            since=at - limits.since,
        )
        return gaps.find(seen)

    fewer = without_what_is_over(said, (), TABLE, at - limits.since)
    assert len(fewer) < len(said) / 2
    assert found(fewer) == found(said)
    assert found(said)
