"""The audit trail: rows in hash chains, one chain per writer, sealed from time to time into one.

A row's digest covers the row and the digest before it, so a row that is changed, added or removed is found out; a seal
holds every chain's head, so a chain that is cut short is found out too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, select

from gateway.fhir.json import dump, parse
from gateway.store import sets
from gateway.tables import audit, audit_seal, to_micros

GENESIS = bytes(32)
Event = tuple[Mapping[str, Any], str | None]
"""An AuditEvent (JSON), and the person (key) whom it is about."""
_COLUMNS = ("chain", "number", "recorded", "person", "body", "digest")


class Chain:
    """Where a writer's chain has come to. Only its writer moves it, and moves it back when a transaction fails."""

    __slots__ = ("head", "id", "number")

    def __init__(self) -> None:
        self.id = uuid4().hex
        self.number = 0
        self.head = GENESIS

    def mark(self) -> tuple[int, bytes]:
        return self.number, self.head

    def reset(self, mark: tuple[int, bytes]) -> None:
        self.number, self.head = mark


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An AuditEvent with its place in its writer's chain."""

    chain: str
    number: int
    recorded: datetime
    person: str | None
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold."""

    chain: str
    number: int
    what: str


def write(connection: Connection, chain: Chain, given: Iterable[tuple[datetime, Iterable[Event]]]) -> None:
    """Append events to the chain, each with the time that is recorded."""
    rows = []
    for now, events in given:
        recorded = to_micros(now)
        for event, person in events:
            body = dump(dict(event))
            chain.number += 1
            chain.head = _digest(chain.head, chain.id, chain.number, recorded, person, body)
            rows.append((chain.id, chain.number, recorded, person, body, chain.head))
    sets.insert_later(connection, [sets.Rows(audit, _COLUMNS, rows)])


class Audit:
    def __init__(self, connection: Connection, now: datetime, chain: Chain) -> None:
        self._connection = connection
        self._now = now
        self._chain = chain

    def add(self, events: Iterable[Mapping[str, Any]], *, person: str | None = None) -> None:
        """Append events (JSON) to the writer's chain; they are there when, and only when, the unit of work is."""
        self.add_about((event, person) for event in events)

    def add_about(self, events: Iterable[Event]) -> None:
        """Append events, each with the person (key) whom it is about."""
        write(self._connection, self._chain, [(self._now, events)])

    def latest(
        self, *, person: str | None = None, before: datetime | None = None, limit: int = 100
    ) -> Sequence[AuditRow]:
        """The latest rows first."""
        query = select(audit.c.chain, audit.c.number, audit.c.recorded, audit.c.person, audit.c.body)
        if person is not None:
            query = query.where(audit.c.person == person)
        if before is not None:
            query = query.where(audit.c.recorded < before)
        query = query.order_by(audit.c.recorded.desc(), audit.c.chain, audit.c.number.desc()).limit(limit)
        return [AuditRow(*row[:4], parse(row.body)) for row in self._connection.execute(query)]

    def seal(self) -> int:
        """Bind every chain's head into one chain of seals; returns the seal's number."""
        last = self._connection.execute(
            select(audit_seal.c.number, audit_seal.c.digest).order_by(audit_seal.c.number.desc()).limit(1)
        ).first()
        number, before = (last.number + 1, last.digest) if last else (1, GENESIS)
        heads = dump({chain: [count, digest.hex()] for chain, count, digest in self._heads()}).decode()
        recorded = to_micros(self._now)
        digest = sha256(b"\n".join((before, str(number).encode(), str(recorded).encode(), heads.encode()))).digest()
        sets.insert(
            self._connection, audit_seal, ("number", "recorded", "heads", "digest"), [(number, recorded, heads, digest)]
        )
        return int(number)

    def verify(self) -> list[Break]:
        """Walk every chain and every seal; an empty answer says that nothing was changed, added or removed."""
        heads: dict[str, tuple[int, bytes]] = {}
        breaks: list[Break] = []
        digests = self._sealed(breaks)
        for row in self._rows():
            number, head = heads.get(row.chain, (0, GENESIS))
            if row.number != number + 1:
                breaks.append(Break(row.chain, number + 1, "a row is missing"))
            elif _digest(head, row.chain, row.number, to_micros(row.recorded), row.person, row.body) != row.digest:
                breaks.append(Break(row.chain, row.number, "the row or one before it was changed"))
            heads[row.chain] = (row.number, row.digest)
            sealed = digests.pop((row.chain, row.number), row.digest)
            if sealed != row.digest:
                breaks.append(Break(row.chain, row.number, "the row is not the one that was sealed"))
        breaks += [Break(chain, number, "a sealed row is missing") for chain, number in digests]
        return breaks

    def _heads(self) -> Iterator[tuple[str, int, bytes]]:
        last = select(audit.c.chain, func.max(audit.c.number).label("number")).group_by(audit.c.chain).subquery()
        query = select(audit.c.chain, audit.c.number, audit.c.digest).join(
            last, (last.c.chain == audit.c.chain) & (last.c.number == audit.c.number)
        )
        yield from (tuple(row) for row in self._connection.execute(query.order_by(audit.c.chain)))

    def _rows(self) -> Iterator[Any]:
        columns = (audit.c[name] for name in _COLUMNS)
        query = select(*columns).order_by(audit.c.chain, audit.c.number).execution_options(yield_per=1000)
        yield from self._connection.execute(query)

    def _sealed(self, breaks: list[Break]) -> dict[tuple[str, int], bytes]:
        """What the seals say the digest of a row is; the seals' own chain is walked on the way."""
        digests: dict[tuple[str, int], bytes] = {}
        before, expected = GENESIS, 1
        for seal in self._connection.execute(select(audit_seal).order_by(audit_seal.c.number)):
            parts = (before, str(seal.number).encode(), str(to_micros(seal.recorded)).encode(), seal.heads.encode())
            if seal.number != expected or sha256(b"\n".join(parts)).digest() != seal.digest:
                breaks.append(Break("seals", seal.number, "the seal or one before it was changed or removed"))
            before, expected = seal.digest, seal.number + 1
            for chain, (number, digest) in parse(seal.heads.encode()).items():
                digests[chain, number] = bytes.fromhex(digest)
        return digests


def _digest(before: bytes, chain: str, number: int, recorded: int, person: str | None, body: bytes) -> bytes:
    row = f"{chain}\n{number}\n{recorded}\n{'' if person is None else '=' + person}\n".encode()
    return sha256(before + row + body).digest()
