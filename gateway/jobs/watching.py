"""The gap watch: one job that never ends and looks, once a second, at the persons whose time has come.

A gap may begin by time alone: each look says when to look again (gateway/access/watching.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from gateway.jobs.runner import Step
from gateway.store import Job, UnitOfWork

WATCH = "gaps"
"""The kind of the job."""
POLL = timedelta(seconds=1)

Watch = Callable[[UnitOfWork, int], tuple[int, int, bool]]
"""From the last change that was read: the last that is read now, at how many persons was looked, whether more wait."""


def begin(uow: UnitOfWork) -> None:
    """Let the watch be there, once."""
    uow.lock([WATCH])
    if not uow.jobs.of_kind(WATCH, unfinished=True, limit=1):
        uow.jobs.put(WATCH, {})


class Watching:
    """The handler."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __call__(self, uow: UnitOfWork, job: Job) -> Step:
        seq, looked, more = self._watch(uow, job.place.get("seq", 0))
        return Step({"seq": seq}, job.done + looked, 0, wait=None if more else POLL)
