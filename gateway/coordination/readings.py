"""Records that are read anew: what a replay states, and what it retracts.

A replay makes it so as if the newer map had read the record from the first. What an older map made of it and the newer
one does not, because it reads otherwise or holds the record, is retracted: by a statement, so that it can be seen, and
so that what was known before stays what was known before. What a record says of others by the way is not its own alone
and stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from gateway.coordination.statements import Origin, Place, last_readings, make, place
from gateway.identity.resolve import ABOUT, MENTION
from gateway.records import Resource, Statement


def read_anew(
    before: Iterable[Statement], said: Iterable[Statement], *, map_hash: str, recorded: datetime
) -> list[Statement]:
    """What is to be recorded of some items: `before` is all that ever came of them, `said` what comes of them now."""
    old, new = _by_place(before), _by_place(said)
    found: list[Statement] = []
    for key in dict.fromkeys((*old, *new)):
        known, now = old.get(key, ()), new.get(key, ())
        if _shared(key) or not known:
            found += now
            continue
        counting = [one for one in last_readings(known) if one.kind != "retract"]
        if _contents(counting) == _contents(now):
            continue
        turn = max(one.turn for one in known) + 1
        found += [_said_again(one, turn) for one in now]
        if not now:
            found.append(_retraction(counting[-1], turn, map_hash, recorded))
    return found


def _by_place(statements: Iterable[Statement]) -> dict[Place, list[Statement]]:
    found: dict[Place, list[Statement]] = defaultdict(list)
    for one in statements:
        found[place(one)].append(one)
    return found


def _shared(key: Place) -> bool:
    """Whether others may have said the same: it is one statement, and the one who said it first is not its owner."""
    return key[2].startswith((MENTION, ABOUT))


def _contents(statements: Iterable[Statement]) -> set[str]:
    """What is said, whichever reading says it."""
    return {one.digest if not one.turn else _said_again(one, 0).digest for one in statements}


def _said_again(one: Statement, turn: int) -> Statement:
    again = make(
        body={**one.body, "id": one.resource_id},
        origin=Origin(one.source, one.inbox_id, one.item, one.map_hash),
        record_key=one.record_key,
        person=one.person,
        effective=one.effective,
        recorded=one.recorded,
        version=one.version,
        party=one.party,
        provider=one.provider,
        kind=one.kind,
        turn=turn,
    )
    return replace(one, digest=again.digest, turn=turn)


def _retraction(one: Statement, turn: int, map_hash: str, recorded: datetime) -> Statement:
    named: Resource = {name: one.body[name] for name in ("resourceType", "identifier") if name in one.body}
    return make(
        body={**named, "id": one.resource_id},
        origin=Origin(one.source, one.inbox_id, one.item, map_hash),
        record_key=one.record_key,
        person=one.person,
        effective=one.effective,
        recorded=recorded,
        version=one.version,
        party=one.party,
        provider=one.provider,
        kind="retract",
        turn=turn,
    )
