"""A few rows for one table or several, as one statement of PostgreSQL: each table's rows are one parameter, of JSON.

A message to the database costs more than a few rows in it do: COPY takes three for each table, and arrays are written
out column by column. Rows hold driver values, as in `sets`.

https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Double, LargeBinary, Table, TableClause

from gateway.store.dialects import positional

Row = tuple[Any, ...]
LIGHT = 1 << 20
"""Bytes in rows that are written so together; more of them go by COPY, as they are."""
MOST = 32 << 20
"""Bytes in the rows of one parameter."""
Columns = tuple[str, ...]
Shape = tuple[Table | TableClause, Columns, bool]
"""A table, the columns of its rows, and whether one of their keys is perhaps there: that is passed over."""


class Rows(NamedTuple):
    """Rows for a table, each with the values of the columns. `perhaps`: one whose key is there is passed over.

    Give such rows sorted: then two transactions wait for each other's keys in one order.
    """

    table: Table | TableClause
    columns: Columns
    rows: Sequence[Row]
    perhaps: bool = False

    @property
    def shape(self) -> Shape:
        return self.table, self.columns, self.perhaps

    @property
    def values(self) -> tuple[Table | TableClause, Columns, Sequence[Row]]:
        return self[:3]


_POSTGRESQL = positional("postgresql")


@lru_cache(maxsize=1024)
def inserting(shapes: tuple[Shape, ...]) -> str:
    """The statement that takes rows for each of these tables, a parameter each."""
    *others, last = (
        f"{insert(table, columns)} ON CONFLICT DO NOTHING" if perhaps else insert(table, columns)
        for table, columns, perhaps in shapes
    )
    if not others:
        return last
    return f"WITH {', '.join(f't{n} AS ({one})' for n, one in enumerate(others))} {last}"


class Numbered(NamedTuple):
    """A column whose value in each row is the next of a sequence."""

    column: str
    sequence: str


@lru_cache(maxsize=256)
def insert(table: Table | TableClause, columns: Columns, numbered: Numbered | None = None) -> str:
    taken = [_taken(table, name, place) for place, name in enumerate(columns)]
    named = columns
    if numbered is not None:
        named = (numbered.column, *columns)
        taken.insert(0, f"nextval('{quoted(numbered.sequence)}')")
    values = ", ".join(taken)
    return f"INSERT INTO {quoted(table.name)} ({names(named)}) SELECT {values} FROM jsonb_array_elements(%t::jsonb) v"  # noqa: S608


def given(table: Table | TableClause, columns: Columns, rows: Sequence[Row]) -> str:
    """The parameter that holds the rows."""
    writers = _writers(table, columns)
    written = [_written(row, writers) for row in rows] if writers else rows
    return orjson.dumps(written).decode()


def weight(table: Table | TableClause, columns: Columns, rows: Sequence[Row]) -> int:
    """The bytes that rows hold, where they hold any by themselves."""
    places = _bytes(table, columns)
    return sum(len(row[place] or b"") for row in rows for place in places) if places else 0


def batches(table: Table | TableClause, columns: Columns, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in parts that can each be one parameter: of JSON PostgreSQL takes 256 MB."""
    if weight(table, columns, rows) <= MOST:
        yield rows
        return
    part: list[Row] = []
    held = 0
    for row in rows:
        size = weight(table, columns, [row])
        if part and held + size > MOST:
            yield part
            part, held = [], 0
        part.append(row)
        held += size
    yield part


def quoted(name: str) -> str:
    return _POSTGRESQL.identifier_preparer.quote(name)


def names(columns: Iterable[str]) -> str:
    return ", ".join(map(quoted, columns))


def _taken(table: Table | TableClause, name: str, place: int) -> str:
    """A column's value, taken out of a row that is a JSON array."""
    kind = table.c[name].type
    if isinstance(kind, LargeBinary):
        return f"decode(v->>{place}, 'base64')"
    # A text's order is its column's business.
    told = kind.compile(dialect=_POSTGRESQL).partition(" COLLATE")[0]
    return f"v->>{place}" if told == "TEXT" else f"(v->>{place})::{told}"


def _written(row: Row, writers: Sequence[tuple[int, Callable[[Any], str]]]) -> list[Any]:
    fields = list(row)
    for place, write in writers:
        if fields[place] is not None:
            fields[place] = write(fields[place])
    return fields


@lru_cache(maxsize=256)
def _bytes(table: Table | TableClause, columns: Columns) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(columns) if isinstance(table.c[name].type, LargeBinary))


@lru_cache(maxsize=256)
def _writers(table: Table | TableClause, columns: Columns) -> tuple[tuple[int, Callable[[Any], str]], ...]:
    """How what JSON has no words for is written: bytes, and numbers that may be infinite."""
    kinds = [(place, table.c[name].type) for place, name in enumerate(columns)]
    return tuple(
        (place, _base64 if isinstance(kind, LargeBinary) else str)
        for place, kind in kinds
        if isinstance(kind, LargeBinary | Double)
    )


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
