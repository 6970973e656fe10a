"""Whoever works on a message holds its lease: a process that dies loses it, one that is thought dead does nothing."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from typing import Any

import pytest

from gateway.ingest import pace
from gateway.ingest.pace import Pace
from gateway.ingest.pipeline import LEASE
from tests.ingest.inlet import Inlet
from tests.ingest.samples import alarm, dispatch, municipal, visit


@pytest.fixture
def other(database_url: str, inlet: Inlet) -> Iterator[Inlet]:
    """A second process on the same database."""
    opened = Inlet.open(database_url)
    yield opened
    opened.close()


class Killed(BaseException):
    """What no code can catch, as nothing catches kill -9."""


def killed_at(inlet: Inlet, monkeypatch: pytest.MonkeyPatch, item: int) -> None:
    """Work, and die when a message comes to this item."""
    mapped = type(inlet.ingest)._mapped

    def dies(self: Any, task: Any, seq: int, record: Any) -> Any:
        if seq == item:
            raise Killed
        return mapped(self, task, seq, record)

    with monkeypatch.context() as patched:
        patched.setattr(type(inlet.ingest), "_mapped", dies)
        with pytest.raises(Killed):
            inlet.ingest.process_waiting()


def test_a_dead_process_s_message_waits_for_its_lease_then_another_goes_on(
    inlet: Inlet, other: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = inlet.keep("municipal-csv", municipal(*(visit(f"B-{n}") for n in range(250))))
    monkeypatch.setattr(pace, "MAPPING", 1)
    inlet.ingest.pace = Pace(fewest=100, most=100)
    killed_at(inlet, monkeypatch, 150)
    assert other.sent(kept).entry.next_item == 100
    before = other.read(lambda uow: uow.statements.count())

    assert other.ingest.process_waiting() == []
    other.wall[0] += LEASE + timedelta(seconds=1)
    (outcome,) = other.ingest.process_waiting()

    assert (outcome.state, outcome.items) == ("done", 150)
    assert other.sent(kept).entry.attempts == 2
    assert len(other.sent(kept).items) == 250
    assert len(other.statuses()) == 250
    assert other.read(lambda uow: uow.statements.count()) > before
    assert other.read(lambda uow: uow.audit.verify()) == []
    assert other.rebuilt().different == []


def test_a_process_that_was_thought_dead_commits_nothing_more_of_what_it_lost(
    inlet: Inlet, other: Inlet, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
) -> None:
    lost = inlet.keep("dispatch-json", dispatch(*(alarm(str(n)) for n in range(30))))
    held = inlet.keep("dispatch-json", dispatch(alarm("mine")))
    inlet.ingest.pace = Pace(fewest=10, most=10)
    mapped = type(inlet.ingest)._mapped
    audited = []

    def sleeps(self: Any, task: Any, seq: int, record: Any) -> Any:
        if self is inlet.ingest and task.message.id == lost and seq == 15:
            other.wall[0] += LEASE * 2
            other.drain()
            audited.append(other.read(lambda uow: uow.audit.latest(limit=1000)))
        return mapped(self, task, seq, record)

    monkeypatch.setattr(type(inlet.ingest), "_mapped", sleeps)
    outcomes = inlet.ingest.process_waiting()

    assert [one.state for one in outcomes] == ["received", "received"], "both were finished by the other"
    assert {other.sent(id).state for id in (lost, held)} == {"done"}
    assert len(other.sent(lost).items) == 30
    assert len(audited[0]) == len(other.read(lambda uow: uow.audit.latest(limit=1000))), "nothing was done twice"
    assert [entry["inbox_id"] for entry in logged if entry["event"] == "lease-lost"] == [lost, held], "said once each"
    assert other.rebuilt().different == []


def test_messages_that_are_waiting_are_shared_and_each_is_worked_once(inlet: Inlet, other: Inlet) -> None:
    kept = [inlet.keep("dispatch-json", dispatch(alarm(str(n)))) for n in range(6)]
    worked = []
    while True:
        found = [*inlet.ingest.process_waiting(2), *other.ingest.process_waiting(2)]
        if not found:
            break
        worked += [one.inbox_id for one in found]

    assert sorted(worked) == sorted(kept)
    assert {inlet.sent(id).entry.attempts for id in kept} == {1}


def test_a_message_that_is_being_worked_on_is_not_replayed(
    inlet: Inlet, other: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = inlet.keep("dispatch-json", dispatch(alarm("1"), alarm("2")))
    killed_at(inlet, monkeypatch, 1)

    with pytest.raises(Exception, match="is being worked on") as refused:
        other.ingest.replay(kept)
    assert refused.value.status == 409
    other.wall[0] += LEASE * 2
    other.drain()
    assert other.replay(kept).states == ["done", "done"]


def test_a_message_that_is_taken_or_replayed_is_left_to_nobody_in_between(
    inlet: Inlet, other: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`samverka ingest` beside a running server."""
    work = type(inlet.ingest)._work
    found: list[int] = []

    def after_the_other(self: Any, claimed: Any) -> Any:
        if self is inlet.ingest:
            found.append(len(other.ingest.process_waiting()))
        return work(self, claimed)

    monkeypatch.setattr(type(inlet.ingest), "_work", after_the_other)
    outcome = inlet.ingest.take(inlet.sources.get("dispatch-json"), dispatch(alarm("1")), "application/json")
    again = inlet.ingest.replay(outcome.inbox_id)

    assert (outcome.state, again.state, found) == ("done", "done", [0, 0])
