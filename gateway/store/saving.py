"""One save of many resources: what changed gets a version, its bytes, its search rows and its place in the change log.

https://hl7.org/fhir/R4/http.html#versioning
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, Table, and_, bindparam, func, select, update

from gateway.fhir.json import dump
from gateway.frozen import dataclass
from gateway.keysets import among
from gateway.records import Resource
from gateway.store import few, sets
from gateway.store.bodies import Content, content
from gateway.store.changes import Changes
from gateway.store.numbers import GO_ON, Numbers
from gateway.store.replacing import Replaced, search_tables, take_away
from gateway.store.versions import FIELDS, Stored
from gateway.tables import (
    contributor,
    from_micros,
    locator,
    partition_key,
    resource,
    resource_version,
    rid,
    search_text,
    search_text_words,
    to_micros,
)

Key = tuple[str, str]
"""Resource type and id."""
Method = Literal["POST", "PUT", "PATCH", "DELETE"]
IndexRows = Mapping[str, Sequence[tuple[Any, ...]]]
"""Search table to its rows: each a tuple of the table's columns after `partition` and `rid`."""
Index = Callable[[Resource], IndexRows]

_BYTES: Final = 8
"""Of the name of a version."""
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedResource:
    """What to save under a type and an id. Without a resource: it is deleted.

    `organisation` is set where a caller with an organisation wrote it: coordination rules bind that resource.
    """

    resource_type: str
    id: str
    resource: Resource | None
    person: str | None = None
    contributors: Collection[str] = ()
    contradictions: Sequence[Mapping[str, Any]] = ()
    organisation: str | None = None
    method: Method | None = None
    version: str | None = None
    """The name of the version, if one is made; without it, a name that nobody can guess."""

    @property
    def key(self) -> Key:
        return self.resource_type, self.id


@dataclass(frozen=True, slots=True)
class Saved:
    """What is stored now, and whether this save did it: unchanged content makes no version.

    The version is empty where what never was should have been deleted.
    """

    resource_type: str
    id: str
    version: str
    last_updated: datetime
    body: bytes
    created: bool
    changed: bool


def save(
    connection: Connection,
    now: datetime,
    index: Index,
    numbers: Numbers,
    given: Iterable[SavedResource],
    unheard: Collection[Key] = (),
) -> list[Saved]:
    """What becomes of each, in the order given; of one key the last one counts. Nothing is stored of the `unheard`."""
    wanted = {one.key: one for one in given}
    before = _before(connection, wanted.keys() - unheard if unheard else wanted)
    new = [one for key, one in wanted.items() if key not in before and one.resource is not None]
    if new:
        before |= _locate(connection, numbers, new, unheard)
    steps = [_Step(one, before.get(key, _NOTHING)) for key, one in wanted.items()]
    changed = [step for step in steps if step.changed]
    time = _time(now, changed)
    for step, version in zip(changed, _versions(len(changed)), strict=True):
        step.version, step.last_updated = step.wanted.version or version, time
    _move(connection, [step for step in steps if step.moved])
    take_away(connection, _replaced(steps), time)
    sets.insert_later(connection, _rows(connection, index, steps))
    return [step.saved() for step in steps]


class _Before(NamedTuple):
    """What is stored; without a version nothing is, and with a rid it has a place all the same."""

    rid: int = 0
    partition: int = 0
    version: str | None = None
    last_updated: datetime | None = None
    deleted: bool | None = None
    digest: bytes | None = None
    person: str | None = None
    contributors: str | None = None
    contradictions: str | None = None
    organisation: str | None = None


_NOTHING = _Before()


class _Step:
    """One resource on its way: what was, what is to be, and what differs."""

    def __init__(self, wanted: SavedResource, before: _Before) -> None:
        self.wanted, self.before = wanted, before
        self.content: Content | None = None if wanted.resource is None else content(wanted.resource)
        self.digest = b"" if self.content is None else self.content.digest
        self.partition = partition_key(wanted.person, wanted.id)
        self.contributors = orjson.dumps(sorted(set(wanted.contributors))).decode()
        self.contradictions = dump(list(wanted.contradictions)).decode() if wanted.contradictions else "[]"
        self.version = before.version or ""
        self.last_updated = before.last_updated or _NEVER
        self.changed = before.digest != self.digest and not (before.version is None and self.content is None)
        self.exists = self.changed or before.version is not None

    @property
    def about_changed(self) -> bool:
        """Something beside the content differs: no new version, and still to be written."""
        now = (self.wanted.person, self.contributors, self.contradictions, self.wanted.organisation)
        return self.exists and now != self.before[6:]

    @property
    def moved(self) -> bool:
        return self.exists and self.before.rid != 0 and self.partition != self.before.partition

    @property
    def contributors_changed(self) -> bool:
        return self.exists and (self.moved or self.contributors != (self.before.contributors or "[]"))

    @property
    def created(self) -> bool:
        return self.content is not None and self.before.deleted is not False

    @property
    def method(self) -> str:
        return self.wanted.method or ("DELETE" if self.content is None else "POST" if self.created else "PUT")

    @cached_property
    def body(self) -> bytes:
        if self.content is None:
            return b""
        one = self.wanted
        return self.content.to_serve(one.resource_type, one.id, version=self.version, last_updated=self.last_updated)

    def row(self) -> sets.Row:
        one = self.wanted
        return (
            *(self.partition, self.before.rid, one.resource_type, one.id, self.version, _micros(self.last_updated)),
            *(self.method, self.content is None, self.digest, one.person),
            *(self.contributors, self.contradictions, one.organisation, self.body),
        )

    def change(self) -> sets.Row:
        one, recorded = self.wanted, _micros(self.last_updated)
        return (self.before.rid, one.resource_type, one.id, self.version, self.method, one.person, recorded)

    def saved(self) -> Saved:
        one, created = self.wanted, self.changed and self.created
        return Saved(one.resource_type, one.id, self.version, self.last_updated, self.body, created, self.changed)


_NEVER = datetime.fromtimestamp(0, UTC)

_BEFORE = (
    select(
        locator.c.resource_type,
        locator.c.id,
        locator.c.rid,
        locator.c.partition,
        *(resource.c[name] for name in _Before._fields[2:]),
    )
    .outerjoin(resource, and_(resource.c.rid == locator.c.rid, resource.c.partition == locator.c.partition))
    .where(among(locator.c.id, "ids"))
)
_LAST_RID = select(func.max(locator.c.rid))
_PLACE = ("id", "resource_type", "partition")
_NUMBERED = few.Numbered("rid", rid.name)


def _before(connection: Connection, keys: Collection[Key]) -> dict[Key, _Before]:
    rows = sets.fetch(connection, _BEFORE, sorted({id for _, id in keys})) if keys else ()
    return {(row[0], row[1]): _stored_before(*row[2:]) for row in rows if (row[0], row[1]) in keys}


def _stored_before(
    rid: int, partition: int, version: str | None, last_updated: int | None, deleted: int | None, *more: Any
) -> _Before:
    """What is stored, from a row as the driver gives it; without a version there is a place only."""
    if last_updated is None:
        return _Before(rid, partition)
    return _Before(rid, partition, version, from_micros(last_updated), bool(deleted), *more)


def _locate(
    connection: Connection, numbers: Numbers, new: Sequence[SavedResource], unheard: Collection[Key]
) -> dict[Key, _Before]:
    """Give new ones a place. Where another process did meanwhile, what it saved is before ours."""
    if connection.dialect.name == "sqlite":
        rows = [_place(one) for one in sorted(new, key=_key)]
        last = int(connection.scalar(_LAST_RID) or 0)
        return _placed(connection, range(last + 1, last + 1 + len(rows)), rows)
    ours = [one for one in new if one.key in unheard]  # Nobody else can give these a place.
    others = sorted((one for one in new if one.key not in unheard), key=_key) if len(ours) < len(new) else []
    found = _placed(connection, numbers.take(connection, len(ours)), [_place(one) for one in ours])
    while others:
        numbered = sets.insert_numbered(connection, locator, _NUMBERED, _PLACE, [_place(one) for one in others])
        found |= {(kind, id): _Before(number, partition) for number, id, kind, partition in numbered}
        if others := [one for one in others if one.key not in found]:
            found |= _before(connection, {one.key for one in others})
            if others := [one for one in others if one.key not in found]:  # They met numbers that are taken.
                sets.run(connection, GO_ON)
    return found


def _placed(connection: Connection, numbers: Iterable[int], rows: Sequence[sets.Row]) -> dict[Key, _Before]:
    """Those that have places of these numbers from now on."""
    numbered = [(number, *row) for number, row in zip(numbers, rows, strict=True)]
    sets.insert_later(connection, [sets.Rows(locator, ("rid", *_PLACE), numbered)])
    return {(kind, id): _Before(number, partition) for number, id, kind, partition in numbered}


def _place(one: SavedResource) -> tuple[str, str, int]:
    return one.id, one.resource_type, partition_key(one.person, one.id)


_key = attrgetter("key")


def _versions(count: int) -> Iterator[str]:
    """So many names of versions, drawn together: to ask the system for each costs more than to make it."""
    drawn = secrets.token_hex(_BYTES * count)
    return (drawn[at : at + 2 * _BYTES] for at in range(0, len(drawn), 2 * _BYTES))


_micros = lru_cache(maxsize=64)(to_micros)


def _time(now: datetime, changed: Iterable[_Step]) -> datetime:
    """Now in milliseconds, as instants are served; later than what it replaces, whatever the clock says."""
    now = now.astimezone(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return max([now, *(step.last_updated + MILLISECOND for step in changed)])


def _move(connection: Connection, moved: Sequence[_Step]) -> None:
    """Let everything about a resource lie with its person's."""
    if not moved:
        return
    places = [{"place": step.before.rid, "to": step.partition} for step in moved]
    for table in (locator, resource, resource_version, *search_tables()):
        statement = update(table).where(table.c.rid == bindparam("place")).values(partition=bindparam("to"))
        connection.execute(statement, places)


def _replaced(steps: Sequence[_Step]) -> Replaced:
    """What is there of them that is not to stay."""
    there = [step for step in steps if step.before.version is not None]
    return Replaced(
        rids=[step.before.rid for step in there if step.changed or step.about_changed],
        archived=[step.before.rid for step in there if step.changed],
        contributors=[step.before.rid for step in steps if step.contributors_changed and step.before.contributors],
        indexed=[step.before.rid for step in there if step.changed and not step.before.deleted],
    )


def _rows(connection: Connection, index: Index, steps: Sequence[_Step]) -> list[sets.Rows]:
    """All that is written of them."""
    changed = [step for step in steps if step.changed]
    indexed = [
        (step.partition, step.before.rid, step.wanted.resource) for step in changed if step.wanted.resource is not None
    ]
    contributors = [
        (step.partition, step.before.rid, source)
        for step in steps
        if step.contributors_changed
        for source in set(step.wanted.contributors)
    ]
    return [
        sets.Rows(resource, FIELDS, [step.row() for step in steps if step.changed or step.about_changed]),
        sets.Rows(contributor, ("partition", "rid", "source"), contributors),
        *search_rows(connection, index, indexed),
        Changes(connection).rows([step.change() for step in changed]),
    ]


def reindex(connection: Connection, now: datetime, index: Index, found: Sequence[Stored]) -> None:
    """Write the search rows of current versions anew. Callers hold their locks, as for a save."""
    indexed = [(one.partition, one.rid, one.resource()) for one in found if not one.deleted]
    take_away(connection, Replaced(indexed=[one.rid for one in found]), now)
    sets.insert_all(connection, search_rows(connection, index, indexed))


def search_rows(
    connection: Connection, index: Index, indexed: Sequence[tuple[int, int, Resource]]
) -> Iterator[sets.Rows]:
    """The rows that find resources (partition, rid, content)."""
    rows: dict[str, list[sets.Row]] = {}
    for *where, body in indexed:
        place = tuple(where)
        for name, found in index(body).items():
            rows.setdefault(name, []).extend([place + row for row in found])
    for table, columns in _SEARCH:
        yield sets.Rows(table, columns, rows.get(table.name, ()))
    if connection.dialect.name == "sqlite":
        entries = [(place * 2 + edge, words) for _, place, _, _, words, edge in rows.get(search_text.name, ())]
        yield sets.Rows(search_text_words, ("rowid", "words"), entries)


def _columns(table: Table) -> tuple[str, ...]:
    return ("partition", "rid", *(one.name for one in table.c if one.name not in ("partition", "rid")))


_SEARCH = [(table, _columns(table)) for table in search_tables()]
