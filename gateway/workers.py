"""What works beside the answers: messages, jobs, imports, the gap watch. It begins once the gateway answers."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

from gateway.jobs.runner import Apart
from gateway.logs import logger
from gateway.wiring import Gateway

AGAIN_SECONDS = 1.0
"""So long is waited where the database does not let the work begin."""
log = logger(__name__)


class Working(Protocol):
    """Has a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Workers:
    """Started and stopped with the server; what is to be woken before it has begun finds its work when it begins.

    `perform` performs a request that is answered later. `load` is done first, `beside` last: nobody waits for them.
    """

    def __init__(
        self, gateway: Gateway, perform: Apart, *, load: Callable[[], object], beside: Callable[[], object]
    ) -> None:
        self._gateway = gateway
        self._perform = perform
        self._load = load
        self._beside = beside
        self._working: list[Working] = []
        self._stopped = Event()
        self._wake: dict[str, Callable[[], None]] = {}
        self._thread = Thread(target=self._run, name="workers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, which: str) -> None:
        """Let the `jobs` or the `imports` look for work at once."""
        self._wake.get(which, lambda: None)()

    def stop(self) -> None:
        """End after the step in hand; the rest is for the next start."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end()

    def _end(self) -> None:
        """All at once: none waits for another's step."""
        ending = [Thread(target=one.stop, name="ending", daemon=True) for one in self._working]
        for one in ending:
            one.start()
        for one in ending:
            one.join()
        self._working.clear()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._load()
                self._begin()
            except Exception as error:
                log.error("work-not-begun", exc_info=error)
                self._end()
                self._stopped.wait(AGAIN_SECONDS)
            else:
                return

    def _begin(self) -> None:
        gateway = self._gateway
        if gateway.settings.worker:
            self._start(gateway)
        self._beside()
        gateway.admission.look(gateway.packages.ids)

    def _start(self, gateway: Gateway) -> None:
        from gateway.ingest.housekeeping import Housekeeping
        from gateway.ingest.worker import Worker

        worker = Worker(gateway.ingest, Housekeeping(gateway.store))
        gateway.ingest.on_kept = worker.wake
        jobs, imports = gateway.jobs(perform=self._perform), gateway.imports()
        working: list[Working] = [worker, jobs, imports, *([gateway.watch()] if gateway.settings.watch_gaps else [])]
        if gateway.settings.reporter is not None:
            working.append(gateway.months(gateway.settings.reporter))
        for one in working:
            one.start()
            self._working.append(one)
        self._wake |= {"jobs": jobs.wake, "imports": imports.wake}
