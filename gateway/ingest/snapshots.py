"""Complete snapshots: what a message no longer holds, its source withdraws."""

from __future__ import annotations

from datetime import datetime

from gateway.coordination import snapshots
from gateway.coordination.agreements import Authority
from gateway.records import Message, Source, Statement
from gateway.store import Snapshot, UnitOfWork


def withdrawals(
    uow: UnitOfWork, source: Source, message: Message, authority: Authority, *, taken_at: datetime
) -> list[Statement]:
    """What follows from this message being complete, held against its neighbours in time.

    A record that was held as unusable is still there: its key keeps what was said of it before.
    """
    taken = Snapshot(source.id, source.scope, taken_at, message.id)
    uow.snapshots.add(taken)
    beside = (
        uow.snapshots.before(source.id, source.scope, taken_at),
        uow.snapshots.after(source.id, source.scope, taken_at),
    )
    known = [
        snapshots.Snapshot(one.taken_at, uow.snapshots.keys(one.inbox_id), one.inbox_id)
        for one in (taken, *beside)
        if one is not None
    ]
    keys = {key for one in known for key in one.keys}
    return snapshots.follows(known, uow.statements.of_records(source.id, sorted(keys)), authority, uow.now)
