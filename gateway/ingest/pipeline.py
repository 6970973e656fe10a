"""The way of a message: keep, parse, map, resolve, state, agree, save. Read this first.

A message is kept on its own, before anything can fail. Waiting messages are worked through in ranges of items; a range
may hold many small messages or a part of a large one. It is one unit of work (`ingest/range.py`): statements, agreed
resources, items and the messages' progress commit together, so a process that is killed goes on after the last range,
and no item takes effect twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import TypeVar

from gateway import definitions, formats
from gateway.coordination.recorder import Recorder
from gateway.errors import BadRequest, Conflict, NotFound, Unavailable
from gateway.formats import Record
from gateway.ingest.admission import Admission
from gateway.ingest.outcome import Outcome
from gateway.ingest.pace import QUICK, Pace
from gateway.ingest.range import Done, Ended, Entry, Mapped, Work, broken, commit
from gateway.ingest.sources import Sources
from gateway.issues import Issues
from gateway.logs import logger
from gateway.mapping import MapResult, Package, Packages
from gateway.mapping.levels import stopped
from gateway.mapping.sound import checked
from gateway.records import Incoming, Message, Source
from gateway.store import Claimed, LeaseLost, Store, UnitOfWork
from gateway.store.inbox import message_id

LEASE = timedelta(seconds=15)
"""Renewed by every range: a killed process's messages are taken over after this time."""
AHEAD = timedelta(days=1)
"""How far a sender's clock may be ahead of ours."""
UNMAPPED = ("rest", "import")
"""How messages come that no mapping package reads."""

T = TypeVar("T")

log = logger(__name__)


class Ingest:
    """Everything a message meets, for one process. Thread-safe: the state is in the store."""

    def __init__(
        self,
        store: Store,
        packages: Packages,
        sources: Sources,
        clock: Callable[[], datetime],
        *,
        lease: timedelta = LEASE,
        admission: Admission | None = None,
        rules: str = "default",
    ) -> None:
        self._store = store
        self._definitions = definitions.load()
        self._packages = packages
        self._admission = admission or Admission(packages, own=False)
        self._sources = sources
        self._clock = clock
        self._lease = lease
        self._owner = str(uuid.uuid4())
        self._namespace = store.namespace()
        self._archived: set[str] = set()
        self.recorder = Recorder(rules=rules)
        self.pace = Pace(quick=QUICK * min(1, lease / LEASE))  # A range has to be over long before its lease is.
        self.on_kept: Callable[[], None] = lambda: None

    def keep(
        self,
        source: Source,
        body: bytes,
        media_type: str,
        *,
        transport: str = "http",
        as_of: datetime | None = None,
        id: str | None = None,
    ) -> str:
        """Commit a message to the inbox and return its id; only now may the sender be told.

        A transport that may hand over the same message twice (a crash between commit and answer) gives it an `id`.
        """
        message = self.message(source, body, media_type, transport=transport, as_of=as_of, id=id)
        self._store.keep(message)
        self.on_kept()
        return message.id

    def keep_all(self, coming: Sequence[Callable[[], Incoming]]) -> list[str]:
        """Commit messages to the inbox together, with the record of who sent them, and return their ids.

        Each is made here. Where one is refused, or cannot be kept, none is.
        """
        given = [made() for made in coming]
        self._store.keep_all(given, now=self._clock)
        self.on_kept()
        return [one.message.id for one in given]

    def take(
        self, source: Source, body: bytes, media_type: str, *, transport: str = "file", as_of: datetime | None = None
    ) -> Outcome:
        """Keep a message and work it through, now and in this thread: no other process takes it in between."""
        message = self.message(source, body, media_type, transport=transport, as_of=as_of)

        def keep(uow: UnitOfWork) -> Claimed | None:
            uow.inbox.keep(message)
            return uow.inbox.claim(message.id, self._owner, lease=self._lease)

        return self._work_one(message.id, self._write(keep))

    def process(self, inbox_id: str) -> Outcome:
        """Work one kept message through, now and in this thread."""
        return self._work_one(
            inbox_id, self._write(lambda uow: uow.inbox.claim(inbox_id, self._owner, lease=self._lease))
        )

    def process_waiting(self, most: int | None = None) -> list[Outcome]:
        """Work the oldest waiting messages through, as many as a range holds, or `most`; empty when none waits."""
        limit = self.pace.items if most is None else most
        if not self._store.read(lambda uow: uow.inbox.waits(), once=True):
            return []
        claimed = self._write(lambda uow: uow.inbox.claim_waiting(self._owner, lease=self._lease, limit=limit))
        return self._work(claimed)

    def replay(self, inbox_id: str) -> Outcome:
        """Work a message through anew, with the maps as they are now; what was said before stays one statement."""
        kept = self._store.read(lambda uow: uow.inbox.entry(inbox_id))
        if kept is None:
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown", where=inbox_id)
        if kept.transport in UNMAPPED:
            text = "No map reads this: it was written in somebody's own name. Send or import what is wanted of it anew."
            raise Conflict(text, rule="inbox-not-mapped", where=inbox_id)

        def again(uow: UnitOfWork) -> Claimed | None:
            uow.inbox.replay(inbox_id)
            return uow.inbox.claim(inbox_id, self._owner, lease=self._lease)

        return self._work_one(inbox_id, self._write(again))

    def message(
        self,
        source: Source,
        body: bytes,
        media_type: str,
        *,
        transport: str = "http",
        as_of: datetime | None = None,
        id: str | None = None,
    ) -> Message:
        """The message that a source has sent now, to be kept. BadRequest for a time that no snapshot can speak of."""
        now = self._clock()
        if as_of is not None and not (as_of.year > 1 and as_of - now < AHEAD):
            text = "A snapshot cannot speak of a time to come, or before the calendar: check as-of."
            raise BadRequest(text, rule="parameter-malformed", where="as-of")
        return Message(id or message_id(now), source.id, body, media_type, now, as_of, transport)

    def _work_one(self, inbox_id: str, claimed: Claimed | None) -> Outcome:
        if claimed is None:
            raise Conflict("The message is being worked on, or is done.", rule="inbox-not-waiting", where=inbox_id)
        return self._work([claimed])[0]

    def _work(self, claimed: Sequence[Claimed]) -> list[Outcome]:
        outcomes = {one.message.id: Outcome(one.message.id, one.message.source) for one in claimed}
        lost: set[str] = set()
        for entries in _ranges((entry for one in claimed for entry in self._entries(one, lost)), self.pace):
            for done in self._commit(entries, lost):
                outcomes[done.inbox_id].add(done)
        for outcome in outcomes.values():
            log.info("message-worked", **outcome.to_json())
        return list(outcomes.values())

    def _entries(self, claimed: Claimed, lost: Set[str]) -> Iterator[Entry]:
        """A message's records, each mapped, then its end; nothing more once it is lost to another process."""
        issues = Issues()
        try:
            source = self._sources.get(claimed.message.source)
            if problems := self._admission.problems(source.package):
                issues.error("processing", "package-refused", _refused(source.package, problems))
                yield Ended(claimed, None, issues)
                return
            work = Work(claimed, source, self._packages[source.package])
        except (NotFound, KeyError):
            text = "The source instance or its mapping package is not configured any more: configure it and replay."
            issues.error("not-found", "source-not-configured", text)
            yield Ended(claimed, None, issues)
            return
        self._archive(work.package)
        count = claimed.next_item
        try:
            records = enumerate(formats.read(work.package.format, claimed.message.body, issues))
            for seq, record in islice(records, claimed.next_item, None):  # Those before were committed already.
                if claimed.message.id in lost:
                    return
                count = seq + 1
                mapped = self._mapped(work, seq, record)
                yield mapped
                if isinstance(mapped, Mapped) and work.package.stops(mapped.result):
                    issues.add(stopped(str(record.position)))
                    yield Ended(claimed, work, issues)
                    return
        except Exception as error:
            yield _held(Ended(claimed, work, issues), error)
        else:
            yield Ended(claimed, work, issues, count)

    def _mapped(self, work: Work, seq: int, record: Record) -> Entry:
        message = work.message
        try:
            result = work.package.apply(record, work.source, message.received, body=message.body)
            return Mapped(work, seq, record, checked(record, result, self._definitions))
        except Exception as error:
            return _held(Mapped(work, seq, record, MapResult()), error)

    def _commit(self, entries: Sequence[Entry], lost: set[str]) -> list[Done]:
        """Commit a range. Should one item break the gateway itself, or one lease be lost, the others go on."""
        entries = [entry for entry in entries if entry.inbox_id not in lost]
        if not entries:
            return []
        try:
            return self._timed(entries)
        except LeaseLost:
            failure: Exception | None = None
        except Unavailable:  # The database is away: the messages wait for their next worker.
            raise
        except Exception as error:
            failure = error
        if len(entries) > 1:
            middle = len(entries) // 2
            return [*self._commit(entries[:middle], lost), *self._commit(entries[middle:], lost)]
        if failure is None:
            lost.add(entries[0].inbox_id)
            log.warning("lease-lost", inbox_id=entries[0].inbox_id)
            return []
        mended = [_held(entries[0], failure)]
        return self._write(lambda uow: commit(uow, mended, self.recorder, self._namespace, self._lease))

    def _timed(self, entries: Sequence[Entry]) -> list[Done]:
        """Commit a range, and say how that went to what sets the size of the next one."""
        began = monotonic()

        def work(uow: UnitOfWork) -> tuple[list[Done], bool]:
            return commit(uow, entries, self.recorder, self._namespace, self._lease), self._store.others_wait

        done, waited = self._write(work)
        ended = monotonic()
        self.pace.took(sum(isinstance(one, Mapped) for one in entries), ended - began, waited=waited, at=ended)
        return done

    def _write(self, work: Callable[[UnitOfWork], T]) -> T:
        """One unit of work, recorded at the time of our clock; leases go by the real one."""
        return self._store.write(work, now=self._clock)

    def _archive(self, package: Package) -> None:
        """Keep the package's sources under their hash, once, so that every statement can be explained for ever."""
        if package.hash not in self._archived:
            self._write(
                lambda uow: uow.maps.archive(
                    package.hash, package=package.id, version=package.version, files=package.files
                )
            )
            self._archived.add(package.hash)


def _refused(package: str, problems: Sequence[str]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (
        f"The mapping package is not used: {problems[0]}{more}. Mend it, look at samverka map status {package}, replay."
    )


def _held(entry: Entry, failure: Exception) -> Entry:
    log.error("item-failed", inbox_id=entry.inbox_id, exc_info=failure)
    return broken(entry, failure)


def _ranges(entries: Iterable[Entry], pace: Pace) -> Iterator[list[Entry]]:
    """As many items as the pace says, with the ends of their messages, or what its time of mapping gives."""
    batch: list[Entry] = []
    items, until = 0, monotonic() + pace.seconds
    for entry in entries:
        full = items >= pace.items or len(batch) >= 2 * pace.items or (bool(batch) and monotonic() >= until)
        if full and isinstance(entry, Mapped):  # The end of a message goes with its last item.
            yield batch
            batch, items, until = [], 0, monotonic() + pace.seconds
        batch.append(entry)
        items += isinstance(entry, Mapped)
    if batch:
        yield batch
