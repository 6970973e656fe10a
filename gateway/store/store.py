"""The store: opened on a database's URL, written and read in units of work."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway import definitions
from gateway.errors import GatewayError
from gateway.records import Incoming, Message, Resource
from gateway.store import pending, sets
from gateway.store.audit import Chain, Event
from gateway.store.database import Database, connect
from gateway.store.failures import translated, without_login
from gateway.store.group import GroupWriter
from gateway.store.migrations import migrate
from gateway.store.numbers import Numbers
from gateway.store.saving import Index, IndexRows
from gateway.store.shared import Shared
from gateway.store.trail import Trail
from gateway.store.unit import UnitOfWork

T = TypeVar("T")
Clock = Callable[[], datetime]

TRIES = 10
# Serialization failure, deadlock, and a row that another transaction wrote first: nothing was done, so the work may be
# run again, and sees what the other one did.
_TAKEN = "23505"
_TRY_AGAIN = frozenset({"40001", "40P01", _TAKEN})


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _search_index(resource: Resource) -> IndexRows:
    """The search rows by the definitions that the package ships."""
    from gateway.search.index import rows

    return rows(resource, definitions.load())


class _Lost(Exception):
    """A connection was, before anything was committed: perhaps it had lain there, and the other end closed it."""

    def __init__(self, failure: DBAPIError) -> None:
        self.failure = failure


class Store:
    """Thread-safe. `write` and `read` take a function of the unit of work and return what it returns.

    A work that writes may be run more than once (another transaction was in its way), so it must have no effect but
    through its unit of work; and it is acknowledged, by returning, after its commit only.
    """

    def __init__(self, database: Database, *, clock: Clock = _utc_now, index: Index = _search_index) -> None:
        self._database = database
        self._clock = clock
        self._index = index
        self._group = GroupWriter(database.writer) if database.is_sqlite else None
        # One hash chain for each transaction that is under way: none waits for another's commit.
        self._chains: list[Chain] = []
        self._chains_lock = Lock()
        self._numbers = Numbers()
        self._namespace: UUID | None = None
        self._trail = None if database.is_sqlite else Trail(database.glance)
        self.made = False
        """Whether the database had no tables before this opened it."""
        self._keeping: Shared[Message] = Shared(lambda given: self.write(lambda unit: unit.inbox.keep_all(given)))

    @classmethod
    def open(
        cls,
        database_url: str,
        *,
        migrated: bool = True,
        new: bool = True,
        clock: Clock = _utc_now,
        index: Index = _search_index,
    ) -> Self:
        """Open the database; `migrated` brings its tables up to date. NotFound where it has none, if not `new`."""
        database = connect(database_url, new=new)
        with translated():
            made = migrated and migrate(database.writer, new=new)
            store = cls(database, clock=clock, index=index)
            store.made = made
        if migrated:
            store.write(lambda unit: unit.meta.namespace())  # From now on it can be read.
        return store

    def write(self, work: Callable[[UnitOfWork], T], *, now: datetime | Clock | None = None) -> T:
        """Run the work in one transaction and commit it; `now` is what it records as the time.

        A clock is asked when the transaction has begun: so whoever sees that none is under way has seen all that was
        recorded before (History.settled).
        """
        with translated():
            if self._group is None:
                return self._write(work, now)
            return self._group.submit(lambda connection, chain: work(self._unit(connection, chain, now))).result()

    @property
    def address(self) -> str:
        """Where the database is, as it may be told."""
        return without_login(self._database.writer.url)

    @property
    def others_wait(self) -> bool:
        """Whether something else is to be written; asked within a unit of work. On PostgreSQL nobody waits for one."""
        return self._group is not None and self._group.others_wait

    @property
    def answers_several(self) -> bool:
        """Whether several questions that are alike are answered in one statement, and briefly or not at all."""
        return not self._database.is_sqlite

    def read(self, work: Callable[[UnitOfWork], T], *, once: bool = False, briefly: bool = False) -> T:
        """Run the work on a snapshot: what is written meanwhile is not seen.

        `once`: the work asks a single time, which is a snapshot without being begun and ended as one. `briefly`: on
        PostgreSQL, it is given up where one of its statements takes longer than `BRIEF` milliseconds. TakesLong.
        """
        database = self._database
        engine = database.brief if briefly else database.glance if once else database.reader
        with translated():
            try:
                return self._read(engine, work)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                engine.dispose()  # The others that lie there are not better.
                return self._read(engine, work)

    def record(self, events: Sequence[Event], *, now: datetime) -> None:
        """Append AuditEvents of what was answered; returns when they are committed, with others' of the moment."""
        if self._trail is None:
            self.write(lambda unit: unit.audit.add_about(events), now=now)
            return
        self._trail.record(events, now=now)

    def keep(self, message: Message) -> None:
        """Keep a message; returns when it is committed, with others of the moment. One that is kept stays as it is."""
        self._keeping.commit(message)

    def keep_all(self, given: Sequence[Incoming], *, now: datetime | Clock | None = None) -> None:
        """Keep messages that came together, as `keep` does each, and the AuditEvents that come with them."""

        def work(unit: UnitOfWork) -> None:
            unit.inbox.keep_all([one.message for one in given])
            unit.audit.add_about([event for one in given for event in one.events])

        self.write(work, now=now)

    def number_changes(self) -> int:
        """Let the sequencer number what is committed; returns to how many. On SQLite there is nothing to do."""
        if self._database.is_sqlite or not self.read(lambda unit: unit.changes.unnumbered(), once=True):
            return 0
        return self.write(lambda unit: unit.changes.number())

    def namespace(self) -> UUID:
        """The installation's secret namespace of ids: once asked for, it is known within a unit of work, too."""
        if self._namespace is None:
            self._namespace = self.write(lambda unit: unit.meta.namespace())
        return self._namespace

    def secret(self, name: str) -> bytes:
        """32 random bytes of the installation, the same until they are made anew."""
        return self.write(lambda unit: unit.meta.secret(name))

    def ready(self) -> bool:
        """Whether the database answers."""
        try:
            self.read(lambda unit: unit.meta.get("namespace"), once=True)
        except GatewayError:
            return False
        return True

    def close(self) -> None:
        """Finish what was submitted, then let go of the database."""
        if self._group is not None:
            self._group.close()
        if self._trail is not None:
            self._trail.close()
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unit(self, connection: Connection, chain: Chain, now: datetime | Clock | None) -> UnitOfWork:
        clock = self._clock()
        recorded = now() if callable(now) else now or clock
        return UnitOfWork(connection, now=recorded, clock=clock, chain=chain, index=self._index, numbers=self._numbers)

    def _read(self, engine: Engine, work: Callable[[UnitOfWork], T]) -> T:
        with engine.connect() as connection:
            found = work(self._unit(connection, Chain(), None))
            # Not rolled back: with that psycopg forgets the statements that it has prepared.
            connection.commit()
            return found

    def _write(self, work: Callable[[UnitOfWork], T], now: datetime | Clock | None) -> T:
        lost = False
        for attempt in range(1, TRIES + 1):
            try:
                return self._try(work, now)
            except _Lost as error:
                if lost:
                    raise error.failure from None
                lost = True
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state not in _TRY_AGAIN or attempt == TRIES:
                    raise
                if state == _TAKEN:
                    self._numbers.doubt()
                time.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311
        raise AssertionError("unreachable")

    def _try(self, work: Callable[[UnitOfWork], T], now: datetime | Clock | None) -> T:
        with self._chains_lock:
            chain = self._chains.pop() if self._chains else Chain()
        mark = chain.mark()
        worked = False
        try:
            with self._database.writer.begin() as connection:
                with pending.opened(connection):
                    result = work(self._unit(connection, chain, now))
                    sets.settle(connection)
                worked = True
        except DBAPIError as error:
            # Perhaps it was committed and the answer lost: nobody may continue this chain.
            if error.connection_invalidated:
                self._numbers.forget()
            if error.connection_invalidated and not worked:
                self._database.writer.dispose()  # The others that lie there are not better.
                raise _Lost(error) from None
            raise
        except BaseException:
            chain.reset(mark)
            self._give_back(chain)
            raise
        self._give_back(chain)
        return result

    def _give_back(self, chain: Chain) -> None:
        with self._chains_lock:
            self._chains.append(chain)
