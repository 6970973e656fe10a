"""A few rows for one table or several, as one statement of PostgreSQL: each table's rows are one parameter, of JSON.

A message to the database costs more than a few rows in it do: COPY takes three for each table, and arrays are written
out column by column. Rows hold driver values, as in `sets`. What of a table's rows is bytes goes beside the JSON, as
one parameter as it is: most that is written is bytes, and as text both ends would spell out each of them.

https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    of_bytes = _bytes(table, columns)
    lengths = {place: len(columns) + n for n, place in enumerate(of_bytes)}
    taken = [_taken(table, name, place, lengths.get(place, 0)) for place, name in enumerate(columns)]
    named = columns
    if numbered is not None:
        named = (numbered.column, *columns)
        taken.insert(0, f"nextval('{quoted(numbered.sequence)}')")
    values = ", ".join(taken)
    beside = ", (SELECT %b::bytea AS bytes) b" if of_bytes else ""
    rows = f"jsonb_array_elements(%t::jsonb) v{beside}"
    return f"INSERT INTO {quoted(table.name)} ({names(named)}) SELECT {values} FROM {rows}"  # noqa: S608


def given(table: Table | TableClause, columns: Columns, rows: Sequence[Row]) -> list[str | bytes]:
    """The parameters that hold the rows: their JSON, and what of them is bytes, if anything may be.

    In a row stands where its bytes begin, from 1; behind its columns stands how many they are.
    """
    of_bytes, numbers = _bytes(table, columns), _doubles(table, columns)
    if not of_bytes and not numbers:
        return [orjson.dumps(rows).decode()]
    written: list[list[Any]] = []
    beside: list[bytes] = []
    begin = 1
    for row in rows:
        fields = list(row)
        for place in numbers:  # It may be infinite, for which JSON has no word.
            fields[place] = None if fields[place] is None else str(fields[place])
        for place in of_bytes:
            value = fields[place]
            if value is None:
                fields.append(None)
                continue
            fields[place] = begin
            fields.append(len(value))
            begin += len(value)
            beside.append(value)
        written.append(fields)
    said = orjson.dumps(written).decode()
    return [said, b"".join(beside)] if of_bytes else [said]


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


def _taken(table: Table | TableClause, name: str, place: int, length: int) -> str:
    """A column's value, taken out of a row that is a JSON array; if it is bytes, by what stands in two places of it."""
    kind = table.c[name].type
    if isinstance(kind, LargeBinary):
        return f"substring(b.bytes FROM (v->>{place})::INTEGER FOR (v->>{length})::INTEGER)"
    # A text's order is its column's business.
    told = kind.compile(dialect=_POSTGRESQL).partition(" COLLATE")[0]
    return f"v->>{place}" if told == "TEXT" else f"(v->>{place})::{told}"


@lru_cache(maxsize=256)
def _bytes(table: Table | TableClause, columns: Columns) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(columns) if isinstance(table.c[name].type, LargeBinary))


@lru_cache(maxsize=256)
def _doubles(table: Table | TableClause, columns: Columns) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(columns) if isinstance(table.c[name].type, Double))
