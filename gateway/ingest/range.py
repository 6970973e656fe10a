"""One range of items in one unit of work: resolve, state, agree, save, audit, and say how far each message has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway import formats
from gateway.coordination.readings import read_anew
from gateway.coordination.recorder import Recorded, Recorder
from gateway.coordination.statements import Origin, statement
from gateway.errors import Unprocessable
from gateway.formats import Record
from gateway.frozen import dataclass
from gateway.identity import ResolvedItem, resolve
from gateway.identity.identifiers import Named
from gateway.identity.resolve import Resolved
from gateway.ingest.audit import add_ingested
from gateway.ingest.by_the_way import without_repetitions
from gateway.ingest.places import placed
from gateway.ingest.snapshots import incomplete, scope_key, withdrawals
from gateway.issues import Issue, Issues
from gateway.mapping import MapResult, Package
from gateway.records import Message, Source, Statement
from gateway.store import Claimed, Item, UnitOfWork
from gateway.store.inbox import MessageState


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed message with what it takes to work it through."""

    claimed: Claimed
    source: Source
    package: Package

    @property
    def message(self) -> Message:
        return self.claimed.message


@dataclass(frozen=True, slots=True)
class Mapped:
    """One record after mapping."""

    work: Work
    seq: int
    record: Record
    result: MapResult

    @property
    def inbox_id(self) -> str:
        return self.work.message.id


@dataclass(frozen=True, slots=True)
class Ended:
    """A message has no further records; `issues` are those of it as a whole. Without work: it could not be begun."""

    claimed: Claimed
    work: Work | None
    issues: Issues
    count: int | None = None
    """How many records it has; None where it was not read to its end."""

    @property
    def inbox_id(self) -> str:
        return self.claimed.message.id

    @property
    def complete(self) -> bool:
        """Whether this was a snapshot, and read to its end."""
        return self.count is not None and self._is_snapshot and not self.issues.bad

    @property
    def _is_snapshot(self) -> bool:
        return self.work is not None and self.work.source.delivery == "snapshot"


Entry = Mapped | Ended


@dataclass(slots=True)
class Done:
    """What a range did for one message; `state` where the message has ended."""

    inbox_id: str
    items: int = 0
    held: int = 0
    statements: int = 0
    resources: int = 0
    issues: int = 0
    state: str = ""


def commit(
    uow: UnitOfWork, entries: Sequence[Entry], recorder: Recorder, namespace: UUID, lease: timedelta
) -> list[Done]:
    """Do everything that the entries call for. The caller commits."""
    uow.lock({scope_key(one.work.source) for one in entries if isinstance(one, Ended) and one.work and one.complete})
    done = {entry.inbox_id: Done(entry.inbox_id) for entry in entries}
    by_source: dict[str, list[Mapped]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry, Mapped):
            by_source[entry.work.source.id].append(entry)
    anew = uow.inbox.worked_before(done)
    items: list[Item] = []
    for mapped in by_source.values():
        items += _record(uow, mapped, recorder, namespace, done, anew)
    uow.inbox.save_items(items)
    for item in items:
        one = done[item.inbox_id]
        one.items += 1
        one.held += item.state == "held"
        one.issues += len(item.issues)
    for entry in entries:
        if isinstance(entry, Ended) and entry.inbox_id in anew:
            _give_up(uow, entry, recorder, done)
    ended = [_end(uow, entry, recorder, done[entry.inbox_id]) for entry in entries if isinstance(entry, Ended)]
    _progress(uow, entries, ended, lease)
    return list(done.values())


def _end(uow: UnitOfWork, entry: Ended, recorder: Recorder, done: Done) -> Ended:
    """What the message says by having ended: a complete snapshot, by what it does not hold."""
    if entry.work and entry.complete:
        issue = incomplete(uow, entry.work.message)
        if issue is None:
            _count({entry.inbox_id: done}, _withdraw(uow, entry.work, recorder), entry.inbox_id)
        else:
            entry = replace(entry, issues=Issues([*entry.issues, issue]))
    done.issues += len(entry.issues)
    done.state = "held" if entry.issues.bad else "done"
    return entry


def _give_up(uow: UnitOfWork, entry: Ended, recorder: Recorder, done: dict[str, Done]) -> None:
    """Records that the message has no longer, as its package now reads it."""
    if entry.work is None or entry.count is None:
        return
    gone = [one for one in uow.inbox.items(entry.inbox_id, after=entry.count - 1) if one.state != "superseded"]
    if not gone:
        return
    before = uow.statements.of_items(entry.inbox_id, entry.count)
    said = read_anew(before, (), map_hash=entry.work.package.hash, recorded=uow.now)
    recorded = recorder.record(uow, said)
    _count(done, recorded)
    add_ingested(uow, entry.work.source, recorded.fresh)
    uow.inbox.save_items([replace(one, state="superseded", issues=(), statements=0) for one in gone])


def _record(
    uow: UnitOfWork,
    mapped: Sequence[Mapped],
    recorder: Recorder,
    namespace: UUID,
    done: dict[str, Done],
    anew: Set[str],
) -> list[Item]:
    """State and save what one source's records say; what became of each."""
    source = mapped[0].work.source
    drafts = [[] if one.result.issues.bad else one.result.drafts for one in mapped]
    resolved = resolve(drafts, source, namespace, uow.identifiers.find, uow.now)
    said = _Said(uow.now)
    items: list[Item] = []
    for one, found, told in zip(mapped, resolved, without_repetitions(uow, source, resolved), strict=True):
        usable = not (one.result.issues.bad or found.issues.bad)
        if usable:
            said.add(one, told, again=one.inbox_id in anew)
        items.append(_item(one, found, len(told) if usable else 0))
    statements = _read_anew(uow, mapped, said.statements(), anew)
    recorded = recorder.record(
        uow,
        statements,
        identifiers={key: id for found in resolved for key, id in found.identifiers.items()},
        links=uow.links.news([link for found in resolved for link in found.links]),
        named=said.named,
    )
    _count(done, recorded)
    add_ingested(uow, source, statements)
    return items


def _read_anew(
    uow: UnitOfWork, mapped: Sequence[Mapped], statements: list[Statement], anew: Set[str]
) -> list[Statement]:
    """The statements, and what of those before does not count any more, where records were read before."""
    found: list[Statement] = [one for one in statements if one.inbox_id not in anew]
    for id in sorted(anew & {one.inbox_id for one in mapped}):
        again = [one for one in mapped if one.inbox_id == id]
        before = uow.statements.of_items(id, again[0].seq, again[-1].seq)
        said = [one for one in statements if one.inbox_id == id]
        found += read_anew(before, said, map_hash=again[0].work.package.hash, recorded=uow.now)
    return found


class _Said:
    """What a source's records state. A range mentions a unit or person in the same words many times: once for all."""

    def __init__(self, now: datetime) -> None:
        self.named: dict[str, Sequence[Named]] = {}
        """The references by identifier in each statement, by its digest."""
        self._now = now
        self._made: list[Statement] = []
        self._mentions: dict[int, Statement] = {}
        """By the id of what is told, which all records share that tell it."""
        self._last: dict[int, Origin] = {}

    def add(self, one: Mapped, told: Sequence[Resolved], *, again: bool) -> None:
        """Add what a record states. What is read `again` is compared with what came of its own place before."""
        origin = Origin(one.work.source.id, one.inbox_id, one.seq, one.work.package.hash)
        key = one.result.key or f"item-{one.seq}"
        for resolved in told:
            if not again and id(resolved) in self._mentions:
                self._last[id(resolved)] = origin
                continue
            made = statement(resolved, origin=origin, record_key=key, recorded=self._now)
            self._made.append(made)
            self.named[made.digest] = resolved.named
            if resolved.record_key is not None and not again:  # The record's key is not in it.
                self._mentions[id(resolved)] = made

    def statements(self) -> list[Statement]:
        """In order, and what was mentioned again from its last place: that is where it is kept as said."""
        return self._made + [
            replace(self._mentions[told], inbox_id=last.inbox_id, item=last.item, map_hash=last.map_hash)
            for told, last in self._last.items()
        ]


def _item(one: Mapped, found: ResolvedItem, statements: int) -> Item:
    bad = one.result.issues.bad or found.issues.bad
    issues: list[Issue] = [*one.result.issues]
    if found.issues:
        form, body = one.work.package.format, one.work.message.body
        issues += placed(found.issues, drafts=one.result.drafts, record=one.record, form=form, body=body)
    return Item(
        one.inbox_id,
        one.seq,
        one.record.kind,
        "held" if bad else "done" if statements else "skipped",
        one.record.span,
        one.result.key or None,
        tuple(issues),
        statements,
    )


def _withdraw(uow: UnitOfWork, work: Work, recorder: Recorder) -> Recorded:
    """What a complete snapshot no longer holds."""
    message = work.message
    taken_at = message.as_of
    if taken_at is None:
        records = formats.read(work.package.format, message.body, Issues())
        taken_at = work.package.snapshot_time(records, work.source) or message.received
    said = withdrawals(uow, work.source, message, recorder.authority, taken_at=taken_at)
    recorded = recorder.record(uow, said)
    add_ingested(uow, work.source, recorded.fresh)
    return recorded


def _progress(uow: UnitOfWork, entries: Sequence[Entry], ended: Sequence[Ended], lease: timedelta) -> None:
    """Messages that ended are finished; one that goes on says how far it has come."""
    over = {entry.inbox_id for entry in ended}
    for entry in ended:
        if entry.issues:
            state: MessageState = "held" if entry.issues.bad else "done"
            hash = entry.work.package.hash if entry.work else None
            uow.inbox.finish(
                entry.inbox_id, entry.claimed.owner, state=state, issues=tuple(entry.issues), map_hash=hash
            )
    plain: dict[str | None, list[Ended]] = defaultdict(list)
    for entry in ended:
        if not entry.issues:
            plain[entry.work.package.hash if entry.work else None].append(entry)
    for hash, alike in plain.items():
        uow.inbox.finish_all([entry.inbox_id for entry in alike], alike[0].claimed.owner, hash)
    going_on = {entry.inbox_id: entry for entry in entries if isinstance(entry, Mapped) and entry.inbox_id not in over}
    for last in going_on.values():
        uow.inbox.progress(
            last.inbox_id,
            last.work.claimed.owner,
            next_item=last.seq + 1,
            lease=lease,
            map_hash=last.work.package.hash,
        )


def _count(done: dict[str, Done], recorded: Recorded, inbox_id: str | None = None) -> None:
    """Credit each message with its new statements and with the resources that they changed."""
    changed = {(one.resource_type, one.id) for one in recorded.saved if one.changed}
    things: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for said in recorded.fresh:
        one = inbox_id or said.inbox_id or ""
        done[one].statements += 1
        things[one].add((said.resource_type, said.resource_id))
    for one, named in things.items():
        done[one].resources += len(named & changed)


def broken(entry: Entry, failure: Exception) -> Entry:
    """The entry as one to be held: it cannot be kept as it is, or it broke the gateway, which is our fault to mend."""
    if isinstance(entry, Ended):
        return replace(entry, work=None, issues=Issues([*entry.issues, _why(failure, None)]))
    where = str(entry.record.position) or None
    issues = Issues([*entry.result.issues, _why(failure, where)])
    # The key may hold the very character that the database refused.
    return replace(entry, result=replace(entry.result, drafts=[], issues=issues, key=printable(entry.result.key)))


def _why(failure: Exception, where: str | None) -> Issue:
    if isinstance(failure, Unprocessable):
        return Issue(
            "error", failure.code, failure.issues[0].rule, f"{failure.text} Send the record without it.", where
        )
    text = "This broke the gateway: a fault of ours. It is kept; replay it when the fault is mended."
    return Issue("error", "exception", "unforeseen", text, where)


def printable(key: str) -> str:
    """The key without control characters, which no database may have to keep."""
    return "".join(c if c.isprintable() else "\ufffd" for c in key)
