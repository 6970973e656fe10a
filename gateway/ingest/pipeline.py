"""The way of a message: keep, parse, map, resolve, state, agree, save. Read this first.

A message is kept on its own, before anything can fail. Its records are worked through in ranges; each range is one unit
of work in which statements, agreed resources, items and the message's progress commit together, so a process that is
killed goes on after the last range, and no item takes effect twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

import structlog

from gateway import formats
from gateway.coordination.recorder import Recorded, Recorder
from gateway.coordination.statements import Origin, statement
from gateway.errors import Conflict, GatewayError, NotFound
from gateway.formats import Record
from gateway.identity import resolve
from gateway.ingest.audit import add_ingested
from gateway.ingest.snapshots import withdrawals
from gateway.ingest.sources import Sources
from gateway.issues import Issue, Issues
from gateway.mapping import MapResult, Package, Packages
from gateway.records import Message, Source, Statement
from gateway.store import Store, UnitOfWork
from gateway.store.inbox import Claimed, Item, MessageState

RANGE_ITEMS = 100
RANGE_SECONDS = 0.05
LEASE = timedelta(seconds=60)

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outcome:
    """What became of a message: counts of its items, of new statements, and of resources that changed."""

    inbox_id: str
    state: str = "done"
    items: int = 0
    held: int = 0
    statements: int = 0
    resources: int = 0
    issues: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def add(self, items: Sequence[Item], recorded: Recorded) -> None:
        self.items += len(items)
        self.held += sum(item.state == "held" for item in items)
        self.issues += sum(len(item.issues) for item in items)
        self.statements += recorded.statements
        self.resources += recorded.resources


@dataclass(frozen=True, slots=True)
class _Mapped:
    """One record after mapping: what the unit of work starts from."""

    seq: int
    record: Record
    result: MapResult


@dataclass(frozen=True, slots=True)
class _Task:
    """A claimed message with what is needed to work it through."""

    claimed: Claimed
    source: Source
    package: Package

    @property
    def message(self) -> Message:
        return self.claimed.message


class Ingest:
    """Everything a message meets, for one process. Thread-safe: the state is in the store."""

    def __init__(self, store: Store, packages: Packages, sources: Sources, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._packages = packages
        self._sources = sources
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._namespace = store.namespace()
        self._archived: set[str] = set()
        self.recorder = Recorder()
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
        message = Message(id or str(uuid.uuid4()), source.id, body, media_type, self._clock(), as_of, transport)
        self._write(lambda uow: uow.inbox.keep(message))
        self.on_kept()
        return message.id

    def process(self, inbox_id: str) -> Outcome:
        """Work one kept message through, now and in this thread."""
        claimed = self._write(lambda uow: uow.inbox.claim(inbox_id, self._owner, lease=LEASE))
        if claimed is None:
            raise Conflict("The message is being worked on, or is done.", rule="inbox-not-waiting", where=inbox_id)
        return self._work(claimed)

    def process_next(self) -> Outcome | None:
        """Work the oldest waiting message through; None when there is none."""
        claimed = self._write(lambda uow: uow.inbox.claim_next(self._owner, lease=LEASE))
        return None if claimed is None else self._work(claimed)

    def replay(self, inbox_id: str) -> Outcome:
        """Work a message through anew, with the maps as they are now; what was said before stays one statement."""
        if self._store.read(lambda uow: uow.inbox.entry(inbox_id)) is None:
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown", where=inbox_id)
        self._write(lambda uow: uow.inbox.replay(inbox_id))
        return self.process(inbox_id)

    def _work(self, claimed: Claimed) -> Outcome:
        outcome = Outcome(claimed.message.id)
        issues = Issues()
        try:
            source = self._sources.get(claimed.message.source)
            task = _Task(claimed, source, self._packages[source.package])
        except (NotFound, KeyError):
            issues.error(
                "not-found",
                "source-not-configured",
                "The source instance or its mapping package is not configured any more: configure it and replay.",
            )
            outcome.state, outcome.issues = "held", len(issues)
            self._write(lambda uow: _close(uow, claimed, issues))
            return outcome
        self._archive(task.package)
        records = enumerate(formats.read(task.package.format, task.message.body, issues))
        for _ in islice(records, claimed.next_item):
            pass  # Committed by an earlier try.
        for batch in self._ranges(records, task):
            self._commit_range(task, batch, outcome)
        self._finish(task, outcome, issues)
        log.info("message-worked", source=source.id, **outcome.to_json())
        return outcome

    def _ranges(self, records: Iterator[tuple[int, Record]], task: _Task) -> Iterator[list[_Mapped]]:
        """Mapped records by ranges of some 100 items or 50 ms."""
        batch: list[_Mapped] = []
        until = monotonic() + RANGE_SECONDS
        for seq, record in records:
            batch.append(_Mapped(seq, record, self._map(record, task)))
            if len(batch) >= RANGE_ITEMS or monotonic() >= until:
                yield batch
                batch, until = [], monotonic() + RANGE_SECONDS
        if batch:
            yield batch

    def _map(self, record: Record, task: _Task) -> MapResult:
        message = task.message
        return task.package.apply(record, task.source, message.received, body=message.body)

    def _commit_range(self, task: _Task, batch: list[_Mapped], outcome: Outcome) -> None:
        """Commit a range. Should one of its items break the gateway itself, the others must not suffer for it."""
        try:
            outcome.add(*self._write(lambda uow: self._record(uow, task, batch)))
        except GatewayError:  # The lease is lost, or the database is away: the message waits for its next worker.
            raise
        except Exception as error:
            log.error("range-failed", inbox_id=task.message.id, first=batch[0].seq, items=len(batch), exc_info=error)
            if len(batch) > 1:
                for mapped in batch:
                    self._commit_range(task, [mapped], outcome)
            else:
                broken = _broken(batch[0])
                outcome.add(*self._write(lambda uow: self._record(uow, task, [broken])))

    def _record(self, uow: UnitOfWork, task: _Task, batch: list[_Mapped]) -> tuple[list[Item], Recorded]:
        """One range: resolve, state, agree, save, and say how far we are."""
        message = task.message
        usable = [[] if mapped.result.issues.bad else mapped.result.drafts for mapped in batch]
        resolved = resolve(usable, task.source, self._namespace, uow.identifiers.find, uow.now)
        statements: list[Statement] = []
        items: list[Item] = []
        for mapped, found in zip(batch, resolved, strict=True):
            key = mapped.result.key or f"item-{mapped.seq}"
            origin = Origin(task.source.id, message.id, mapped.seq, task.package.hash)
            bad = mapped.result.issues.bad or found.issues.bad
            said = (
                [] if bad else [statement(o, origin=origin, record_key=key, recorded=uow.now) for o in found.resolved]
            )
            statements += said
            items.append(
                Item(
                    message.id,
                    mapped.seq,
                    mapped.record.kind,
                    "held" if bad else "done" if said else "skipped",
                    mapped.record.span,
                    mapped.result.key or None,
                    (*mapped.result.issues, *found.issues),
                    len(said),
                )
            )
        recorded = self.recorder.record(
            uow,
            statements,
            identifiers={key: id for found in resolved for key, id in found.identifiers.items()},
            links=[link for found in resolved for link in found.links],
        )
        add_ingested(uow, task.source, message, statements)
        uow.inbox.save_items(items)
        uow.inbox.progress(message.id, task.claimed.owner, next_item=batch[-1].seq + 1, lease=LEASE)
        return items, recorded

    def _finish(self, task: _Task, outcome: Outcome, issues: Issues) -> None:
        """The message's own issues, a snapshot's withdrawals, and its last state."""

        def finish(uow: UnitOfWork) -> Recorded:
            recorded = Recorded()
            # A message that could not be read whole withdraws nothing: what was not read may still be there.
            if task.source.delivery == "snapshot" and not issues.bad:
                said = withdrawals(uow, task.source, task.message, self.recorder.authority, taken_at=_taken_at(task))
                recorded = self.recorder.record(uow, said)
            _close(uow, task.claimed, issues)
            return recorded

        outcome.issues += len(issues)
        outcome.state = "held" if issues.bad else "done"
        outcome.add([], self._write(finish))

    def _write(self, work: Callable[[UnitOfWork], T]) -> T:
        """One unit of work, recorded at the time of our clock; leases go by the real one."""
        return self._store.write(work, now=self._clock())

    def _archive(self, package: Package) -> None:
        """Keep the package's sources under their hash, once, so that every statement can be explained for ever."""
        if package.hash not in self._archived:
            self._write(
                lambda uow: uow.maps.archive(
                    package.hash, package=package.id, version=package.version, files=package.files
                )
            )
            self._archived.add(package.hash)


def _taken_at(task: _Task) -> datetime:
    """The time that a complete snapshot speaks of: given with the message, else found in its records."""
    message = task.message
    if message.as_of is not None:
        return message.as_of
    records = formats.read(task.package.format, message.body, Issues())
    return task.package.snapshot_time(records, task.source) or message.received


def _close(uow: UnitOfWork, claimed: Claimed, issues: Issues) -> None:
    state: MessageState = "held" if issues.bad else "done"
    uow.inbox.finish(claimed.message.id, claimed.owner, state=state, issues=tuple(issues))


def _broken(mapped: _Mapped) -> _Mapped:
    """The record as one to be held: it broke the gateway, which is our fault and must be mended."""
    text = "This record broke the gateway: a fault of ours. The record is kept; replay it when the fault is mended."
    found = Issues([*mapped.result.issues, Issue("error", "exception", "unforeseen", text)])
    return replace(mapped, result=replace(mapped.result, drafts=[], issues=found))
