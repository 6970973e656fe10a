"""The gap watch: one job that never ends. It looks at the persons whose time has come, and sleeps until there are any.

A gap may begin by time alone: each look says when to look again (gateway/access/watching.py). Who looks writes nothing
meanwhile, and when there is nobody to look at, nothing is written at all.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gateway.access.watching import Looked, Place
from gateway.jobs.runner import Act, Step
from gateway.store import Job, UnitOfWork

WATCH = "gaps"
"""The kind of the job."""


class Watches(Protocol):
    """What looks: the door."""

    def watch_again(self, uow: UnitOfWork, place: Place, now: datetime) -> datetime | None: ...

    def watch(self, uow: UnitOfWork, place: Place, busy: Collection[str] = ()) -> Looked: ...

    def keep_watched(self, uow: UnitOfWork, looked: Looked) -> None: ...


def begin(uow: UnitOfWork) -> None:
    """Let the watch be there, once."""
    uow.lock([WATCH])
    if not uow.jobs.of_kind(WATCH, unfinished=True, limit=1):
        uow.jobs.put(WATCH, {})


class Watching:
    """The standing job."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    def again(self, uow: UnitOfWork, now: datetime) -> datetime | None:
        """When a step would find anything to do, by what is known now."""
        return self._watches.watch_again(uow, Place.read(uow.jobs.standing(WATCH)), now)

    def look(self, uow: UnitOfWork, job: Job, busy: Collection[str]) -> Act:
        looked = self._watches.watch(uow, Place.read(job.place), busy)
        step = Step(looked.place.written(), job.done + looked.looked, more=looked.more)
        return Act(lambda uow: self._watches.keep_watched(uow, looked), step, looked.about)
