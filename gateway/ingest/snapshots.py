"""Complete snapshots: what a message no longer holds, its source withdraws."""

from __future__ import annotations

from datetime import datetime

from gateway.coordination import snapshots
from gateway.coordination.agreements import Authority
from gateway.issues import Issue
from gateway.records import Message, Source, Statement
from gateway.store import Snapshot, UnitOfWork


def withdrawals(
    uow: UnitOfWork, source: Source, message: Message, authority: Authority, *, taken_at: datetime
) -> list[Statement]:
    """What follows from this message being complete, held against its neighbours in time.

    A record that was held as unusable is still there: its key keeps what was said of it before. The caller holds the
    lock of `scope_key`, so that of two messages worked at once the later one sees the other.
    """
    taken = Snapshot(source.id, source.scope, taken_at, message.id)
    same = uow.snapshots.of(source.id, source.scope, since=taken_at, until=taken_at)
    keys = {one.inbox_id: uow.snapshots.keys(one.inbox_id) for one in (taken, *same)}
    if any(keys[one.inbox_id] == keys[message.id] for one in same if one != taken):
        return []  # Delivered again.
    uow.snapshots.add(taken)
    beside = uow.snapshots.before(source.id, source.scope, taken_at)
    beside += uow.snapshots.after(source.id, source.scope, taken_at)
    keys |= {one.inbox_id: uow.snapshots.keys(one.inbox_id) for one in beside}
    known = [snapshots.Snapshot(one.taken_at, keys[one.inbox_id], one.inbox_id) for one in {taken, *same, *beside}]
    said = uow.statements.of_records(source.id, sorted(set().union(*keys.values())))
    return snapshots.follows(known, said, authority, uow.now)


def scope_key(source: Source) -> str:
    """What is locked while a snapshot is held against its neighbours."""
    return f"snapshot|{source.id}|{source.scope}"


def incomplete(uow: UnitOfWork, message: Message) -> Issue | None:
    """Why a message that was read to its end is no complete snapshot all the same: of a held record no key is known.

    It may be any record of those that the message seems to miss.
    """
    unknown = [item for item in uow.inbox.items(message.id, state="held") if item.key is None]
    if not unknown:
        return None
    text = (
        f"Of this snapshot, {len(unknown)} cannot be told from other records, so nothing that it does not list was "
        "withdrawn. Mend what is held and send the whole snapshot again."
    )
    return Issue("warning", "incomplete", "snapshot-incomplete", text)
