"""What was commanded among what is reported: a command says on what it was decided, and is followed there (ADR 39)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from gateway.coordination import tasks
from gateway.coordination.agree import agree
from gateway.coordination.statements import Origin, canonical, make
from gateway.coordination.tasks import DECIDED_ON, HISTORY
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement

ASKS, HAS = "SE2321000131-T0110", "SE2120001348-T0100"
START = datetime(2026, 3, 10, 10, tzinfo=UTC)


def task(status: str, **elements: Any) -> Resource:
    body: Resource = {"resourceType": "Task", "id": "t", "status": status, "intent": "order"}
    named = {"requester": ASKS, "owner": HAS}
    return body | {name: {"identifier": {"system": HSA_ID, "value": one}} for name, one in named.items()} | elements


def said(who: str, body: Resource, minute: int, *, source: str = "organisation") -> Statement:
    return make(
        body=body,
        origin=Origin(f"{source}:{who}"),
        record_key="Task/t",
        person=None,
        effective=START + timedelta(minutes=minute),
        recorded=START + timedelta(minutes=minute),
        party=who,
        provider=who,
        version=str(minute),
    )


def commanded(who: str, body: Resource, minute: int, *, on: Resource | None) -> Statement:
    return said(who, tasks.command(body, on), minute)


def agreed(*statements: Statement) -> Resource:
    """What they agree on, which is the same in any order of arrival."""
    found = {canonical(agree(order).resource) for order in permutations(statements)}
    assert len(found) == 1
    return agree(statements).resource


def told(resource: Resource) -> list[tuple[str, ...]]:
    """The statuses of its history, with the marks."""
    steps = [one["extension"] for one in resource["extension"] if one["url"] == HISTORY]
    return [
        (
            next(part["valueCode"] for part in step if part["url"] == "status"),
            *(part["url"] for part in step if "valueBoolean" in part),
        )
        for step in steps
    ]


BEGIN = commanded(ASKS, task("requested"), 0, on=None)


def test_what_was_allowed_is_followed_as_it_says_without_steps_between() -> None:
    found = agreed(BEGIN, commanded(HAS, task("in-progress"), 1, on=task("requested")))

    assert told(found) == [("requested",), ("in-progress",)]
    assert "meta" not in found


def test_a_command_that_says_again_what_its_source_said_last_is_news_when_it_was_decided_on_something_else() -> None:
    accepts = commanded(HAS, task("accepted"), 1, on=task("requested"))
    pauses = said(HAS, task("on-hold"), 2, source="system")
    again = commanded(HAS, task("accepted"), 3, on=task("on-hold"))

    assert agreed(BEGIN, accepts, pauses, again)["status"] == "accepted"


def test_who_sends_back_the_status_that_he_read_does_not_turn_time_back() -> None:
    accepts = commanded(HAS, task("accepted"), 1, on=task("requested"))
    notes = commanded(ASKS, task("accepted", note=[{"text": "Porten är låst"}]), 5, on=task("accepted"))
    begins = said(HAS, task("in-progress"), 3, source="system")  # Comes to be known after the note.

    found = agreed(BEGIN, accepts, notes, begins)

    assert found["status"] == "in-progress"
    assert found["note"] == [{"text": "Porten är låst"}]


def test_a_command_on_what_has_turned_out_otherwise_is_weighed_like_a_fact() -> None:
    accepts = commanded(HAS, task("accepted"), 1, on=task("requested"))
    cancels = commanded(ASKS, task("cancelled"), 5, on=task("accepted"))
    assert agreed(BEGIN, accepts, cancels)["status"] == "cancelled"

    done = said(HAS, task("completed"), 3, source="system")
    found = agreed(BEGIN, accepts, cancels, done)

    assert found["status"] == "completed"  # The owner's word about its own work; the other is shown beside it.
    assert "contradicted" in {tag["code"] for tag in found["meta"]["tag"]}


def test_on_what_a_command_was_decided_is_never_served() -> None:
    found = agreed(BEGIN, commanded(HAS, task("accepted"), 1, on=task("requested")))

    assert DECIDED_ON not in {one["url"] for one in found["extension"]}


def test_a_client_does_not_say_on_what_it_was_decided() -> None:
    forged = task("accepted", extension=[{"url": DECIDED_ON, "extension": [{"url": "status", "valueCode": "draft"}]}])

    made = tasks.command(forged, task("requested"))

    (own,) = [one for one in made["extension"] if one["url"] == DECIDED_ON]
    assert own["extension"][0]["valueCode"] == "requested"


def test_who_is_named_before_anybody_accepts_stands_in_the_history_though_the_status_stays() -> None:
    other = "SE2321000081-T0100"
    named = {"owner": {"identifier": {"system": HSA_ID, "value": other}}}
    found = agreed(
        said(HAS, task("on-hold"), 1, source="system"),
        said(ASKS, task("on-hold", **named), 2, source="system"),
    )

    steps = [one["extension"] for one in found["extension"] if one["url"] == HISTORY]
    owners = [
        part["valueReference"]["identifier"]["value"] for step in steps for part in step if part["url"] == "owner"
    ]
    assert owners[-1] == found["owner"]["identifier"]["value"] == other
