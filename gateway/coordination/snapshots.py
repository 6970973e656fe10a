"""What complete snapshots say by what they no longer hold: withdrawals, and records that came back.

A snapshot that comes late is held against both its neighbours, so the statements in force do not depend on the order
in which snapshots arrive. What is stated twice is one statement; what is redundant changes nothing (`statements`).

Several snapshots of one moment hold together what any of them holds: nothing says which of them is the later one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

from gateway.coordination.agreements import Authority
from gateway.coordination.statements import STILL_THERE, Origin, make, order, standing
from gateway.records import Statement, StatementKind


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a source held in one scope at a time, by record key."""

    as_of: datetime
    keys: Collection[str]
    inbox_id: str | None = None


def follows(
    snapshots: Sequence[Snapshot], said: Iterable[Statement], authority: Authority, recorded: datetime
) -> list[Statement]:
    """What follows from snapshots of one scope; `said` is what their source has stated of their records.

    Enough is a new snapshot and its neighbours in time. A person is not withdrawn with a row about him: of a record
    that states anything else, what is said of persons and units by the way stays.
    """
    records: dict[str, list[Statement]] = defaultdict(list)
    for one in sorted(standing(said), key=order):
        if one.kind == "assert" and one.version != STILL_THERE:
            records[one.record_key].append(one)
    found: dict[str, Statement] = {}
    moments = [_together(list(same)) for _, same in groupby(sorted(snapshots, key=_place), lambda one: one.as_of)]
    for key in sorted(records):
        main = _main(records[key], authority)
        for moment, partly in moments:
            if key in partly:
                # When the one that misses it was alone, it may have been withdrawn; holding is stronger (`order`).
                for one in _latest(main, moment.as_of):
                    still = _also(one, "assert", moment, recorded)
                    found[still.digest] = still
        for (before, _), (after, _) in pairwise(moments):
            for one in _between(before, after, key, main, recorded):
                found[one.digest] = one
    return list(found.values())


def _place(snapshot: Snapshot) -> tuple[datetime, str]:
    return snapshot.as_of, snapshot.inbox_id or ""


def _together(same: Sequence[Snapshot]) -> tuple[Snapshot, Collection[str]]:
    """Snapshots of one moment as one, and the keys that some of them hold and others do not."""
    held = [frozenset(one.keys) for one in same]
    union = frozenset().union(*held)
    return Snapshot(same[0].as_of, union, same[0].inbox_id), union - held[0].intersection(*held)


def _between(
    before: Snapshot, after: Snapshot, key: str, said: Sequence[Statement], recorded: datetime
) -> Iterator[Statement]:
    if key in before.keys and key not in after.keys:
        for one in _latest(said, after.as_of):
            yield _also(one, "withdraw", after, recorded)
    if key in after.keys and key not in before.keys:
        for one in _latest(said, after.as_of):
            if one.effective <= before.as_of:
                yield _also(one, "withdraw", before, recorded)
                yield _also(one, "assert", after, recorded)


def _main(said: Sequence[Statement], authority: Authority) -> list[Statement]:
    main = [one for one in said if one.resource_type not in authority.standing]
    return main or list(said)


def _latest(said: Sequence[Statement], by: datetime) -> list[Statement]:
    """The last word by then about each thing that the record is about."""
    return list({(one.resource_type, one.resource_id): one for one in said if one.effective <= by}.values())


def _also(one: Statement, kind: StatementKind, snapshot: Snapshot, recorded: datetime) -> Statement:
    return make(
        body={**one.body, "id": one.resource_id},
        origin=Origin(one.source, snapshot.inbox_id, None, one.map_hash),
        record_key=one.record_key,
        person=one.person,
        effective=snapshot.as_of,
        recorded=recorded,
        version=STILL_THERE,
        party=one.party,
        provider=one.provider,
        kind=kind,
    )
