"""The audit rows of answers, committed in groups: who records while a commit is under way shares the next one.

Nobody is told that it is recorded before it is. There is one hash chain for all that one process records so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.store.audit import Chain, Event, write


@dataclass(slots=True)
class _Waiting:
    events: Sequence[Event]
    recorded: datetime
    done: bool = False
    error: BaseException | None = None


@dataclass(slots=True)
class Trail:
    """Thread-safe, and for PostgreSQL: SQLite's one writer commits in groups by itself."""

    engine: Engine
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _committing: Lock = field(default_factory=Lock)
    _connection: Connection | None = None
    _chain: Chain = field(default_factory=Chain)

    def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Append the events; returns when they are committed."""
        mine = _Waiting(events, now)
        self._waiting.append(mine)
        with self._committing:  # Whoever comes next commits for all who came meanwhile.
            if not mine.done:
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        if mine.error is not None:
            raise mine.error

    def close(self) -> None:
        with self._committing:
            self._let_go()

    def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            self._write(group)
        except BaseException as error:
            if len(group) > 1:  # It may be one of them alone: each is tried by itself.
                for one in group:
                    self._commit([one])
                return
            group[0].error = error
        for one in group:
            one.done = True

    def _write(self, group: Sequence[_Waiting]) -> None:
        lain = self._connection is not None
        try:
            self._insert(group)
        except DBAPIError as error:
            if not (lain and error.connection_invalidated):
                raise
            # The other end closed a connection that had lain there. What is recorded twice does no harm.
            self._insert(group)

    def _insert(self, group: Sequence[_Waiting]) -> None:
        try:
            if self._connection is None:
                self._connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            write(self._connection, self._chain, [(one.recorded, one.events) for one in group])
        except BaseException:
            # Perhaps it was committed and the answer lost: nobody may continue this chain.
            self._let_go()
            raise

    def _let_go(self) -> None:
        self._chain = Chain()
        if self._connection is not None:
            with suppress(DBAPIError):  # It is broken, or it is not: nobody uses it any more.
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
