"""Until when each Task and Encounter bears on who does what: what is long over is not read for an answer.

Derived from the statements and the links (`coordination/over.py`), written with them, proved by `samverka rebuild`. Of
what is over the names are left: who spoke of it, whom he named, and by what others of its need know it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import blake2b

import orjson
from sqlalchemy import Connection, bindparam, or_, select

from gateway.frozen import dataclass
from gateway.keysets import among
from gateway.store import sets
from gateway.tables import Instant, bearing, from_micros, naming, to_micros

Key = tuple[str, str, str]
"""Resource type, system and value."""
Thing = tuple[str, str]
"""Resource type and id."""
_Row = tuple[str, str, str, int | None, int, int | None, str | None]
_MINE = bearing.c.person == bindparam("given")
_SINCE, _KNOWN_AT = bindparam("since", type_=Instant()), bindparam("known_at", type_=Instant())
_AFTER = select(bearing.c.resource_type, bearing.c.resource_id, bearing.c.recorded).where(
    _MINE, or_(bearing.c.until.is_(None), bearing.c.until >= _SINCE, bearing.c.recorded > _KNOWN_AT)
)
_KNOWN_BY = select(bearing.c.resource_type, bearing.c.resource_id, bearing.c.known_by).where(
    _MINE, bearing.c.known_by.is_not(None)
)
_OVER = select(bearing.c.naming).where(
    _MINE,
    bearing.c.until < _SINCE,
    bearing.c.recorded <= _KNOWN_AT,
    ~among(bearing.c.resource_id, "without"),
)
_NAMED = select(naming.c.source, naming.c.named).where(
    naming.c.person == bindparam("given"), naming.c.number.in_(_OVER)
)
_COLUMNS = ("resource_id", "resource_type", "person", "until", "recorded", "naming", "known_by")
_OF = select(*(bearing.c[name] for name in _COLUMNS)).where(among(bearing.c.resource_id, "ids"))


@dataclass(frozen=True, slots=True)
class Bearing:
    """One Task or Encounter of a person, as the statements about it tell."""

    resource_type: str
    resource_id: str
    person: str
    recorded: datetime
    """The last of its statements."""
    until: datetime | None = None
    """Who asks about a later time need not know of it; None: it may always matter."""
    source: str = ""
    named: tuple[Key, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What is left of things that are over: a source that spoke of them, and whom he named."""

    source: str
    keys: tuple[Key, ...]


class Bearings:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, bearings: Iterable[Bearing]) -> None:
        """What holds for these things from now on. Most often it is what held before."""
        given = {(one.resource_id, one.resource_type, one.person): one for one in bearings}
        if not given:
            return
        names = {key: _naming(one) for key, one in given.items() if one.until is not None}
        rows = {key: _row(one, names.get(key)) for key, one in given.items()}
        found = self._rows({id for id, _, _ in rows})
        changed = {key for key, row in rows.items() if found.get(key) != row}
        ids = sorted({id for id, _, _ in changed & found.keys()})
        if ids:
            self._connection.execute(bearing.delete().where(among(bearing.c.resource_id, ids)))
            changed |= {key for key in found if key[0] in set(ids)}
        every = found | rows
        sets.insert_missing(self._connection, bearing, _COLUMNS, [every[key] for key in sorted(changed)])
        new = sorted({names[key] for key in changed & names.keys()})
        sets.insert_missing(self._connection, naming, ("person", "number", "source", "named"), new)

    def stale(self, bearings: Iterable[Bearing]) -> list[Thing]:
        """Those of which something else is kept; that it may always matter is right of all."""
        given = {(one.resource_id, one.resource_type, one.person): one for one in bearings}
        found = self._rows({id for id, _, _ in given})
        wrong = []
        for key, one in given.items():
            row = found.get(key)
            if row is None or (row[3] is not None and row != _row(one, _naming(one))):
                wrong.append((one.resource_type, one.resource_id))
        return wrong

    def after(self, person: str, *, since: datetime, known_at: datetime) -> dict[Thing, datetime]:
        """The person's things but those that were over by `since`, by all that is known of them by then.

        Each with when the last was said of it.
        """
        rows = sets.fetch(self._connection, _AFTER, person, to_micros(since), to_micros(known_at))
        return {(kind, id): from_micros(recorded) for kind, id, recorded in rows}

    def keys_of_past(self, person: str) -> dict[Thing, list[str]]:
        """By what others of their need know the person's things that have an end."""
        rows = sets.fetch(self._connection, _KNOWN_BY, person)
        every = orjson.loads(f"[{','.join(keys for _, _, keys in rows)}]")
        return {(kind, id): keys for (kind, id, _), keys in zip(rows, every, strict=True)}

    def named_in_past(
        self, person: str, *, since: datetime, known_at: datetime, without: Collection[str] = ()
    ) -> list[Named]:
        """Who spoke of what was over by `since`, of all that was known of it, and whom they named.

        `without` the ids of what is read nevertheless.
        """
        times = to_micros(since), to_micros(known_at)
        rows = sets.fetch(self._connection, _NAMED, person, person, *times, sorted(without))
        return [
            Named(source, tuple((kind, system, value) for kind, system, value in orjson.loads(named)))
            for source, named in rows
        ]

    def _rows(self, ids: Collection[str]) -> dict[tuple[str, str, str], _Row]:
        rows = sets.fetch(self._connection, _OF, sorted(ids)) if ids else ()
        return {row[:3]: row for row in map(tuple, rows)}


def _row(one: Bearing, named: tuple[str, int, str, str] | None) -> _Row:
    """The row of what has an end with the number of whom it `named`; of what has none without."""
    key = (one.resource_id, one.resource_type, one.person)
    if one.until is None or named is None:
        return *key, None, to_micros(one.recorded), None, None
    keys = orjson.dumps(one.keys).decode() if one.keys else None
    return *key, to_micros(one.until), to_micros(one.recorded), named[1], keys


def _naming(one: Bearing) -> tuple[str, int, str, str]:
    named = orjson.dumps(one.named).decode()
    hashed = blake2b(f"{one.source}|{named}".encode(), digest_size=8).digest()
    return one.person, int.from_bytes(hashed, "big", signed=True), one.source, named
