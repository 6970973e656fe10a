"""The unit of work: one transaction, and everything that can be asked of the store within it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection

from gateway.store import sets
from gateway.store.ahead import Ahead
from gateway.store.audit import Audit, Chain, Event
from gateway.store.bearing import Bearings
from gateway.store.changes import Changes
from gateway.store.deferred import Deferrals
from gateway.store.identifiers import NAMED, Identifiers
from gateway.store.inbox import Inbox
from gateway.store.jobs import Jobs
from gateway.store.labels import Labels
from gateway.store.links import Links
from gateway.store.maps import Maps
from gateway.store.meta import Meta
from gateway.store.numbers import Numbers
from gateway.store.persons import Persons
from gateway.store.resources import Resources
from gateway.store.saving import Index
from gateway.store.snapshots import Snapshots
from gateway.store.statements import Statements
from gateway.store.uploads import Uploads
from gateway.store.watch import Watch

if TYPE_CHECKING:
    from gateway.store.exports import Exports
    from gateway.store.finding import Findings
    from gateway.store.imports import Imports
    from gateway.store.latest import Latest
    from gateway.store.searching import Searches
    from gateway.store.streams import Streams

T = TypeVar("T")

# Sorted by the database: transactions that lock several keys at once take them in one order.
_KEYS = "FROM (SELECT unnest(%s::bigint[]) AS key ORDER BY 1) AS sorted"
_LOCK = f"SELECT count(pg_advisory_xact_lock(key)) {_KEYS}"
_SHARE = f"SELECT count(pg_advisory_xact_lock_shared(key)) {_KEYS}"


class UnitOfWork:
    """Ask it within `Store.write` or `Store.read`; it is no use afterwards. Only the edge commits.

    `now` is the time that is recorded; `clock` is the wall's, which leases go by.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now: datetime,
        clock: datetime,
        chain: Chain,
        index: Index,
        numbers: Numbers,
    ) -> None:
        self.now, self.clock = now, clock
        self.inbox = Inbox(connection, clock)
        self.snapshots = Snapshots(connection)
        self.statements = Statements(connection)
        self.bearing = Bearings(connection)
        self.ahead = Ahead(connection)
        self.links = Links(connection, self.ahead.links)
        self.maps = Maps(connection, now)
        self.identifiers = Identifiers(connection, self.ahead)
        self.persons = Persons(connection, now, self.ahead.patients)
        self.resources = Resources(connection, now, index, numbers)
        self.labels = Labels(connection)
        self.changes = Changes(connection)
        self.audit = Audit(connection, now, chain)
        self.meta = Meta(connection)
        self.uploads = Uploads(connection, now)
        self.jobs = Jobs(connection, clock)
        self.deferrals = Deferrals(connection)
        self.watch = Watch(connection)
        self._connection = connection
        self._held: set[int] = set()
        """What it holds alone: who does need not ask for it again."""

    # What searches, and what is done in bulk: no read needs it, and to load it takes a while (ADR 60).

    @cached_property
    def searches(self) -> Searches:
        from gateway.store.searching import Searches

        return Searches(self._connection)

    @cached_property
    def findings(self) -> Findings:
        from gateway.store.finding import Findings

        return Findings(self._connection)

    @cached_property
    def streams(self) -> Streams:
        from gateway.store.streams import Streams

        return Streams(self._connection)

    @cached_property
    def latest(self) -> Latest:
        from gateway.store.latest import Latest

        return Latest(self._connection)

    @cached_property
    def exports(self) -> Exports:
        from gateway.store.exports import Exports

        return Exports(self._connection)

    @cached_property
    def imports(self) -> Imports:
        from gateway.store.imports import Imports

        return Imports(self._connection)

    @property
    def alone(self) -> bool:
        """Whether nobody else writes before this unit of work ends, whatever is locked: SQLite has one writer."""
        return self._connection.dialect.name == "sqlite"

    def lock(self, keys: Iterable[str], *, shared: bool = False) -> None:
        """Hold these persons' keys (or ids of what has no person) until the end of the unit of work.

        Take all of them in one call, before reading what is to be changed. SQLite has one writer: it holds them all.
        `shared`: with all who share them, against those who hold them alone.
        """
        if self.alone:
            return
        numbers = {_lock_number(key) for key in keys} - self._held
        if numbers:
            sets.run(self._connection, _SHARE if shared else _LOCK, sorted(numbers))
            self._held |= set() if shared else numbers
            self.ahead.forget()

    def undone(self, work: Callable[[], T]) -> T:
        """What the work returns; what it wrote is undone and forgotten, and what it locked let go."""
        held = set(self._held)
        try:
            with self._connection.begin_nested() as savepoint:
                found = work()
                savepoint.rollback()
        finally:
            self._held = held
            self.ahead.forget()
        return found


def _lock_number(key: str) -> int:
    """Those of identifiers lie above all others: whoever takes both takes them last, in one call or in two."""
    number = int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"lock").digest(), "big") >> 1
    return number if key.startswith(NAMED) else ~number


class Units(Protocol):
    """Where units of work come from: the store, or the unit of work that one is in."""

    def read(self, work: Callable[[UnitOfWork], T], *, once: bool = False, briefly: bool = False) -> T: ...

    def write(self, work: Callable[[UnitOfWork], T], *, now: datetime | Callable[[], datetime] | None = None) -> T: ...

    def record(self, events: Sequence[Event], *, now: datetime) -> None: ...
