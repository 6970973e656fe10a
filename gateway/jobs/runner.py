"""One thread that does background work step by step; any number of processes may share the work."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.store import Job, LeaseLost, Store, UnitOfWork
from gateway.store.jobs import State

POLL_SECONDS = 1.0
GLANCE_SECONDS = 0.5
"""At most so long after it came to be is it seen that a standing job has something to do."""
BEAT_SECONDS = 0.2
"""Between the beginnings of two steps of which the first is not full: what comes meanwhile is done together."""
KEEP_SECONDS = 5.0
"""So long a standing job is kept though there is nothing to do; then whoever has something to do for it may take it."""
LEASE = timedelta(seconds=30)
TRIES = 10
"""So many times in a row a job may come to nothing before it is given up."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to: how to go on, how much is done of how much, and whether that is all. `wait`: not before.

    `more`: that a standing job has more to do at once.
    """

    place: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    finished: bool = False
    wait: timedelta | None = None
    more: bool = False


Handler = Callable[[UnitOfWork, Job], Step]
"""Does one step, within the unit of work that its progress is committed in. It may be run again when that fails."""


Apart = Callable[[Job], None]
"""Does a whole job outside any unit of work, because it has some of its own."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a look of a standing job comes to: to be done in the unit of work that its progress is committed in."""

    keep: Callable[[UnitOfWork], None]
    step: Step
    """How far the job is with it."""
    about: Collection[str] = ()
    """The keys of what it changes something of."""


class Standing(Protocol):
    """A kind of which there is one job that never ends, and is never given up. It reads apart from what it writes.

    Where there is more to do than a step, the next one is looked at while this one is written (ADR 67).
    """

    def again(self, uow: UnitOfWork, now: datetime) -> datetime | None:
        """When it has something to do, by what is known: asked by reading, so that one that waits writes nothing."""

    def look(self, uow: UnitOfWork, job: Job, busy: Collection[str]) -> Act:
        """A step, as far as it only reads; what is `busy` is being written: what is read of it may be out of date."""


class Runner:
    """Started and stopped with the server."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        apart: Mapping[str, Apart] | None = None,
        *,
        standing: Mapping[str, Standing] | None = None,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`clock` says what time it is for standing jobs; leases go by the real one."""
        self._store = store
        self._lease = lease
        self._clock = clock
        self._handlers = handlers
        self._apart = apart or {}
        self._standing = standing or {}
        self._kinds = sorted({*handlers, *self._apart, *self._standing})
        self._pause = POLL_SECONDS
        self._owner = str(uuid.uuid4())
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """End after the step in hand; the rest is for the next one who takes the job."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def run_due(self, told: Callable[[Step], None] = lambda _: None) -> bool:
        """Do the oldest job that is due, as far as it goes now; False when there is none. `told` hears of each step."""
        kinds = self._store.read(self._due, once=not self._standing)
        if not kinds:
            return False
        job = self._store.write(lambda uow: uow.jobs.claim(self._owner, kinds, lease=self._lease))
        if job is None:
            return False
        if job.kind in self._standing:
            self._stand(job)
            return True
        if job.attempts > TRIES:
            self._store.write(lambda uow: uow.jobs.finish(job.number, self._owner, state="failed"))
            log.error("job-failed", job=job.number, kind=job.kind)
            return True
        if job.kind in self._apart:
            self._do_apart(job)
            return True
        while not self._stopped.is_set():
            step = self._store.write(lambda uow: self._step(uow, job.number))
            told(step)
            if step.finished or step.wait is not None:
                return True
        return True

    def _due(self, uow: UnitOfWork) -> list[str]:
        """The kinds of which a job may be due that has something to do; none where no job is due."""
        self._pause = POLL_SECONDS
        if not uow.jobs.due(self._kinds):
            return []
        return [kind for kind in self._kinds if kind not in self._standing or self._is_called(uow, kind)]

    def _is_called(self, uow: UnitOfWork, kind: str) -> bool:
        """Whether a standing job has something to do; else how long to wait before that is asked again."""
        now = self._clock() if self._clock else uow.now
        again = self._standing[kind].again(uow, now)
        if again is not None and again <= now:
            return True
        left = GLANCE_SECONDS if again is None else (again - now).total_seconds()
        self._pause = min(self._pause, GLANCE_SECONDS, left)
        return False

    def _stand(self, job: Job) -> None:
        """Go on with a standing job as long as there is something to do; then give it back.

        A step is committed after the one before it, or not at all: where one fails, the next look is in vain.
        """
        before: Act | None = None
        writing: Future[Step] | None = None
        with ThreadPoolExecutor(1, "jobs-write") as writer:
            while not self._stopped.is_set():
                begun = time.monotonic()
                try:
                    act = self._looked(job, before)
                finally:
                    if writing is not None:  # If it has failed, that is what is told: the look stood on it.
                        writing.result()
                before, writing = act, writer.submit(self._keep, job, act)
                if act.step.more:
                    continue
                self._pace(begun)
                writing.result()
                before = writing = None
                if not self._called_again(job.kind):
                    break
            if writing is not None:
                writing.result()
        self._store.write(lambda uow: uow.jobs.put_off(job.number, self._owner, wait=timedelta()))

    def _looked(self, job: Job, before: Act | None) -> Act:
        """The next step, after one that may not be committed yet."""
        self._store.number_changes()
        standing = self._standing[job.kind]

        def look(uow: UnitOfWork) -> Act:
            current = self._current(uow, job.number)
            if before is None:
                return standing.look(uow, current, ())
            return standing.look(uow, replace(current, place=before.step.place, done=before.step.done), before.about)

        return self._store.read(look)

    def _keep(self, job: Job, act: Act) -> Step:
        def keep(uow: UnitOfWork) -> Step:
            act.keep(uow)
            return self._progress(uow, job.number, act.step)

        return self._store.write(keep, now=self._clock)

    def _pace(self, begun: float) -> None:
        """Where this is the thread, let what comes meanwhile be done together."""
        if self._thread.is_alive():
            self._stopped.wait(max(0.0, begun + BEAT_SECONDS - time.monotonic()))

    def _called_again(self, kind: str) -> bool:
        """Whether a standing job has something to do now, or, where this is the thread, before long."""
        until = time.monotonic() + KEEP_SECONDS
        while self._thread.is_alive() and time.monotonic() < until:
            if self._stopped.is_set():
                return False
            self._pause = POLL_SECONDS
            if self._store.read(lambda uow: self._is_called(uow, kind)):
                return True
            self._wake.wait(self._pause)
            self._wake.clear()
        return self._store.read(lambda uow: self._is_called(uow, kind))

    def _do_apart(self, job: Job) -> None:
        """All of a job, its lease renewed meanwhile."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease.total_seconds() / 3):
                try:
                    self._store.write(lambda uow: uow.jobs.renew(job.number, self._owner, lease=self._lease))
                except LeaseLost:
                    return  # Told when the job is to be finished.
                except GatewayError as error:
                    log.warning("job-lease-not-renewed", job=job.number, rule=error.issues[0].rule)

        renewing = threading.Thread(target=renew, name="jobs-lease", daemon=True)
        renewing.start()
        try:
            state = self._done(job)
        finally:
            ended.set()
            renewing.join()
        self._store.write(lambda uow: uow.jobs.finish(job.number, self._owner, state=state))

    def _done(self, job: Job) -> State:
        """What a job came to. What was refused is refused again, however often it is tried."""
        try:
            self._apart[job.kind](job)
        except LeaseLost:
            raise
        except GatewayError as error:
            if error.status >= 500:
                raise
            log.error("job-failed", job=job.number, kind=job.kind, rule=error.issues[0].rule)
            return "failed"
        return "done"

    def _step(self, uow: UnitOfWork, number: int) -> Step:
        job = self._current(uow, number)
        return self._progress(uow, number, self._handlers[job.kind](uow, job))

    def _current(self, uow: UnitOfWork, number: int) -> Job:
        job = uow.jobs.get(number)
        if job is None:
            raise LeaseLost
        return job

    def _progress(self, uow: UnitOfWork, number: int, step: Step) -> Step:
        uow.jobs.progress(number, self._owner, place=step.place, done=step.done, total=step.total, lease=self._lease)
        if step.finished:
            uow.jobs.finish(number, self._owner)
        elif step.wait is not None:
            uow.jobs.put_off(number, self._owner, wait=step.wait)
        return step

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                worked = self.run_due()
            except LeaseLost:
                continue  # Somebody else goes on with it.
            except Exception as error:
                # Its lease ends, and it is tried again; the others must not wait for it.
                log.error("job-step-failed", exc_info=error)
                worked = False
            if not worked:
                self._wake.wait(self._pause)
