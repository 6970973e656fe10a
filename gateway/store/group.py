"""Group commit: one thread writes, and what was queued meanwhile shares a commit.

One that fails is undone alone: the first of a group by undoing the transaction, which then is all there is, each that
follows by a savepoint of its own. Nobody is answered before the commit.

https://www.sqlite.org/lang_savepoint.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from gateway.store.audit import Chain
from gateway.store.failures import driver_errors

T = TypeVar("T")
Work = Callable[[Connection, Chain], Any]

GROUP_SIZE = 100
GROUP_SECONDS = 0.05


@dataclass(slots=True)
class _Queued:
    work: Work
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def answer(self, commit_error: BaseException | None) -> None:
        error = self.error or commit_error
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class GroupWriter:
    """The thread that writes. `submit` from any other one."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self._thread.start()

    def submit(self, work: Callable[[Connection, Chain], T]) -> Future[T]:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a work may not wait for another one: do both in one unit of work")
        queued = _Queued(work)
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            self._queue.put(queued)
        return queued.future

    @property
    def others_wait(self) -> bool:
        """Whether a work is queued behind the one in hand."""
        return not self._queue.empty()

    def close(self) -> None:
        """Finish what is queued, then end."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        chain = Chain()
        while (first := self._queue.get()) is not None:
            group = [first]
            mark = chain.mark()
            error = self._commit_group(chain, group)
            if error is not None:
                chain.reset(mark)
            for queued in group:
                queued.answer(error)
        self._connection.close()

    def _commit_group(self, chain: Chain, group: list[_Queued]) -> BaseException | None:
        """Work through the queue as long as it is cheap, then commit; the group grows as it goes."""
        deadline = time.monotonic() + GROUP_SECONDS
        try:
            with driver_errors(self._connection, "SAVEPOINT work"), self._connection.begin():
                # Without a savepoint, for which SQLite would copy every page that a large work changes.
                group[0].result = group[0].work(self._connection, chain)
                while len(group) < GROUP_SIZE and time.monotonic() < deadline:
                    try:
                        following = self._queue.get_nowait()
                    except Empty:
                        break
                    if following is None:
                        self._queue.put(None)
                        break
                    group.append(following)
                    _work(self._connection, chain, following)
        except BaseException as error:
            # The first work or the commit itself failed: nobody of the group is kept. SQLite leaves a transaction open
            # whose commit fails.
            with suppress(Exception):  # What is broken stays broken for the next group, which says so.
                self._connection.connection.rollback()
            return error
        return None


def _work(connection: Connection, chain: Chain, queued: _Queued) -> None:
    mark = chain.mark()
    savepoint = connection.connection.cursor().execute  # Of the driver itself: it is asked twice for every message.
    savepoint("SAVEPOINT work")
    try:
        queued.result = queued.work(connection, chain)
    except BaseException as error:
        queued.error = error
        chain.reset(mark)
        savepoint("ROLLBACK TO work")
    savepoint("RELEASE work")
