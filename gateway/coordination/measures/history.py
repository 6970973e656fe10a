"""One mission's history as its offers: whom it was offered to, when, and what became of each.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.coordination.agreements import Agreement, Steps
from gateway.coordination.directory import Unit
from gateway.coordination.facts import TaskFact, Turn
from gateway.coordination.needs import Refusal


@dataclass(frozen=True, slots=True)
class Offer:
    """A mission in front of one unit, which takes it, says no, or is overtaken."""

    task: TaskFact
    unit: Unit
    start: datetime
    accepted: datetime | None
    refused: datetime | None
    withdrawn: datetime | None
    """Taken from the unit before it had answered."""

    @property
    def answered(self) -> datetime | None:
        return self.accepted or self.refused


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which something was missing."""

    kind: str
    start: datetime
    end: datetime
    task: TaskFact
    unit: Unit | None
    """Who had to act."""


def offers(task: TaskFact, steps: Steps) -> Iterator[Offer]:
    """Each unit that was asked, in order."""
    for turns in _in_front_of(task):
        asked = next((place for place, turn in enumerate(turns) if turn.status in ("requested", "received")), None)
        if asked is None:
            continue
        after = turns[asked + 1 :]
        # The heir of a unit that closed unanswered was asked for it.
        unit = next((turn.owner for turn in after if turn.status not in ("requested", "received")), turns[-1].owner)
        if unit is None:
            continue
        accepted = _first(after, steps.held | {"completed", "failed"})
        refused = _first(after, frozenset({"rejected"}))
        if accepted and refused:
            accepted, refused = (accepted, None) if accepted < refused else (None, refused)
        withdrawn = turns[-1].end or _first(after, frozenset({"cancelled", "entered-in-error"}))
        yield Offer(task, unit, turns[asked].start, accepted, refused, None if accepted or refused else withdrawn)


def spans(
    need: Sequence[TaskFact],
    refused: Sequence[Refusal],
    reported: dict[str, datetime],
    *,
    agreement: Agreement,
    steps: Steps,
    now: datetime,
) -> Iterator[Span]:
    """What was missing in the missions of one need, from its history alone; what lasts, lasts until now.

    As in `gaps.py`: nobody is reminded for longer than the agreement looks back of what was refused or not reported.
    """
    every = [offer for task in need for offer in offers(task, steps)]
    for offer in every:
        limit = agreement.limit(agreement.unanswered, offer.task.code, offer.task.priority)
        if limit is not None:
            end = offer.answered or offer.withdrawn or now
            yield from _span("unanswered", offer.start + limit.after, end, offer.task, offer.unit)
    for task in need:
        if task.due is not None:
            ended = next((turn.start for turn in task.turns if turn.status in steps.ended), now)
            yield from _span("overdue", task.due, ended, task, task.owner or task.requester)
        limit = agreement.limit(agreement.report, task.code, task.priority)
        done = _first(task.turns, frozenset({"completed"}))
        if limit is None or done is None or task.owner is None or task.requester is None:
            continue
        if task.owner.key != task.requester.key and (task.reference in reported or not task.reported):
            end = reported.get(task.reference, min(now, done + agreement.since))
            yield from _span("done-without-report", done + limit.after, end, task, task.owner)
    yield from _between(need, refused, every, agreement=agreement, steps=steps, now=now)


def _between(
    need: Sequence[TaskFact],
    refused: Sequence[Refusal],
    every: Sequence[Offer],
    *,
    agreement: Agreement,
    steps: Steps,
    now: datetime,
) -> Iterator[Span]:
    """Refused, and nobody's: `unowned` until the next is asked, `sent-on` once it was refused too often."""
    taken = sorted(turn.start for task in need for turn in task.turns if turn.status in steps.held | {"completed"})
    for count, refusal in enumerate(refused, start=1):
        if _is_had(need, refusal.when, steps):
            continue
        later = [time for time in taken if time > refusal.when]
        forgotten = min(now, refusal.when + agreement.since)
        if count == agreement.refusals:
            last = max(one.when for one in refused)
            until = min([*later, min(now, last + agreement.since)])
            yield from _span("sent-on", refusal.when, until, refusal.task, need[0].requester)
        elif count < agreement.refusals:
            asked = [offer.start for offer in every if offer.start > refusal.when]
            waiting = any(one.start <= refusal.when < (one.answered or one.withdrawn or now) for one in every)
            if not waiting:
                until = min([*later, *asked, forgotten])
                yield from _span("unowned", refusal.when, until, refusal.task, need[0].requester)


def _is_had(need: Sequence[TaskFact], at: datetime, steps: Steps) -> bool:
    """Whether somebody had it at a time, or had done it."""
    for turn in (turn for task in need for turn in task.turns if turn.start <= at):
        if turn.status == "completed" or (turn.status in steps.held and (turn.end is None or turn.end > at)):
            return True
    return False


def _span(kind: str, start: datetime, end: datetime, task: TaskFact, unit: Unit | None) -> Iterator[Span]:
    if end - start > timedelta(0):
        yield Span(kind, start, end, task, unit)


def _in_front_of(task: TaskFact) -> Iterator[list[Turn]]:
    """The turns of each unit in order, and with them those that its heirs had of it."""
    found: list[list[Turn]] = []
    for turn in task.turns:
        owner = turn.owner.key if turn.owner else None
        before = found[-1][-1].owner if found else None
        if found and (turn.inherited or owner == (before.key if before else None)):
            found[-1].append(turn)
        else:
            found.append([turn])
    yield from found


def _first(turns: Sequence[Turn], statuses: frozenset[str]) -> datetime | None:
    return next((turn.start for turn in turns if turn.status in statuses), None)
