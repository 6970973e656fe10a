"""The worker: one thread that works waiting messages through, woken when one is kept."""

from __future__ import annotations

import threading

from gateway.ingest.housekeeping import Housekeeping
from gateway.ingest.pipeline import Ingest
from gateway.logs import logger

POLL_SECONDS = 1.0
"""Messages that another process kept, or that a killed one left, are found within this time."""

log = logger(__name__)


class Worker:
    """Started and stopped with the server; any number of them, in any processes, may share a database."""

    def __init__(self, ingest: Ingest, housekeeping: Housekeeping) -> None:
        self._ingest = ingest
        self._housekeeping = housekeeping
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """End after the range in hand; what is left waits for the next start."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                worked = self._ingest.process_waiting()
                self._housekeeping.run()
                if not worked:
                    self._wake.wait(POLL_SECONDS)
            except Exception as error:
                # The message keeps its lease and is tried again when it ends; the others must not wait for it.
                log.error("message-failed", exc_info=error)
                self._wake.wait(POLL_SECONDS)
