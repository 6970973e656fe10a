"""The audit rows of answers, committed in groups, in one hash chain for all that one process records so."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.store.audit import Chain, Event, write
from gateway.store.failures import translated
from gateway.store.shared import Shared

_Recorded = tuple[datetime, Sequence[Event]]


class Trail:
    """Thread-safe, and for PostgreSQL: SQLite's one writer commits in groups by itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shared: Shared[_Recorded] = Shared(self._write)
        self._connection: Connection | None = None
        self._chain = Chain()

    def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Append the events; returns when they are committed."""
        self._shared.commit((now, events))

    def close(self) -> None:
        """Let go of the connection; nobody records any more."""
        self._let_go()

    def _write(self, group: Sequence[_Recorded]) -> None:
        lain = self._connection is not None
        with translated():
            try:
                self._insert(group)
            except DBAPIError as error:
                if not (lain and error.connection_invalidated):
                    raise
                # The other end closed a connection that had lain there. What is recorded twice does no harm.
                self._insert(group)

    def _insert(self, group: Sequence[_Recorded]) -> None:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            write(self._connection, self._chain, group)
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
