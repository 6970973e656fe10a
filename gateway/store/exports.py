"""Bulk exports: which versions each holds, settled by one statement, and their bytes as they are fetched.

Nothing is copied: a version that is kept never changes, so a list of versions is a consistent cut for ever.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from gateway.keysets import among
from gateway.search.criteria import matching
from gateway.search.query import Query
from gateway.store import sets
from gateway.store.narrowing import Narrowing
from gateway.store.versions import FIELDS, Stored, stored
from gateway.tables import export, export_item, job, resource, resource_version, search_date, search_reference

_CUT = (resource.c.resource_type, resource.c.deleted, resource.c.partition, resource.c.rid, resource.c.version)


Place = tuple[str, bool, int, int, str]
"""What an export holds: type, whether deleted, number within these, row and version."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an export: of one type, what is there or what was deleted; `part` from 0, each of so many places."""

    resource_type: str
    deleted: bool
    part: int
    count: int
    lines: int | None = None
    """None of an export that was settled before this was kept."""


@dataclass(frozen=True, slots=True)
class Export:
    """One export. `files` is None until it is settled what it holds."""

    id: str
    owner: str
    request: Mapping[str, Any]
    created: datetime
    job: int
    settled: datetime | None = None
    files: tuple[File, ...] | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """What comes with what an export holds, because it refers to it: of this type, by a reference parameter.

    `time` is the date parameter by which only the latest of those that refer to one resource comes; None: all come.
    """

    type: str
    target: int
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """What an export holds: what these searches find, and of what was deleted `since` and before `until` these types.

    `persons` (None: everybody's and nobody's) limits all of it but what lies `behind` it; so does what the caller sees.
    """

    queries: Sequence[Query]
    visible: Narrowing | None = None
    persons: Collection[str] | None = None
    since: datetime | None = None
    gone: Collection[str] = ()
    of_persons: bool = False
    """Whether only what is about persons counts of what was deleted."""
    until: datetime | None = None
    behind: Behind | None = None

    def select(self) -> list[Select[Any]]:
        """Selects of which no two find the same."""
        found = [*self._found(*_CUT), *self._gone()]
        return found if self.behind is None else [*found, self._behind(self.behind)]

    def _found(self, *columns: ColumnElement[Any]) -> list[Select[Any]]:
        found = [matching(one.types, one.criteria, select(*columns), self._seen) for one in self.queries]
        return [self._of_persons(one) for one in found]

    def _gone(self) -> list[Select[Any]]:
        seen = self._seen
        found = []
        if self.since is not None and self.gone:
            deleted = select(*_CUT).where(
                resource.c.deleted, resource.c.last_updated >= self.since, among(resource.c.resource_type, self.gone)
            )
            if self.until is not None:
                deleted = deleted.where(resource.c.last_updated < self.until)
            if self.of_persons:
                deleted = deleted.where(resource.c.person.is_not(None))
            found.append(self._of_persons(deleted if seen is None else deleted.where(seen)))
        return found

    def _behind(self, behind: Behind) -> Select[Any]:
        """What refers to what is found, where it is not found itself."""
        held = union_all(*self._found(resource.c.resource_type, resource.c.id)).subquery()
        refers = search_reference.c
        leading = (
            select(resource.c.rid, refers.target_type, refers.target_id)
            .join(search_reference, (refers.rid == resource.c.rid) & (refers.param == behind.target))
            .join(held, (held.c.resource_type == refers.target_type) & (held.c.id == refers.target_id))
            .where(resource.c.resource_type == behind.type, ~resource.c.deleted, refers.target_type != behind.type)
        )
        if (seen := self._seen) is not None:
            leading = leading.where(seen)
        if behind.time is None:
            rids = select(leading.subquery().c.rid)
        else:
            times = search_date.c
            latest = func.row_number().over(
                partition_by=(refers.target_type, refers.target_id),
                order_by=(times.low.desc().nulls_last(), resource.c.rid.desc()),
            )
            dated = leading.outerjoin(search_date, (times.rid == resource.c.rid) & (times.param == behind.time))
            ranked = dated.add_columns(latest.label("place")).subquery()
            rids = select(ranked.c.rid).where(ranked.c.place == 1)
        own = [one.where(resource.c.resource_type == behind.type) for one in self._found(resource.c.rid)]
        return select(*_CUT).where(resource.c.rid.in_(rids), resource.c.rid.not_in(union_all(*own)))

    def _of_persons(self, found: Select[Any]) -> Select[Any]:
        return found if self.persons is None else found.where(among(resource.c.person, sorted(self.persons)))

    @property
    def _seen(self) -> ColumnElement[bool] | None:
        return None if self.visible is None else self.visible.test()


_ITEM = ("export", "resource_type", "deleted", "seq", "rid", "version")


class Exports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, one: Export) -> None:
        row = {"id": one.id, "owner": one.owner, "created": one.created, "job": one.job}
        self._connection.execute(insert(export).values(row | {"request": orjson.dumps(dict(one.request)).decode()}))

    def get(self, id: str) -> Export | None:
        query = select(*(export.c[name] for name in Export.__dataclass_fields__)).where(export.c.id == id)
        row = self._connection.execute(query).first()
        if row is None:
            return None
        files = None if row.files is None else tuple(File(**one) for one in orjson.loads(row.files))
        return Export(**row._asdict() | {"request": orjson.loads(row.request), "files": files})

    def waiting(self, owner: str) -> int:
        """How many of one caller's are not settled yet, and still may be."""
        failed = exists().where(job.c.number == export.c.job, job.c.state == "failed")
        query = select(func.count()).where(export.c.owner == owner, export.c.files.is_(None), ~failed)
        return int(self._connection.scalar(query) or 0)

    def begin(self, id: str, settled: datetime) -> None:
        """Of which time it will be."""
        self._connection.execute(update(export).where(export.c.id == id).values(settled=settled))

    def mine(self, id: str, settled: datetime) -> bool:
        """Whether it is still to be settled as of this time; if so nobody else changes it in this unit of work."""
        query = select(export.c.id).where(export.c.id == id, export.c.settled == settled, export.c.files.is_(None))
        return self._connection.scalar(query.with_for_update()) is not None

    def hold(self, id: str, cut: Cut) -> None:
        """All that the cut finds, each once, by one statement: so of one moment."""
        self._connection.execute(export_item.delete().where(export_item.c.export == id))
        found = _numbered(cut).subquery()
        self._connection.execute(insert(export_item).from_select(_ITEM, select(literal(id), *found.c)))

    def found(self, cut: Cut, *, together: int) -> Iterator[Sequence[Place]]:
        """The same, some at a time, as they are at this moment."""
        for rows in self._connection.execute(_numbered(cut)).partitions(together):
            yield [tuple(row) for row in rows]

    def add(self, id: str, places: Sequence[Place]) -> None:
        """Let it hold these too."""
        sets.insert(self._connection, export_item, _ITEM, [(id, *one) for one in places])

    def clear(self, id: str, settled: datetime, *, most: int) -> bool:
        """Forget some of what one who was killed put down; whether there may be more."""
        if not self.mine(id, settled):
            return False
        columns = [export_item.c[name] for name in ("resource_type", "deleted", "seq")]
        some = select(*columns).where(export_item.c.export == id).limit(most)
        gone = export_item.delete().where(export_item.c.export == id, tuple_(*columns).in_(some))
        return self._connection.execute(gone).rowcount > 0

    def let_go(self, id: str, resource_type: str, seqs: Collection[int]) -> None:
        """Deleted resources that are not told of after all."""
        one = (export_item.c.export == id, export_item.c.resource_type == resource_type, export_item.c.deleted)
        self._connection.execute(export_item.delete().where(*one, among(export_item.c.seq, seqs)))

    def finish(self, id: str, settled: datetime, *, lines: int) -> None:
        """It is settled, unless somebody else does it; files have so many lines at most."""
        if not self.mine(id, settled):
            return
        part: ColumnElement[int] = (export_item.c.seq - 1) // lines
        by = (export_item.c.resource_type, export_item.c.deleted, part)
        query = select(*by, func.count()).where(export_item.c.export == id).group_by(*by).order_by(*by)
        files = [
            File(kind, bool(gone), int(part), count, lines)
            for kind, gone, part, count in self._connection.execute(query)
        ]
        told = orjson.dumps([asdict(one) for one in files]).decode()
        self._connection.execute(update(export).where(export.c.id == id).values(files=told))

    def items(
        self, id: str, resource_type: str, *, deleted: bool, after: int, until: int, limit: int
    ) -> list[tuple[int, Stored]]:
        """The versions behind a place of one type, up to another, in order, each with its place."""
        mine = (export_item.c.export == id, export_item.c.resource_type == resource_type)
        query = (
            select(export_item.c.seq, export_item.c.rid, export_item.c.version)
            .where(*mine, export_item.c.deleted.is_(deleted), export_item.c.seq > after, export_item.c.seq <= until)
            .order_by(export_item.c.seq)
            .limit(limit)
        )
        places = {(rid, version): seq for seq, rid, version in self._connection.execute(query)}
        found: dict[int, Stored] = {}
        # Most are current still; one that was written since lies among the former versions.
        for columns in (resource.c, resource_version.c):
            missing = [key for key, seq in places.items() if seq not in found]
            if not missing:
                break
            rids, versions = [rid for rid, _ in missing], [version for _, version in missing]
            versioned = select(*(columns[name] for name in FIELDS))
            versioned = versioned.where(among(columns.rid, rids), among(columns.version, versions))
            for one in map(stored, self._connection.execute(versioned)):
                if (seq := places.get((one.rid, one.version))) is not None:
                    found[seq] = one
        return sorted(found.items())

    def remove(self, id: str) -> None:
        # In this order: who settles it holds its row until what it holds can be seen here.
        self._connection.execute(export.delete().where(export.c.id == id))
        self._connection.execute(export_item.delete().where(export_item.c.export == id))

    def expired(self, before: datetime) -> list[str]:
        """The ids of what was asked for before that time."""
        return list(self._connection.scalars(select(export.c.id).where(export.c.created < before)))


def _numbered(cut: Cut) -> Select[Any]:
    """What the cut finds, each once, with its place among those of its type."""
    found = union_all(*cut.select()).subquery()
    kind = (found.c.resource_type, found.c.deleted)
    # One person's lie together: whoever fetches them is recorded once for each.
    number = func.row_number().over(partition_by=kind, order_by=(found.c.partition, found.c.rid))
    return select(*kind, number.label("seq"), found.c.rid, found.c.version)
