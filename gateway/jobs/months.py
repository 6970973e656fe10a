"""Months of measures: one job that never ends. At the turn of a month it counts those behind it, a month a step.

Who counts writes nothing meanwhile; what it came to and how far it is are one commit. A gateway that did not run when
the month turned counts when it runs again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gateway.access.months import CountedMonth, Turn
from gateway.jobs.runner import Act, Step
from gateway.store import Job, UnitOfWork

MONTHS = "months"
"""The kind of the job."""


class Counts(Protocol):
    """What counts: the door."""

    def months_again(self, turn: Turn, now: datetime) -> datetime: ...

    def count_month(self, uow: UnitOfWork, turn: Turn, reporter: str) -> CountedMonth: ...

    def keep_month(self, uow: UnitOfWork, counted: CountedMonth) -> None: ...


def begin(uow: UnitOfWork) -> None:
    """Let the job be there, once."""
    uow.lock([MONTHS])
    if not uow.jobs.of_kind(MONTHS, unfinished=True, limit=1):
        uow.jobs.put(MONTHS, {})


class Counting:
    """The standing job, for the organisation with the HSA-id `reporter`."""

    def __init__(self, counts: Counts, reporter: str) -> None:
        self._counts = counts
        self._reporter = reporter

    def again(self, uow: UnitOfWork, now: datetime) -> datetime | None:
        """When a step would find a month to count."""
        return self._counts.months_again(Turn.read(uow.jobs.standing(MONTHS)), now)

    def look(self, uow: UnitOfWork, job: Job, busy: Collection[str]) -> Act:
        counted = self._counts.count_month(uow, Turn.read(job.place), self._reporter)
        step = Step(counted.turn.written(), job.done + 1, more=bool(counted.turn.left))
        return Act(lambda uow: self._counts.keep_month(uow, counted), step)
