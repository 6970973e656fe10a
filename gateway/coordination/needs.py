"""One need and the Tasks that answer it: who refused, whether somebody has it, when two have it.

https://hl7.org/fhir/R4/task-definitions.html#Task.groupIdentifier
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.agreements import Agreement
from gateway.coordination.directory import Unit
from gateway.coordination.facts import TaskFact
from gateway.coordination.picture import Picture


def answer_due(task: TaskFact, agreement: Agreement) -> datetime | None:
    """By when a question is to be answered; None where no limit is agreed, or its receipt was what was asked for."""
    limit = agreement.limit(agreement.unanswered, task.code, task.priority)
    asked = task.asked_last
    if limit is None or asked is None or (limit.received and task.status == "received"):
        return None
    return asked + limit.after


@dataclass(frozen=True, slots=True)
class Refusal:
    """A unit that said no, or sent it on."""

    task: TaskFact
    unit: Unit
    when: datetime


def refusals(picture: Picture, need: Sequence[TaskFact]) -> list[Refusal]:
    """Who refused the need, or sent it on, in order."""
    found = []
    needs, refusable = picture.agreement.codes["needs"], picture.agreement.codes["refusable"]
    for task in need:
        if task.code not in needs and task.code not in refusable:
            continue
        refused = [turn for turn in task.turns if turn.status in ("rejected", "failed")]
        found += [Refusal(task, turn.owner, turn.start) for turn in refused if turn.owner]
        if task.status == "cancelled" and _was_sent_on(picture, task) and task.owner and task.since:
            found.append(Refusal(task, task.owner, task.since))
    return sorted(found, key=lambda refusal: (refusal.when, refusal.unit.name, refusal.task.reference))


def has_owner(picture: Picture, need: Sequence[TaskFact]) -> bool:
    """Somebody has it, or has done it."""
    return any(picture.is_held(task) or task.status == "completed" for task in need)


def is_asked(picture: Picture, need: Sequence[TaskFact]) -> bool:
    """Somebody has been asked and has not answered yet."""
    return any(picture.is_offered(task) and task.owner for task in need)


def keeper(picture: Picture, need: Sequence[TaskFact]) -> Unit | None:
    """Who has the need on his hands until somebody takes it: nobody is let go before another has it.

    The one who asked first; but what the agreement says is kept stays with the last who had taken it on.
    """
    if need[0].code in picture.agreement.codes["kept"]:
        had = [refusal.unit for refusal in refusals(picture, need) if _had(picture, refusal)]
        if had:
            return had[-1]
    return need[0].requester


def is_sought(picture: Picture, need: Sequence[TaskFact]) -> bool:
    """A need that nobody has, and for which somebody is being sought, or wants to know more before he takes it."""
    if need[0].code not in picture.agreement.codes["needs"] or has_owner(picture, need):
        return False
    if is_asked(picture, need) or any(is_asked_of_nobody(picture, task) or is_halted(task) for task in need):
        return True
    refused = refusals(picture, need)
    return bool(refused) and refused[-1].when >= picture.since


def is_asked_of_nobody(picture: Picture, task: TaskFact) -> bool:
    return picture.is_open(task) and task.status != "draft" and task.owner is None


def is_halted(task: TaskFact) -> bool:
    """On hold before anybody has taken it: whom it was asked of has asked back."""
    return task.status == "on-hold" and task.held_since is None


def next_in_turn(need: Sequence[TaskFact]) -> Unit | None:
    """Whom to ask next: the first candidate of the last Task who has not been asked yet."""
    asked = {task.owner.key for task in need if task.owner}
    named = [unit for task in reversed(need) if task.candidates for unit in task.candidates]
    return next((unit for unit in named if unit.key not in asked), None)


def is_one_need(picture: Picture, one: TaskFact, other: TaskFact) -> bool:
    """Whether two Tasks answer one need: the same group or request, or the same mission asked at about the same time.

    What the agreement sends to two units on purpose (an IVPA alarm) is not one need answered twice.
    """
    if one.code != other.code or one.code in picture.agreement.codes["parallel"]:
        return False
    if one.need == other.need:
        return True
    missions = picture.agreement.codes["missions"]
    near = one.asked and other.asked and abs(one.asked - other.asked) <= picture.agreement.same_need_within
    return one.code in missions and bool(near)


def _had(picture: Picture, refusal: Refusal) -> bool:
    held = picture.authority.steps["Task"].held
    return any(turn.status in held and turn.owner and turn.owner.key == refusal.unit.key for turn in refusal.task.turns)


def _was_sent_on(picture: Picture, task: TaskFact) -> bool:
    codings = task.resource.get("businessStatus", {}).get("coding", ())
    return any(coding.get("code") in picture.agreement.codes["forwarded"] for coding in codings)
