"""Indexing what is there by definitions that are newer than it, while everybody goes on reading and writing.

First all current versions in order, of the types that the job names or of all. Then, when no process and no transaction
can be left that writes by the older definitions, what was written since the job was put: the change log names it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from gateway.jobs.runner import Step
from gateway.store import Job, Stored, UnitOfWork

BATCH = 100
SETTLE = timedelta(seconds=5)
"""By then every process has looked for new definitions, which it does once a second."""
AGAIN = timedelta(seconds=1)


Beside = Callable[[UnitOfWork, Collection[tuple[str, str]]], None]
"""Writes what else is derived of these (resource type, id)."""


class Reindex:
    """The handler. `beside` writes what is derived beside the index.

    `settle` is how long after the job was put a process may still write by older definitions.
    """

    def __init__(self, beside: Beside, settle: timedelta = SETTLE) -> None:
        self._beside = beside
        self._settle = settle

    def __call__(self, uow: UnitOfWork, job: Job) -> Step:
        if "seq" in job.place:
            return self._caught_up(uow, job)
        types, rid = job.input.get("types"), job.place.get("rid", 0)
        total = job.total or sum(n for one, n in uow.resources.count().items() if types is None or one in types)
        found = uow.resources.following(rid, types, limit=BATCH)
        self._index(uow, found)
        if len(found) == BATCH:
            return Step({"rid": found[-1].rid}, job.done + len(found), total)
        return Step({"seq": job.input["after"]}, job.done + len(found), total)

    def _caught_up(self, uow: UnitOfWork, job: Job) -> Step:
        """What was written since by those who did not know."""
        due = job.created + self._settle
        if uow.clock < due:
            return Step(job.place, job.done, job.total, wait=due - uow.clock)
        if uow.jobs.older_writers(due):
            return Step(job.place, job.done, job.total, wait=AGAIN)
        uow.changes.number()
        changes = uow.changes.after(job.place["seq"], limit=BATCH)
        types = job.input.get("types")
        keys = {(one.resource_type, one.id) for one in changes if types is None or one.resource_type in types}
        self._index(uow, list(uow.resources.read_many(keys).values()))
        if len(changes) == BATCH:
            return Step({"seq": changes[-1].seq}, job.done, job.total)
        return Step(job.place, job.done, job.total, finished=True)

    def _index(self, uow: UnitOfWork, found: Collection[Stored]) -> None:
        """Write the rows anew of what is current now, under the locks that whoever writes it takes."""
        if not found:
            return
        uow.lock({key for one in found for key in (one.id, one.person) if key})
        things = {(one.resource_type, one.id) for one in found}
        uow.resources.reindex([one for one in uow.resources.read_many(things).values() if not one.deleted])
        self._beside(uow, things)
