"""Bulk imports: who asked for what, its files, and how far each part of them has come.

The bytes of a part, and what of it could not be used, are in the inbox. Progress is committed together with what it is
progress of, and only where it is as it was read: of two that do the same work one is refused, whatever they believe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, exists, func, insert, select, text, update

from gateway.issues import Issue
from gateway.store import sets
from gateway.store.inbox import LeaseLost
from gateway.tables import bulk_import, bulk_import_file, bulk_import_part, inbox_item, job

_IS_HELD = text("inbox_item.state = 'held'")


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `job` is None where a command does it; `ended` until all of it is dealt with."""

    id: str
    owner: str
    key: str
    request: Mapping[str, Any]
    created: datetime
    job: int | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportFile:
    """One file, by its place among those of the import; `issues` are why it could not be read on."""

    file: int
    name: str
    type: str = ""
    lines: bool = True
    is_kept: bool = False
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPart:
    """Some lines of a file, or a document; `next`, `stored`, `held` count its units, which are lines or entries."""

    file: int
    part: int
    inbox_id: str
    hash: str
    first: int
    units: int
    next: int = 0
    stored: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a file so far."""

    units: int = 0
    done: int = 0
    stored: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A line or entry that was not imported, and why. `line` is None in a document."""

    file: int
    line: int | None
    issues: tuple[Issue, ...]


_IMPORT = tuple(bulk_import.c[name] for name in Import.__dataclass_fields__)
_FILE = tuple(bulk_import_file.c[name] for name in ImportFile.__dataclass_fields__)
_PART = tuple(bulk_import_part.c[name] for name in ImportPart.__dataclass_fields__)


class Imports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, one: Import, files: Sequence[ImportFile]) -> None:
        row = {name: getattr(one, name) for name in Import.__dataclass_fields__}
        row["request"] = orjson.dumps(dict(one.request)).decode()
        self._connection.execute(insert(bulk_import).values(row))
        names = ("file", "name", "type", "lines", "is_kept")
        rows = [
            {"import_id": one.id, "issues": "[]", **{name: getattr(file, name) for name in names}} for file in files
        ]
        self._connection.execute(insert(bulk_import_file), rows)

    def get(self, id: str) -> Import | None:
        return next(self._imports(select(*_IMPORT).where(bulk_import.c.id == id)), None)

    def latest(self, owner: str, key: str) -> Import | None:
        """What was asked for last of just this."""
        query = select(*_IMPORT).where(bulk_import.c.owner == owner, bulk_import.c.key == key)
        return next(self._imports(query.order_by(bulk_import.c.created.desc()).limit(1)), None)

    def waiting(self, owner: str) -> int:
        """How many of one caller's have a job, are not ended, and still may be."""
        failed = exists().where(job.c.number == bulk_import.c.job, job.c.state == "failed")
        query = select(func.count()).where(
            bulk_import.c.owner == owner, bulk_import.c.ended.is_(None), bulk_import.c.job.is_not(None), ~failed
        )
        return int(self._connection.scalar(query) or 0)

    def files(self, id: str) -> list[ImportFile]:
        query = select(*_FILE).where(bulk_import_file.c.import_id == id).order_by(bulk_import_file.c.file)
        return [
            ImportFile(**row._asdict() | {"issues": _issues_in(row.issues)}) for row in self._connection.execute(query)
        ]

    def parts(self, id: str, file: int) -> list[ImportPart]:
        query = select(*_PART).where(bulk_import_part.c.import_id == id, bulk_import_part.c.file == file)
        rows = self._connection.execute(query.order_by(bulk_import_part.c.part))
        return [ImportPart(**row._asdict()) for row in rows]

    def add_part(self, id: str, one: ImportPart) -> None:
        """LeaseLost where somebody else has kept it meanwhile."""
        row = (id, *(getattr(one, name) for name in ImportPart.__dataclass_fields__))
        columns = ("import_id", *ImportPart.__dataclass_fields__)
        if not sets.insert_missing(self._connection, bulk_import_part, columns, [row]):
            raise LeaseLost

    def advance(self, id: str, one: ImportPart, *, start: int, to: int, stored: int, held: int) -> None:
        """Those before `to` are dealt with, in this unit of work. LeaseLost where somebody else did it."""
        mine = update(bulk_import_part).where(
            bulk_import_part.c.import_id == id,
            bulk_import_part.c.file == one.file,
            bulk_import_part.c.part == one.part,
            bulk_import_part.c.next == start,
        )
        counted = {"stored": bulk_import_part.c.stored + stored, "held": bulk_import_part.c.held + held}
        if self._connection.execute(mine.values(next=to, **counted)).rowcount != 1:
            raise LeaseLost
        # What goes on comes to something: only tries that come to nothing, one after the other, are counted.
        by = select(bulk_import.c.job).where(bulk_import.c.id == id).scalar_subquery()
        self._connection.execute(update(job).where(job.c.number == by, job.c.attempts > 1).values(attempts=1))

    def kept(self, id: str, file: int, issues: Sequence[Issue] = ()) -> None:
        """All of the file that can be read is in the inbox; `issues` are why that is not all."""
        one = update(bulk_import_file).where(bulk_import_file.c.import_id == id, bulk_import_file.c.file == file)
        told = orjson.dumps([issue.to_json() for issue in issues]).decode()
        self._connection.execute(one.values(is_kept=True, issues=told))

    def end(self, id: str, ended: datetime) -> None:
        self._connection.execute(update(bulk_import).where(bulk_import.c.id == id).values(ended=ended))

    def counts(self, id: str) -> dict[int, Counts]:
        """What became of each file, by its place."""
        columns = bulk_import_part.c
        sums = [func.sum(columns[name]) for name in ("units", "next", "stored", "held")]
        query = select(columns.file, *sums).where(columns.import_id == id).group_by(columns.file)
        return {row[0]: Counts(*map(int, row[1:])) for row in self._connection.execute(query)}

    def held(self, id: str, *, after: tuple[int, int, int] = (-1, -1, -1), limit: int) -> list[tuple[Any, Held]]:
        """What was not imported, in order, each with the place to go on `after`."""
        part, item = bulk_import_part.c, inbox_item.c
        place = (part.file, part.part, item.seq)
        query = (
            select(*place, part.first, item.issues)
            .select_from(bulk_import_part.join(inbox_item, item.inbox_id == part.inbox_id))
            .where(part.import_id == id, part.held > 0, _IS_HELD)
            .order_by(*place)
            .limit(limit)
        )
        file, number, seq = after
        query = query.where(
            (part.file > file)
            | ((part.file == file) & ((part.part > number) | ((part.part == number) & (item.seq > seq))))
        )
        return [
            (tuple(row[:3]), Held(row.file, row.first + row.seq if row.first else None, _issues_in(row.issues)))
            for row in self._connection.execute(query)
        ]

    def remove(self, id: str) -> None:
        """Forget it; what was imported stays, and so do the bytes in the inbox."""
        self._connection.execute(bulk_import.delete().where(bulk_import.c.id == id))
        self._connection.execute(bulk_import_file.delete().where(bulk_import_file.c.import_id == id))
        self._connection.execute(bulk_import_part.delete().where(bulk_import_part.c.import_id == id))

    def expired(self, before: datetime) -> list[str]:
        """The ids of what has a job, and ended before that time, or came to nothing and was asked for before it."""
        goes_on = exists().where(job.c.number == bulk_import.c.job, job.c.state.in_(("waiting", "working")))
        nothing = bulk_import.c.ended.is_(None) & (bulk_import.c.created < before) & ~goes_on
        query = select(bulk_import.c.id).where(bulk_import.c.job.is_not(None))
        return list(self._connection.scalars(query.where((bulk_import.c.ended < before) | nothing)))

    def _imports(self, query: Any) -> Iterator[Import]:
        for row in self._connection.execute(query):
            yield Import(**row._asdict() | {"request": orjson.loads(row.request)})


def _issues_in(text: str) -> tuple[Issue, ...]:
    return () if text == "[]" else tuple(Issue(**issue) for issue in orjson.loads(text))
