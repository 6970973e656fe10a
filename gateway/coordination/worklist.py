"""One organisation's worklist: what waits for it, what it waits for, and what has changed, from agreed Tasks.

Pure: Tasks, organisations and a time in, lines out. The same Tasks give the same lines in the same order.

docs/api/worklist.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from gateway.coordination.agreements import Agreement, Authority
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.facts import TaskFact
from gateway.coordination.needs import answer_due
from gateway.coordination.picture import REPLACES, task_fact
from gateway.records import Agreed

HURRIED: Final = frozenset({"answer", "claim", "carry-out", "resume"})
"""What can be late."""
URGENCY: Final = {"stat": 0, "asap": 1, "urgent": 2}
"""What is more pressing than the rest, by Task.priority."""


class Why(StrEnum):
    """Why a Task stands on a worklist: what is to be done next, by whoever the list says."""

    ANSWER = "answer"
    """It is offered: to be taken or declined."""
    CLAIM = "claim"
    """It is open, and may be taken by one of several."""
    CARRY_OUT = "carry-out"
    """It was taken: to be carried out and reported."""
    RESUME = "resume"
    """It was taken, and is on hold."""
    COMPLETE = "complete"
    """Who was asked needs to know more before answering."""
    ASK = "ask"
    """Nobody has it: it was declined or broken off, or nobody was asked. The need is still there."""
    READ = "read"
    """It is done and reported: the report is to be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One Task on the list."""

    task: TaskFact
    why: Why | None
    """None where it has changed, and nothing is to be done."""
    other: Unit | None
    """From whom it comes, or is awaited; None where nobody is asked."""
    since: datetime | None
    due: datetime | None
    late: bool
    patient: str | None
    """`Patient/…`, where the Task says one."""
    changed: datetime
    """When what is known of it changed last."""


@dataclass(frozen=True, slots=True)
class Worklist:
    """The three answers; `whole` unless there was more than was looked at."""

    organisations: tuple[str, ...]
    at: datetime
    since: datetime
    waits: tuple[Line, ...]
    awaited: tuple[Line, ...]
    changed: tuple[Line, ...]
    directory: Directory
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Stands:
    """A Task as it stands: agreed, and since when it is known so. `read`: who asked for it has read how it ended."""

    agreed: Agreed
    changed: datetime
    read: bool = False


def worklist(
    tasks: Iterable[Stands],
    organisations: Collection[str],
    *,
    at: datetime,
    since: datetime,
    directory: Directory,
    agreement: Agreement,
    authority: Authority,
    whole: bool = True,
) -> Worklist:
    """The worklist of who has these HSA-ids, at a time. `since`: from when on changes are told."""
    found = [(one, task_fact(one.agreed, directory, authority, at)) for one in tasks]
    asked_anew = _asked_anew([task for _, task in found])
    lister = _Lister(frozenset(organisations), at, directory, agreement, authority, asked_anew)
    found = [(one, task) for one, task in found if lister.concerns(task)]
    known = [(one, task) for one, task in found if task.status not in ("draft", "entered-in-error")]
    waits = [line for one, task in known if (line := lister.waits(one, task))]
    awaited = [line for one, task in known if (line := lister.awaited(one, task))]
    told = {line.task.reference: line for line in (*awaited, *waits)}
    changed = [
        told.get(task.reference) or lister.line(one, task, None, lister.other(task))
        for one, task in found
        if one.changed > since
    ]
    return Worklist(
        tuple(organisations),
        at,
        since,
        tuple(sorted(waits, key=_pressing)),
        tuple(sorted(awaited, key=_pressing)),
        tuple(sorted(changed, key=lambda line: (-line.changed.timestamp(), line.task.reference))),
        directory,
        whole,
    )


def _asked_anew(tasks: Iterable[TaskFact]) -> frozenset[str]:
    """The Tasks whose need was asked again: by a Task that replaces them, or a later one of their group."""
    latest: dict[str, TaskFact] = {}
    found: set[str] = set()
    for task in sorted(tasks, key=lambda one: (one.asked or datetime.max.replace(tzinfo=UTC), one.reference)):
        for extension in task.resource.get("extension", ()):
            if extension.get("url") == REPLACES and (literal := extension["valueReference"].get("reference")):
                found.add(str(literal))
        group = task.resource.get("groupIdentifier", {})
        if "value" in group:
            key = f"{group.get('system', '')}|{group['value']}"
            if key in latest:
                found.add(latest[key].reference)
            latest[key] = task
    return frozenset(found)


def due_of(task: TaskFact, agreement: Agreement, at: datetime, *, offered: bool) -> tuple[datetime | None, bool]:
    """By when it is to be done, or answered where it is `offered`, as the parties have agreed; whether that is past."""
    is_visit = task.code in agreement.codes["visits"]
    due = task.due or (task.start if is_visit else task.end)
    if due is None and offered:
        due = answer_due(task, agreement)
    grace = agreement.visits_late if is_visit else timedelta(0)
    return due, due is not None and due + grace < at


class _Lister:
    def __init__(
        self,
        own: frozenset[str],
        at: datetime,
        directory: Directory,
        agreement: Agreement,
        authority: Authority,
        asked_anew: frozenset[str],
    ) -> None:
        self.own, self.at, self.directory, self.asked_anew = own, at, directory, asked_anew
        self.agreement, self.steps = agreement, authority.steps["Task"]

    def concerns(self, task: TaskFact) -> bool:
        """Whether the organisation is a party to it, or may become one."""
        return self._is(task.owner) or self._is(task.requester) or (task.owner is None and self._may_claim(task))

    def waits(self, one: Stands, task: TaskFact) -> Line | None:
        """The line where the organisation has to do something now."""
        if (why := self._asked_of(task)) is not None:
            return self.line(one, task, why, task.requester)
        if (why := self._asked_by(task, read=one.read)) is not None:
            return self.line(one, task, why, task.owner)
        return None

    def awaited(self, one: Stands, task: TaskFact) -> Line | None:
        """The line where another has to do something that the organisation waits for."""
        if self._is_held(task) and task.code in self.agreement.codes["standing"] | self.agreement.codes["messages"]:
            return None
        if self._is(task.owner) and not self._is(task.requester):
            halted = task.status == "on-hold" and not self._is_held(task)
            return self.line(one, task, Why.COMPLETE, task.requester) if halted and task.requester else None
        if not self._is(task.requester) or self._is(task.owner):
            return None
        if self._is_offered(task):
            return self.line(one, task, Why.ANSWER, task.owner) if self._is_asked(task) else None
        if self._is_held(task):
            return self.line(one, task, Why.RESUME if task.status == "on-hold" else Why.CARRY_OUT, task.owner)
        return None

    def line(self, one: Stands, task: TaskFact, why: Why | None, other: Unit | None) -> Line:
        due, late = due_of(task, self.agreement, self.at, offered=why in (Why.ANSWER, Why.CLAIM))
        late = late and why in HURRIED
        patient = task.resource.get("for", {}).get("reference")
        is_patient = isinstance(patient, str) and patient.startswith("Patient/")
        return Line(task, why, other, task.since, due, late, patient if is_patient else None, one.changed)

    def other(self, task: TaskFact) -> Unit | None:
        """The other side of a Task."""
        return task.requester if self._is(task.owner) else task.owner

    def _asked_of(self, task: TaskFact) -> Why | None:
        """What the owner, or one who may become it, has to do."""
        if task.owner is None:
            return Why.CLAIM if self._is_offered(task) and self._may_claim(task) else None
        if not self._is(task.owner):
            return None
        if self._is_offered(task):
            return Why.ANSWER
        if not self._is_held(task) or task.code in self.agreement.codes["messages"]:
            return None
        if task.status == "on-hold":
            return Why.RESUME
        # What stands for years is no work that waits.
        return None if task.code in self.agreement.codes["standing"] else Why.CARRY_OUT

    def _asked_by(self, task: TaskFact, *, read: bool) -> Why | None:
        """What who asked has to do."""
        if not self._is(task.requester) or self._is(task.owner):
            return None
        if task.status == "on-hold" and not self._is_held(task):
            return Why.COMPLETE
        if self._is_offered(task) and not self._is_asked(task):
            return Why.ASK
        recent = task.since is not None and task.since >= self.at - self.agreement.since
        if read or not recent or task.code in self.agreement.codes["standing"] | self.agreement.codes["messages"]:
            return None
        if task.status in ("rejected", "failed"):
            return None if task.reference in self.asked_anew else Why.ASK
        return Why.READ if task.status == "completed" and task.reported else None

    @staticmethod
    def _is_asked(task: TaskFact) -> bool:
        return task.owner is not None or bool(task.resource.get("restriction", {}).get("recipient"))

    def _may_claim(self, task: TaskFact) -> bool:
        recipients = task.resource.get("restriction", {}).get("recipient", ())
        return any(self._is(self.directory.unit(one)) for one in recipients)

    def _is(self, unit: Unit | None) -> bool:
        return unit is not None and unit.hsa_id in self.own

    def _is_offered(self, task: TaskFact) -> bool:
        told = task.code in self.agreement.codes["messages"] and task.status != "requested"
        return task.status in self.steps.offered and not told

    def _is_held(self, task: TaskFact) -> bool:
        held = task.status in self.steps.held or task.status == "on-hold"
        # Of what the operator wrote no history is told.
        return held and (task.held_since is not None or not task.turns)


def _pressing(line: Line) -> tuple[Any, ...]:
    """Late first, then by priority, then by when it is due, then by how long it has waited."""
    far = timedelta.max.total_seconds()
    due = line.due.timestamp() if line.due else far
    since = line.since.timestamp() if line.since else far
    return (not line.late, URGENCY.get(line.task.priority or "", 3), due, since, line.task.reference)
