"""Statements: made from resolved drafts, and which of them are in force.

The identity of a statement is its digest: who said what, as of when. Delivered twice it is one statement. A later
statement of the same source about the same record supersedes the earlier one, in source time: order of arrival and
time of recording play no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from gateway.coordination.compartments import unlabelled
from gateway.frozen import dataclass
from gateway.identity.identifiers import canonical, is_logical
from gateway.identity.resolve import ABOUT, SWEDEN, Resolved
from gateway.records import Resource, Statement, StatementKind

OPERATOR_SOURCE = "operator"
"""The source of what the operator writes: plain R4, which overrules what was said before."""
GATEWAY_SOURCE = "gateway"
"""The source of what the gateway raises itself: the gaps."""
STILL_THERE = "snapshot"
"""The version of what is stated only because a complete snapshot lists the record again."""
_LONGEST = 20
"""Digits of a version that is a number."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement comes from: the source, the place in the inbox, and the map that read it."""

    source: str
    inbox_id: str | None = None
    item: int | None = None
    map_hash: str | None = None


def statement(resolved: Resolved, *, origin: Origin, record_key: str, recorded: datetime, turn: int = 0) -> Statement:
    """What a resolved draft states."""
    draft = resolved.draft
    return make(
        body=resolved.resource,
        origin=origin,
        record_key=resolved.record_key or (f"{record_key}@{resolved.moment}" if resolved.moment else record_key),
        person=resolved.person,
        effective=draft.effective,
        version=draft.version,
        party=draft.party,
        provider=draft.provider,
        kind="withdraw" if draft.withdrawn else "assert",
        recorded=recorded,
        turn=turn,
        wording=resolved.wording,
    )


def make(
    *,
    body: Resource,
    origin: Origin,
    record_key: str,
    person: str | None,
    effective: datetime,
    recorded: datetime,
    version: str = "",
    party: str = "",
    provider: str = "",
    kind: StatementKind = "assert",
    turn: int = 0,
    wording: bytes | None = None,
) -> Statement:
    """A statement about the resource `body["id"]`. `wording` is what an assertion says, canonical, if it is at hand.

    What a replay says is a statement of its own, even where another record, or an earlier reading, says the same.
    """
    said = {name: value for name, value in unlabelled(body).items() if name != "id"}
    words: Any = said.get("identifier") if kind != "assert" else said if wording is None else orjson.Fragment(wording)
    digest = sha256(
        canonical(
            [
                origin.source,
                record_key,
                kind,
                effective.timestamp(),
                version,
                party,
                provider,
                said["resourceType"],
                logical(words),
                *((turn, origin.inbox_id, origin.item) if turn else ()),
            ]
        )
    ).hexdigest()
    return Statement(
        digest=digest,
        source=origin.source,
        party=party,
        provider=provider,
        resource_type=said["resourceType"],
        resource_id=str(body["id"]),
        person=person,
        record_key=record_key,
        effective=effective,
        version=version,
        recorded=recorded,
        kind=kind,
        body=said,
        inbox_id=origin.inbox_id,
        item=origin.item,
        map_hash=origin.map_hash,
        turn=turn,
    )


def logical(value: Any) -> Any:
    """The value with references by identifier only: what was said, without the ids that we gave.

    What holds no such reference is the value itself.
    """
    places: Iterable[tuple[Any, Any]]
    if type(value) is dict:
        if "reference" in value and is_logical(value):
            return {name: child for name, child in value.items() if name != "reference"}
        places = value.items()
    elif type(value) is list:
        places = enumerate(value)
    else:
        return value
    said = value
    for place, child in places:
        if type(child) is dict or type(child) is list:
            new = logical(child)
            if new is not child:
                said = value.copy() if said is value else said
                said[place] = new
    return said


def order(statement: Statement) -> tuple[datetime, int, int, str, str, str]:
    """The order of facts: source time, the source's version (numbers as numbers), source, digest.

    At the same time, what a complete snapshot says by missing a record comes late, what one says by holding it last.
    """
    version = statement.version
    number = int(version) if version.isdecimal() and len(version) < _LONGEST else -1
    kind = 2 + (statement.kind == "assert") if version == STILL_THERE else int(number >= 0)
    return statement.effective, kind, number, version, statement.source, statement.digest


def in_order(statements: Iterable[Statement]) -> list[Statement]:
    """The statements as a list in the order of facts. Most things are said once."""
    said = list(statements)
    if len(said) > 1:
        said.sort(key=order)
    return said


def overruled(statements: Iterable[Statement]) -> tuple[Statement | None, list[Statement]]:
    """The operator's last word about a thing, and what is left beside it: what was said after it, or everything."""
    said = in_order(statements)
    last = next((n for n in range(len(said) - 1, -1, -1) if said[n].source == OPERATOR_SOURCE), None)
    return (None, said) if last is None else (said[last], said[last + 1 :])


Place = tuple[str | None, int | None, str, str, str]
"""What one item of a message says of one thing: inbox id, item, record key, resource type and id."""


def place(one: Statement) -> Place:
    return one.inbox_id, one.item, one.record_key, one.resource_type, one.resource_id


def last_readings(statements: Iterable[Statement]) -> list[Statement]:
    """What records say as they were read last: an item replayed with another map says what it said then."""
    said = list(statements)
    last: dict[Place, tuple[int, datetime]] = {}
    for one in said:
        if one.item is not None:
            key, reading = place(one), (one.turn, one.recorded)
            last[key] = max(reading, last.get(key, reading))
    return [one for one in said if one.item is None or (one.turn, one.recorded) == last[place(one)]]


def standing(statements: Iterable[Statement]) -> list[Statement]:
    """The statements that count: of the last readings, and not retracted.

    What a snapshot says of a record by holding it, or no longer, goes with what the record said.
    """
    every = list(statements)
    if len(every) == 1:
        return every if every[0].kind != "retract" and every[0].version != STILL_THERE else []
    said = first_said([one for one in last_readings(every) if one.kind != "retract"])
    if not any(one.version == STILL_THERE for one in said):
        return said
    told = {_about(one) for one in said if one.version != STILL_THERE}
    return [one for one in said if _about(one) in told]


def first_said(statements: list[Statement]) -> list[Statement]:
    """What is said by the way holds from the first day of a month on which a source said it, and until it says else.

    To say it again in the same words, with no others between, is no news (ADR 74).
    """
    first: dict[tuple[tuple[str, str, str, str], Month], Statement] = {}
    for one in statements:
        if _is_by_the_way(one):
            key = _about(one), month(one.effective)
            first[key] = min(one, first.get(key, one), key=order)
    if not first:
        return statements
    words: dict[tuple[str, str, str], str] = {}
    news: set[str] = set()
    for one in in_order(first.values()):
        thing = one.source, one.resource_type, one.resource_id
        if words.get(thing) != one.record_key:
            words[thing] = one.record_key
            news.add(one.digest)
    return [one for one in statements if one.digest in news or not _is_by_the_way(one)]


Month = tuple[int, int]
"""Year and month in Sweden."""


def month(moment: datetime) -> Month:
    """In which month what is said by the way as of this moment is one statement for each wording."""
    local = moment.astimezone(SWEDEN)
    return local.year, local.month


def _is_by_the_way(one: Statement) -> bool:
    return one.kind == "assert" and one.record_key.startswith(ABOUT)


def _about(one: Statement) -> tuple[str, str, str, str]:
    return one.source, one.record_key, one.resource_type, one.resource_id


def chains(statements: Iterable[Statement]) -> list[list[Statement]]:
    """What each source said of each of its records about one resource, in source time, corrections in place.

    Of statements with the same time only the last is left. A withdrawal of what is withdrawn already is left out, and
    so is a snapshot's word that a record is still there.
    """
    records: dict[tuple[str, str, str], list[Statement]] = defaultdict(list)
    said = list(statements)
    if len(said) == 1:
        return [said]
    for one in said:
        records[one.source, one.record_key, one.resource_id].append(one)
    return [_chain(records[key]) for key in sorted(records)]


def _chain(statements: list[Statement]) -> list[Statement]:
    corrected: dict[datetime, Statement] = {}
    for one in in_order(statements):
        corrected[one.effective] = one
    chain: list[Statement] = []
    for one in corrected.values():
        if not chain or not _repeats(chain[-1], one):
            chain.append(one)
    return chain


def _repeats(before: Statement, after: Statement) -> bool:
    if before.kind != after.kind:
        return False
    return before.kind == "withdraw" or (
        after.version == STILL_THERE and canonical(logical(before.body)) == canonical(logical(after.body))
    )
