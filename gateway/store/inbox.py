"""The inbox: messages as they came, their items, and who is working on them.

A message is claimed with a lease; its progress is committed together with what its items led to, guarded by the lease.
So a process that is killed loses its message to another, which goes on after the last committed range, and one that
was only thought dead cannot commit its range a second time.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from gateway.errors import Conflict
from gateway.frozen import dataclass
from gateway.issues import Issue
from gateway.keysets import among
from gateway.records import Message
from gateway.store import sets
from gateway.tables import Instant, from_micros, inbox, inbox_body, inbox_item, to_micros

CHUNK = 16 * 1024 * 1024

# One short look into the index for each: there are few sources, and any number of messages.
_HEARD = {
    "postgresql": "SELECT one, (SELECT max(received) FROM inbox WHERE source = one AND received <= %s)"
    " FROM unnest(%s::text[]) one",
    "sqlite": "SELECT value, (SELECT max(received) FROM inbox WHERE source = value AND received <= ?)"
    " FROM json_each(?)",
}
_EVER = to_micros(datetime.max.replace(tzinfo=UTC))

MessageState = Literal["waiting", "working", "done", "held"]
ItemState = Literal["done", "held", "skipped", "superseded"]


class LeaseLost(Conflict):
    """Another process works on the message now."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a message: where its bytes lie, what became of it."""

    inbox_id: str
    seq: int
    kind: str
    state: ItemState
    span: tuple[int, int] | None = None
    key: str | None = None
    issues: tuple[Issue, ...] = ()
    statements: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept message without its bytes. `items` counts them by state."""

    number: int
    id: str
    source: str
    media_type: str
    transport: str
    received: datetime
    as_of: datetime | None
    hash: str
    size: int
    state: MessageState
    next_item: int
    attempts: int
    owner: str | None
    issues: tuple[Issue, ...]
    map_hash: str | None = None
    """The package that mapped it; where several took turns, the first one."""
    items: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours until the lease ends; items below `next_item` are committed already."""

    message: Message
    owner: str
    next_item: int
    attempts: int


_ENTRY = [inbox.c[name] for name in Entry.__dataclass_fields__ if name != "items"]
_KEPT = tuple(name for name in Entry.__dataclass_fields__ if name not in ("number", "owner", "items", "map_hash"))
_CHUNK = ("inbox_id", "chunk", "body")
_ITEM = ("inbox_id", "seq", "span_start", "span_end", "kind", "key", "state", "issues", "statements")
# Constants in the text, or SQLite would not see that its partial indexes hold just these.
_IS_OPEN = text("inbox.state IN ('waiting', 'working')")
_WAITS = select(
    exists(inbox.c.number).where(
        _IS_OPEN, or_(text("inbox.state = 'waiting'"), inbox.c.lease_until < bindparam("now", type_=Instant()))
    )
)
_IS_HELD = text("inbox_item.state = 'held'")


_MESSAGE = (inbox.c.id, inbox.c.source, inbox.c.media_type, inbox.c.received, inbox.c.as_of, inbox.c.transport)
_BODIES = (
    select(inbox_body.c.inbox_id, inbox_body.c.body)
    .where(among(inbox_body.c.inbox_id, "ids"))
    .order_by(inbox_body.c.inbox_id, inbox_body.c.chunk)
)
_HAS_BODY = select(inbox_body.c.inbox_id).distinct().where(among(inbox_body.c.inbox_id, "ids"))
_WORKED = select(inbox_item.c.inbox_id).distinct().where(among(inbox_item.c.inbox_id, "ids"))


# Seeded by the system, in each process anew. To ask the system for each id lets go of the interpreter, and where many
# send at once, another takes it. Nobody is let in for knowing an id, so it need not be kept from who has seen others.
_drawing = Random()  # noqa: S311
os.register_at_fork(after_in_child=_drawing.seed)


def message_id(received: datetime) -> str:
    """An id for a message that comes now: a UUID of version 7, so that what comes together lies together (ADR 71).

    https://www.rfc-editor.org/rfc/rfc9562#section-5.7
    """
    milliseconds = to_micros(received) // 1000 & (1 << 48) - 1
    drawn = _drawing.getrandbits(74)
    id = f"{milliseconds << 80 | 7 << 76 | drawn >> 62 << 64 | 2 << 62 | drawn & (1 << 62) - 1:032x}"
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"


def _kept(message: Message, state: MessageState) -> sets.Row:
    return (
        *(message.id, message.source, message.media_type, message.transport, to_micros(message.received)),
        *(None if message.as_of is None else to_micros(message.as_of), sha256(message.body).hexdigest()),
        *(len(message.body), state, 0, 0, "[]"),
    )


def _chunks(message: Message) -> Iterator[sets.Row]:
    starts = range(0, len(message.body), CHUNK) or range(1)
    for n, start in enumerate(starts):
        yield message.id, n, message.body[start : start + CHUNK]


class Inbox:
    def __init__(self, connection: Connection, clock: datetime) -> None:
        self._connection = connection
        self._clock = clock

    def keep(self, message: Message, *, state: MessageState = "waiting") -> bool:
        """Keep a message; False when one of its id is kept already (a transport's second try)."""
        return bool(self.keep_all([message], state=state))

    def keep_all(self, messages: Sequence[Message], *, state: MessageState = "waiting") -> set[str]:
        """Keep those of which none is kept under its id; the ids of these."""
        by_id: dict[str, Message] = {}
        for one in messages:
            by_id.setdefault(one.id, one)
        # In order of arrival; on PostgreSQL by their ids, which is that of their milliseconds: others write meanwhile.
        ids = sorted(by_id) if self._connection.dialect.name == "postgresql" else list(by_id)
        new = self._enter([_kept(by_id[id], state) for id in ids])
        chunks = [chunk for id in ids if id in new for chunk in _chunks(by_id[id])]
        sets.insert_later(self._connection, [sets.Rows(inbox_body, _CHUNK, chunks)])
        return new

    def _enter(self, rows: Sequence[sets.Row]) -> set[str]:
        """The ids of those that were not there."""
        if self._connection.dialect.name == "postgresql":
            return sets.insert_new(self._connection, inbox, _KEPT, rows)
        ids = {row[0] for row in rows}
        if sets.insert_missing(self._connection, inbox, _KEPT, rows) < len(rows):
            ids -= {row[0] for row in sets.fetch(self._connection, _HAS_BODY, sorted(ids))}
        return ids

    def keep_new(self, messages: Sequence[Message], *, state: MessageState = "waiting") -> None:
        """Keep messages whose ids are new, all at once."""
        rows = [_kept(one, state) for one in messages]
        chunks = [chunk for one in messages for chunk in _chunks(one)]
        sets.insert_later(self._connection, [sets.Rows(inbox, _KEPT, rows), sets.Rows(inbox_body, _CHUNK, chunks)])

    def get(self, id: str) -> Message | None:
        """The message as it came."""
        row = self._connection.execute(select(*_MESSAGE).where(inbox.c.id == id)).first()
        return None if row is None else _message(row, self._chunks([id])[id])

    def _chunks(self, ids: Sequence[str]) -> dict[str, list[bytes]]:
        """The bytes of messages, in their chunks."""
        found: dict[str, list[bytes]] = {id: [] for id in ids}
        for id, chunk in sets.fetch(self._connection, _BODIES, ids):
            found[id].append(chunk)
        return found

    def entry(self, id: str) -> Entry | None:
        return next(iter(self._entries(select(*_ENTRY).where(inbox.c.id == id))), None)

    def entries(
        self, *, source: str | None = None, held: bool = False, before: int | None = None, limit: int = 50
    ) -> Sequence[Entry]:
        """The latest messages first; `held`: those that are held or hold an item; `before` is an entry's number."""
        query = select(*_ENTRY).order_by(inbox.c.number.desc()).limit(limit)
        if source is not None:
            query = query.where(inbox.c.source == source)
        if held:
            item = select(inbox_item.c.inbox_id).where(_IS_HELD)
            query = query.where(or_(inbox.c.state == "held", inbox.c.id.in_(item)))
        if before is not None:
            query = query.where(inbox.c.number < before)
        return self._entries(query)

    def heard(self, sources: Collection[str], *, known_at: datetime | None = None) -> dict[str, datetime]:
        """When each source was last heard, as far as was known then."""
        by = _EVER if known_at is None else to_micros(known_at)
        rows = sets.run(self._connection, _HEARD[self._connection.dialect.name], by, sources) if sources else ()
        return {source: from_micros(received) for source, received in rows if received is not None}

    def waits(self) -> bool:
        """Whether `claim_waiting` would find anything that nobody else is about to take."""
        return sets.holds_any(self._connection, _WAITS, to_micros(self._clock))

    def claim_waiting(
        self, owner: str, *, lease: timedelta, limit: int, most_bytes: int = 8 * 1024 * 1024
    ) -> list[Claimed]:
        """The oldest messages that nobody works on, as many as are small enough to be taken together."""
        abandoned = and_(inbox.c.state == "working", inbox.c.lease_until < self._clock)
        query = select(inbox.c.id, inbox.c.size).where(_IS_OPEN, or_(inbox.c.state == "waiting", abandoned))
        query = query.order_by(inbox.c.number).limit(limit).with_for_update(skip_locked=True)
        chosen: list[str] = []
        total = 0
        for id, size in self._connection.execute(query):
            total += size
            if chosen and total > most_bytes:
                break
            chosen.append(id)
        if not chosen:
            return []
        taken = self._take(among(inbox.c.id, chosen), owner, lease)
        return [taken[id] for id in chosen if id in taken]

    def claim(self, id: str, owner: str, *, lease: timedelta) -> Claimed | None:
        """This message, when it waits; for a caller that keeps and works in one go."""
        return self._take(and_(inbox.c.id == id, inbox.c.state == "waiting"), owner, lease).get(id)

    def progress(self, id: str, owner: str, *, next_item: int, lease: timedelta, map_hash: str | None = None) -> None:
        """Items below `next_item` are dealt with, in this unit of work; the lease is renewed."""
        values = {"next_item": next_item, "lease_until": self._clock + lease, **_mapped_by(map_hash)}
        self._as_owner(id, owner, inbox.c.next_item <= next_item, values)

    def finish(
        self,
        id: str,
        owner: str,
        *,
        state: MessageState = "done",
        issues: Iterable[Issue] = (),
        map_hash: str | None = None,
    ) -> None:
        """Nothing more to do, or (`held`) nothing that can be done until something is mended."""
        values = {"state": state, "owner": None, "lease_until": None, "issues": _issues_out(issues)}
        self._as_owner(id, owner, inbox.c.state == "working", {**values, **_mapped_by(map_hash)})

    def finish_all(self, ids: Collection[str], owner: str, map_hash: str | None = None) -> None:
        """Nothing more to do with any of these."""
        mine = update(inbox).where(among(inbox.c.id, ids), inbox.c.owner == owner, inbox.c.state == "working")
        values = {"state": "done", "owner": None, "lease_until": None, "issues": "[]", **_mapped_by(map_hash)}
        done = self._connection.execute(mine.values(values))
        if done.rowcount != len(ids):
            raise LeaseLost

    def replay(self, id: str) -> bool:
        """Let the message be worked through anew, from its first item; False when it is being worked on or unknown."""
        values = {"state": "waiting", "next_item": 0, "attempts": 0, "issues": "[]", "map_hash": None}
        found = self._connection.execute(
            update(inbox).where(inbox.c.id == id, inbox.c.state.in_(("done", "held"))).values(values)
        )
        return found.rowcount == 1

    def discard(self, id: str, issue: Issue) -> int | None:
        """Hold nothing of a message any more, and say why; how many items. None where it holds none, or is open."""
        entry = self.entry(id)
        if entry is None or entry.state not in ("done", "held"):
            return None
        held = self.items(id, state="held")
        if not held and entry.state != "held":
            return None
        self.save_items([replace(one, state="skipped", issues=(*one.issues, issue)) for one in held])
        if entry.state == "held":
            values = {"state": "done", "issues": _issues_out((*entry.issues, issue))}
            self._connection.execute(update(inbox).where(inbox.c.id == id, inbox.c.state == "held").values(values))
        return len(held)

    def mapped_by(self, hashes: Collection[str], *, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """The messages that these packages mapped and that nobody works on, in order of arrival."""
        query = select(*_ENTRY).where(
            among(inbox.c.map_hash, hashes), inbox.c.state.in_(("done", "held")), inbox.c.number > after
        )
        return self._entries(query.order_by(inbox.c.number).limit(limit))

    def count_mapped(self) -> dict[str, int]:
        """How many messages each package has mapped, by its hash."""
        query = select(inbox.c.map_hash, func.count()).where(inbox.c.map_hash.is_not(None))
        rows = self._connection.execute(query.group_by(inbox.c.map_hash))
        return {row[0]: int(row[1]) for row in rows}

    def worked_before(self, ids: Collection[str]) -> set[str]:
        """Those of which items are kept: a part of it is done, or it is worked through anew."""
        return {row[0] for row in sets.fetch(self._connection, _WORKED, sorted(ids))}

    def save_items(self, items: Sequence[Item]) -> None:
        """Write what became of items; one that was written before (a replay) is written over."""
        if not items:
            return
        seqs: dict[str, list[int]] = {}
        for item in items:
            seqs.setdefault(item.inbox_id, []).append(item.seq)
        for id in self.worked_before(seqs):
            old = inbox_item.delete().where(inbox_item.c.inbox_id == id)
            self._connection.execute(
                old.where(inbox_item.c.seq.between(min(seqs[id]), max(seqs[id])), among(inbox_item.c.seq, seqs[id]))
            )
        sets.insert(self._connection, inbox_item, _ITEM, [_item_out(item) for item in items])

    def items(
        self, id: str, *, state: ItemState | None = None, after: int = -1, limit: int | None = None
    ) -> Sequence[Item]:
        query = select(*(inbox_item.c[name] for name in _ITEM)).where(inbox_item.c.inbox_id == id)
        query = query.where(inbox_item.c.seq > after).order_by(inbox_item.c.seq).limit(limit)
        if state is not None:
            query = query.where(inbox_item.c.state == state)
        return [_item_in(row) for row in self._connection.execute(query)]

    def item(self, id: str, seq: int) -> Item | None:
        return next(iter(self.items(id, after=seq - 1, limit=1)), None)

    def _take(self, which: Any, owner: str, lease: timedelta) -> dict[str, Claimed]:
        """Put these messages under the owner's lease."""
        values = {
            "state": "working",
            "owner": owner,
            "lease_until": self._clock + lease,
            "attempts": inbox.c.attempts + 1,
        }
        taken = update(inbox).where(which).values(values).returning(*_MESSAGE, inbox.c.next_item, inbox.c.attempts)
        rows = self._connection.execute(taken).all()
        chunks = self._chunks([row[0] for row in rows])
        return {row[0]: Claimed(_message(row[:-2], chunks[row[0]]), owner, *row[-2:]) for row in rows}

    def _as_owner(self, id: str, owner: str, also: Any, values: Mapping[str, Any]) -> None:
        mine = update(inbox).where(inbox.c.id == id, inbox.c.owner == owner, also).values(values)
        if self._connection.execute(mine).rowcount != 1:
            raise LeaseLost

    def _entries(self, query: Any) -> list[Entry]:
        rows = self._connection.execute(query).all()
        counts: dict[str, dict[str, int]] = {row.id: {} for row in rows}
        by_state = (
            select(inbox_item.c.inbox_id, inbox_item.c.state, func.count())
            .where(among(inbox_item.c.inbox_id, list(counts)))
            .group_by(inbox_item.c.inbox_id, inbox_item.c.state)
        )
        for id, state, count in self._connection.execute(by_state):
            counts[id][state] = count
        return [_entry(row, counts[row.id]) for row in rows]


def _message(row: Sequence[Any], chunks: Sequence[bytes]) -> Message:
    id, source, media_type, received, as_of, transport = row
    return Message(id, source, b"".join(chunks), media_type, received, as_of, transport)


def _mapped_by(map_hash: str | None) -> dict[str, Any]:
    """Where a message was left half done and goes on with other maps, it counts as mapped by the first."""
    return {} if map_hash is None else {"map_hash": func.coalesce(inbox.c.map_hash, map_hash)}


def _entry(row: Any, items: Mapping[str, int]) -> Entry:
    fields = {**row._mapping, "issues": _issues_in(row.issues), "items": items}
    return Entry(**fields)


def _item_out(item: Item) -> tuple[Any, ...]:
    span = item.span or (None, None)
    issues = _issues_out(item.issues)
    return (item.inbox_id, item.seq, *span, item.kind, item.key, item.state, issues, item.statements)


def _item_in(row: Any) -> Item:
    span = None if row.span_start is None else (row.span_start, row.span_end)
    return Item(row.inbox_id, row.seq, row.kind, row.state, span, row.key, _issues_in(row.issues), row.statements)


def _issues_out(issues: Iterable[Issue]) -> str:
    found = [issue.to_json() for issue in issues]
    return orjson.dumps(found).decode() if found else "[]"


def _issues_in(text: str) -> tuple[Issue, ...]:
    return () if text == "[]" else tuple(Issue(**issue) for issue in orjson.loads(text))
