"""Statements: who said what, kept once each, and found by resource, person or record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, text

from gateway.fhir.json import dump, reread
from gateway.keysets import among
from gateway.records import Statement
from gateway.store import sets
from gateway.store.holding import holds
from gateway.tables import Instant, bearing, from_micros, statement, to_micros

_FIELDS = tuple(Statement.__dataclass_fields__)
_VALUES = attrgetter(*_FIELDS)
_BODY = _FIELDS.index("body")
_EFFECTIVE, _RECORDED = _FIELDS.index("effective"), _FIELDS.index("recorded")
_FEW = 32
"""So many are handed to PostgreSQL without asking first which are there."""
_ALL = select(*(statement.c[name] for name in _FIELDS))
_DIGESTS = select(statement.c.digest).where(among(statement.c.digest, "digests"))
_OF_RESOURCES = _ALL.where(among(statement.c.resource_id, "ids"), ~among(statement.c.digest, "without")).order_by(
    statement.c.number
)
_COUNTS = (
    select(statement.c.record_key, func.count())
    .where(statement.c.source == bindparam("source"), among(statement.c.record_key, "keys"))
    .group_by(statement.c.record_key)
)
_TIMES = (
    select(statement.c.record_key, statement.c.resource_id, statement.c.provider, statement.c.effective)
    .where(statement.c.source == bindparam("source"), among(statement.c.record_key, "keys"))
    .where(text("statement.kind = 'assert'"), statement.c.effective >= bindparam("since", type_=Instant()))
)
_LAST = (
    select(statement.c.resource_type, statement.c.resource_id, func.max(statement.c.effective))
    .where(among(statement.c.resource_id, "ids"))
    .group_by(statement.c.resource_type, statement.c.resource_id)
)


class Statements:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, statements: Sequence[Statement], unheard: Collection[tuple[str, str]] = ()) -> set[str]:
        """Keep what is new; return the digests of that. What was said before, in the same words, is one statement.

        Of the `unheard` (resource type, id) nothing was said before.
        """
        given = {one.digest: one for one in statements}
        first = {digest: one for digest, one in given.items() if (one.resource_type, one.resource_id) in unheard}
        sets.insert_later(self._connection, [sets.Rows(statement, _FIELDS, [_out(one) for one in first.values()])])
        others = {digest: one for digest, one in given.items() if digest not in first}
        return first.keys() | self._add(others) if others else set(first)

    def _add(self, given: Mapping[str, Statement]) -> set[str]:
        if len(given) <= _FEW and self._connection.dialect.name == "postgresql":  # It passes over those that it has.
            rows = [_out(given[digest]) for digest in sorted(given)]
            return sets.insert_new(self._connection, statement, _FIELDS, rows)
        # Most of what a message mentions was said long ago: only what is new is written out.
        new = given.keys() - {row[0] for row in sets.fetch(self._connection, _DIGESTS, sorted(given))}
        return sets.insert_new(self._connection, statement, _FIELDS, [_out(given[digest]) for digest in sorted(new)])

    def get(self, digests: Collection[str]) -> list[Statement]:
        return self._in(_ALL.where(among(statement.c.digest, digests)))

    def of_resources(
        self,
        resources: Collection[tuple[str, str]],
        *,
        without: Collection[Statement] = (),
        known_at: datetime | None = None,
    ) -> list[Statement]:
        """What is said of these (resource type, id), in order of recording; `known_at`: what was recorded by then.

        `without` what the caller has in hand.
        """
        wanted = set(resources)
        if not wanted:
            return []
        rows = sets.fetch(
            self._connection, _OF_RESOURCES, sorted({id for _, id in wanted}), [one.digest for one in without]
        )
        found = map(_plain, rows)
        return [
            said
            for said in found
            if (said.resource_type, said.resource_id) in wanted and (known_at is None or said.recorded <= known_at)
        ]

    def of_person(
        self,
        person: str,
        *,
        resource_types: Collection[str] = (),
        without_types: Collection[str] = (),
        known_at: datetime | None = None,
    ) -> list[Statement]:
        query = _of_person(bool(resource_types), len(without_types), known_at is not None)
        given: list[Collection[str] | str | int] = [resource_types] if resource_types else []
        given += [person, *(one for end in sorted(without_types) for one in (end, person, end))]
        if known_at is not None:
            given.append(to_micros(known_at))
        return [_plain(row) for row in sets.fetch(self._connection, query, *given)]

    def of_persons(
        self, persons: Collection[str], resource_types: Collection[str], *, holding: bytes, since: datetime
    ) -> list[Statement]:
        """What is said of these persons about such resources, and whatever else of them holds these bytes.

        Without what was over by `since` and is no other's need.
        """
        about = (bearing.c.resource_id == statement.c.resource_id, bearing.c.resource_type == statement.c.resource_type)
        over = exists().where(*about, bearing.c.person == statement.c.person)
        over = over.where(bearing.c.until < since, bearing.c.known_by.is_(None))
        query = _ALL.where(among(statement.c.person, sorted(persons)), ~over)
        wanted = or_(among(statement.c.resource_type, sorted(resource_types)), holds(statement.c.body, holding))
        return self._in(query.where(wanted))

    def about(self, persons: Collection[str], resource_type: str) -> list[Statement]:
        """What is said of these persons about resources of this type."""
        query = _ALL.where(among(statement.c.person, sorted(persons)), statement.c.resource_type == resource_type)
        return self._in(query)

    def ids_of(self, persons: Collection[str], resource_type: str) -> dict[str, str]:
        """The ids of the resources of this type that are said to be about these persons, each with the person."""
        query = select(statement.c.resource_id, statement.c.person).where(among(statement.c.person, sorted(persons)))
        found = self._connection.execute(query.where(statement.c.resource_type == resource_type).distinct())
        return {row[0]: row[1] for row in found}

    def things_of(self, person: str) -> set[tuple[str, str]]:
        """The (resource type, id) of everything that is said of a person."""
        query = select(statement.c.resource_type, statement.c.resource_id).where(statement.c.person == person)
        return {(kind, id) for kind, id in self._connection.execute(query.distinct())}

    def of_records(self, source: str, record_keys: Collection[str]) -> list[Statement]:
        """What a source has said of these records of its own."""
        return self._in(_ALL.where(statement.c.source == source, among(statement.c.record_key, record_keys)))

    def of_item(self, inbox_id: str, item: int) -> list[Statement]:
        """What came of one item of a message, by every map that read it."""
        return self.of_items(inbox_id, item, item)

    def of_items(self, inbox_id: str, first: int, last: int | None = None) -> list[Statement]:
        """What came of a message's items from one to another, or to the end."""
        query = _ALL.where(statement.c.inbox_id == inbox_id, statement.c.item >= first)
        return self._in(query if last is None else query.where(statement.c.item <= last))

    def resources(self, *, after: tuple[str, str] = ("", ""), limit: int = 1000) -> list[tuple[str, str]]:
        """The (resource type, id) of which anything is said, in order of id and type: a page to rebuild."""
        columns = (statement.c.resource_type, statement.c.resource_id)
        kind, id = after
        later = (statement.c.resource_id > id) | ((statement.c.resource_id == id) & (statement.c.resource_type > kind))
        query = select(*columns).distinct().where(later).order_by(columns[1], columns[0]).limit(limit)
        return [(found_kind, found_id) for found_kind, found_id in self._connection.execute(query)]

    def about_nobody(self, source: str, prefix: str) -> set[tuple[str, str]]:
        """Of what a source has said about no person, the records whose keys begin so, each with a resource's id."""
        key = statement.c.record_key
        query = select(key, statement.c.resource_id).where(statement.c.source == source, statement.c.person.is_(None))
        rows = self._connection.execute(query.where(key.startswith(prefix, autoescape=True)).distinct())
        return {(record, id) for record, id in rows}

    def counts_of(self, source: str, record_keys: Collection[str]) -> dict[str, int]:
        """How often a source has spoken of each of these records of its own."""
        return dict(sets.fetch(self._connection, _COUNTS, source, record_keys)) if record_keys else {}

    def times_said(
        self, source: str, record_keys: Collection[str], since: datetime
    ) -> list[tuple[tuple[str, str, str], datetime]]:
        """As of which times a source says something under these keys: key, id of the resource, and provider; time."""
        if not record_keys:
            return []
        rows = sets.fetch(self._connection, _TIMES, source, sorted(record_keys), to_micros(since))
        return [((key, id, provider), from_micros(time)) for key, id, provider, time in rows]

    def last_of(self, resources: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
        """The latest source time of what is said of each of these (resource type, id)."""
        rows = sets.fetch(self._connection, _LAST, sorted({id for _, id in resources})) if resources else ()
        return {(kind, id): from_micros(last) for kind, id, last in rows}

    def count(self) -> int:
        return int(self._connection.scalar(select(func.count()).select_from(statement)) or 0)

    def all(self, *, batch: int = 1000) -> Iterator[Statement]:
        """Every statement, in order of recording."""
        number = 0
        while True:
            query = _ALL.add_columns(statement.c.number).where(statement.c.number > number)
            rows = self._connection.execute(query.order_by(statement.c.number).limit(batch)).all()
            yield from map(_in, rows)
            if len(rows) < batch:
                return
            number = rows[-1].number

    def _in(self, query: Select[Any]) -> list[Statement]:
        return [_in(row) for row in self._connection.execute(query.order_by(statement.c.number)).all()]


@cache
def _of_person(only: bool, but: int, known: bool) -> Select[Any]:
    """What is said of a person: of some types only, of all but so many, by what was recorded by then.

    All but some are the ranges between them, each with the person: so SQLite sees that an index has them. Of those
    that are left out there may be thousands.
    """
    kind, mine = statement.c.resource_type, statement.c.person == bindparam("given")
    query = _ALL.where(among(kind, "only")) if only else _ALL
    if but:
        below = [kind < bindparam(f"below{place}") for place in range(but)]
        above = [kind > bindparam(f"above{place}") for place in range(but)]
        between = [and_(mine, above[place], below[place + 1]) for place in range(but - 1)]
        query = query.where(or_(and_(mine, below[0]), *between, and_(mine, above[-1])))
    else:
        query = query.where(mine)
    if known:
        query = query.where(statement.c.recorded <= bindparam("known_at", type_=Instant()))
    return query.order_by(statement.c.number)


def _out(said: Statement) -> tuple[Any, ...]:
    row = list(_VALUES(said))
    row[_EFFECTIVE], row[_RECORDED] = to_micros(said.effective), to_micros(said.recorded)
    row[_BODY] = dump(said.body)
    return tuple(row)


def _plain(row: Any) -> Statement:
    """A statement as the driver gives its row."""
    fields = list(row)
    for place in (_EFFECTIVE, _RECORDED):
        fields[place] = from_micros(fields[place])
    return _in(fields)


def _in(row: Any) -> Statement:
    fields = list(row[: len(_FIELDS)])
    fields[_BODY] = reread(fields[_BODY])
    return Statement(*fields)
