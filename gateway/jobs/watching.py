"""The gap watch: one job that never ends and looks, once a second, at the persons whose time has come.

A gap may begin by time alone: each look says when to look again (gateway/access/watching.py). When there is nobody to
look at, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.jobs.runner import Step
from gateway.store import Job, UnitOfWork

WATCH = "gaps"
"""The kind of the job."""
POLL = timedelta(seconds=1)

Watch = Callable[[UnitOfWork, int], tuple[int, int, bool]]
"""From the last change that was read: the last that is read now, at how many persons was looked, whether more wait."""
Awaited = Callable[[UnitOfWork, int, datetime], bool]
"""Whether there is anything to do after the last change that was read, at a time."""


def begin(uow: UnitOfWork) -> None:
    """Let the watch be there, once."""
    uow.lock([WATCH])
    if not uow.jobs.of_kind(WATCH, unfinished=True, limit=1):
        uow.jobs.put(WATCH, {})


class Watching:
    """The handler."""

    def __init__(self, watch: Watch, awaited: Awaited) -> None:
        self._watch, self._awaited = watch, awaited

    def ready(self, uow: UnitOfWork, now: datetime) -> bool:
        """Whether a step would find anything to do."""
        return any(self._awaited(uow, _seq(job), now) for job in uow.jobs.of_kind(WATCH, unfinished=True, limit=1))

    def __call__(self, uow: UnitOfWork, job: Job) -> Step:
        seq, looked, more = self._watch(uow, _seq(job))
        return Step({"seq": seq}, job.done + looked, 0, wait=None if more else POLL)


def _seq(job: Job) -> int:
    """The last change that was read."""
    return int(job.place.get("seq", 0))
