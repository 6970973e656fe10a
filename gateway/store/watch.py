"""When each person is to be looked at next for what is missing: rows that outlive the process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from gateway.keysets import among
from gateway.store import sets
from gateway.store.holding import holds
from gateway.tables import (
    bearing,
    contributor,
    from_micros,
    resource,
    resource_version,
    statement,
    to_micros,
    watch,
)

_NEXT = select(func.min(watch.c.due))
_DUE = select(watch.c.person).where(watch.c.due <= bindparam("now", type_=watch.c.due.type)).limit(bindparam("limit"))
_OLDEST, _LATEST = _DUE.order_by(watch.c.due, watch.c.person), _DUE.order_by(watch.c.due.desc(), watch.c.person.desc())
_WHEN = select(watch.c.person, watch.c.due).where(among(watch.c.person, "persons"))
_HOLDING = union_all(
    *(
        select(table.c.person).where(
            among(table.c.rid, "rids"), table.c.person.is_not(None), holds(table.c.body, "text")
        )
        for table in (resource, resource_version)
    )
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A current version about a person. `alone`: no statement about it is about anybody else."""

    resource_type: str
    id: str
    deleted: bool
    contributors: tuple[str, ...]
    contradicted: bool
    alone: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What there is of statements about a person: of how many things, and the last times that they name."""

    things: int
    effective: datetime | None
    recorded: datetime | None
    withheld: bool
    """Whether any of all that is said of him holds the label."""
    own: frozenset[str]
    """The types of which the one source has spoken that is asked about."""


def _bears(table: Table, id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a thing was not over by the time that is given, or belongs to another's need.

    Asked of each row, by a value: of EXISTS, PostgreSQL would read all that is over of anybody.
    """
    over = select(bearing.c.until).where(*_about(table, id), bearing.c.person == table.c.person)
    return (
        over.where(bearing.c.until < bindparam("since", type_=bearing.c.until.type), bearing.c.known_by.is_(None))
        .scalar_subquery()
        .is_(None)
    )


def _about(table: Table, id: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
    return bearing.c.resource_id == id, bearing.c.resource_type == table.c.resource_type


def _kept() -> Select[Any]:
    """Parameters: persons, resource types, since when."""
    of_another = exists().where(*_about(resource, resource.c.id), bearing.c.person != resource.c.person)
    names = ("person", "resource_type", "id", "deleted", "contributors", "contradictions", "body")
    query: Select[Any] = select(*(resource.c[name] for name in names), of_another)
    query = query.where(among(resource.c.person, "persons"), among(resource.c.resource_type, "types"))
    return query.where(_bears(resource, resource.c.id)).order_by(resource.c.resource_type, resource.c.id)


def _said() -> Select[Any]:
    """Parameters: types, since when, types, types, label, source, source, persons."""
    said = statement.c
    wanted = among(said.resource_type, "types")
    thing = said.resource_type + literal_column("'/'", Text) + said.resource_id
    own = case((said.source == bindparam("source"), said.resource_type))
    query: Select[Any] = select(
        said.person,
        func.count(case((and_(wanted, _bears(statement, said.resource_id)), thing)).distinct()),
        func.max(case((wanted, said.effective))),
        func.max(case((wanted, said.recorded))),
        func.max(case((holds(said.body, "label"), literal_column("1", Integer)), else_=literal_column("0", Integer))),
        func.min(own),
        func.max(own),
    )
    return query.where(among(said.person, "persons")).group_by(said.person)


_KEPT, _SAID = _kept(), _said()


_TEXTS = 200
"""For so many is looked at once."""


class Watch:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def expect(self, dues: Mapping[str, datetime | None]) -> None:
        """Look at these persons (keys) at those times, and not before; at None no more."""
        if not dues:
            return
        self._connection.execute(watch.delete().where(among(watch.c.person, sorted(dues))))
        rows = [(person, to_micros(due)) for person, due in sorted(dues.items()) if due is not None]
        sets.insert_missing(self._connection, watch, ("person", "due"), rows)

    def due(self, now: datetime, *, limit: int, without: Collection[str] = ()) -> list[str]:
        """Persons whose time has come: half of them the longest overdue, half of them those whose time came last.

        So a great many who are due at once keep nobody else waiting. `without` whom the caller has in hand.
        """
        half = limit - limit // 2
        found = self._due(_OLDEST, now, half, without)
        if len(found) == half:
            found += self._due(_LATEST, now, limit - half, {*without, *found})
        return found

    def _due(self, query: Select[Any], now: datetime, limit: int, without: Collection[str]) -> list[str]:
        found = self._connection.scalars(query, {"now": now, "limit": limit + len(without)})
        return [one for one in found if one not in without][:limit]

    def next(self) -> datetime | None:
        """When the first of all is to be looked at."""
        ((due,),) = sets.fetch(self._connection, _NEXT)
        return None if due is None else from_micros(due)

    def of(self, persons: Collection[str]) -> dict[str, datetime]:
        """When these are to be looked at."""
        rows = sets.fetch(self._connection, _WHEN, persons) if persons else ()
        return {person: from_micros(due) for person, due in rows}

    def of_source(self, source: str, after: int, *, limit: int) -> tuple[set[str], int | None]:
        """Persons of whom a source has stated something that is there: a page, and after what the next one is."""
        rows = contributor.c
        query = select(rows.rid, resource.c.person)
        query = query.join(resource, (resource.c.rid == rows.rid) & (resource.c.partition == rows.partition))
        query = query.where(rows.source == source, rows.rid > after).order_by(rows.rid).limit(limit)
        found = self._connection.execute(query).all()
        return {person for _, person in found if person}, found[-1][0] if len(found) == limit else None

    def holding(self, rids: Collection[int], text: bytes) -> set[str]:
        """The persons of those rows whose current or former content holds the text."""
        rows = sets.fetch(self._connection, _HOLDING, rids, text, rids, text) if rids else ()
        return {person for (person,) in rows}

    def about_nobody(self, resource_type: str, texts: Collection[str]) -> set[str]:
        """The ids of what is about no person, of that type, and holds one of these texts. There is little of it."""
        found: set[str] = set()
        given = sorted(texts)
        for start in range(0, len(given), _TEXTS):
            held = or_(*(holds(resource.c.body, text.encode()) for text in given[start : start + _TEXTS]))
            query = select(resource.c.id).where(resource.c.person.is_(None), resource.c.resource_type == resource_type)
            found |= set(self._connection.scalars(query.where(resource.c.deleted.is_(False), held)))
        return found

    def kept(
        self, persons: Collection[str], resource_types: Collection[str], *, since: datetime
    ) -> dict[str, list[Kept]]:
        """The current versions about each of these persons, of such types; deleted ones, too.

        Without what was over by `since` and is no other's need.
        """
        rows = sets.fetch(self._connection, _KEPT, sorted(persons), sorted(resource_types), to_micros(since))
        found: dict[str, list[Kept]] = defaultdict(list)
        for person, kind, id, deleted, sources, contradictions, body, shared in rows:
            contributors = tuple(orjson.loads(sources))
            found[person].append(
                Kept(kind, id, bool(deleted), contributors, contradictions != "[]", not shared, bytes(body))
            )
        return found

    def said(
        self, persons: Collection[str], resource_types: Collection[str], source: str, label: bytes, *, since: datetime
    ) -> dict[str, Said]:
        """What is said of each of these persons about such things, but for what `kept` leaves out."""
        types, by = sorted(resource_types), to_micros(since)
        rows = sets.fetch(self._connection, _SAID, types, by, types, types, label, source, source, sorted(persons))
        return {
            person: Said(things, _time(effective), _time(recorded), bool(withheld), frozenset(filter(None, own)))
            for person, things, effective, recorded, withheld, *own in rows
        }


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
