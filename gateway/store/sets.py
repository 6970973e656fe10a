"""Sets of rows, and of keys, in one statement of one text: what keeps a record's share of SQL small.

SQLite takes rows by `executemany`, several in each statement, and a set of keys as one JSON parameter; PostgreSQL
takes a few rows as JSON (`few.py`), many by COPY, and a set of keys as an array. Rows hold driver values: an Instant is
its microseconds here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import (
    CompoundSelect,
    Connection,
    Engine,
    Select,
    Table,
    TableClause,
    event,
)

from gateway.store import few, pending
from gateway.store.dialects import positional
from gateway.store.failures import driver_errors

Row: TypeAlias = few.Row
Rows: TypeAlias = few.Rows
Selects: TypeAlias = Select[Any] | CompoundSelect[Any]

FEW = 256
"""Rows of a table that are written in one message together with others'."""
TOGETHER: Final = 16
"""Rows that a statement of SQLite takes: to begin one, and find the place of its first row, costs as much as a row."""


def insert(connection: Connection, table: Table | TableClause, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of which none is there."""
    insert_all(connection, [Rows(table, tuple(columns), rows)])


def insert_all(connection: Connection, given: Iterable[Rows]) -> None:
    """Insert rows into several tables; none of them is there, or that is said of them."""
    sets = [one for one in given if one.rows]
    if connection.dialect.name != "postgresql":
        for one in sets:
            if one.perhaps:
                _insert_each(connection, _insert(one.table, one.columns, ignore=True), one.rows)
            else:
                _insert_together(connection, one)
        return
    light = [len(one.rows) <= FEW and few.weight(*one.values) <= few.LIGHT for one in sets]
    if any(light):
        _insert_few(connection, [one for one, is_light in zip(sets, light, strict=True) if is_light])
    for one, is_light in zip(sets, light, strict=True):
        if not is_light and one.perhaps:
            insert_missing(connection, *one.values)
        elif not is_light:
            _copy_each(connection, one)


def _insert_few(connection: Connection, sets: Sequence[Rows]) -> None:
    sql = few.inserting(tuple(one.shape for one in sets))
    parameters = [parameter for one in sets for parameter in few.given(*one.values)]
    with driver_errors(connection, sql):
        connection.connection.cursor().execute(sql, parameters)


def _copy_each(connection: Connection, given: Rows) -> None:
    sql = _copy(given.table, given.columns)
    with driver_errors(connection, sql), connection.connection.cursor().copy(sql) as copy:
        for row in given.rows:
            copy.write_row(row)


def insert_later(connection: Connection, given: Iterable[Rows]) -> None:
    """Insert rows as `insert_all` does: before they are asked for, and before the unit of work ends."""
    put_off = pending.of(connection)
    if put_off is None:
        insert_all(connection, given)
    else:
        put_off.add(given)


def settle(connection: Connection, sql: str | None = None) -> None:
    """Write what was put off, where a statement may have to tell of it; where none is named, in any case.

    What a statement undoes is not written first: where another one failed, the database would refuse it.
    """
    put_off = pending.of(connection)
    if put_off is None or not (sql is None or put_off.concern(sql)):
        return
    rows = put_off.take()
    if sql is None or not pending.undoes(sql):
        insert_all(connection, rows)


def settling(engine: Engine) -> None:
    """Let what is executed through SQLAlchemy find all that is to be there."""

    @event.listens_for(engine, "before_cursor_execute")
    def _before(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        settle(connection, sql)


def insert_missing(
    connection: Connection, table: Table | TableClause, columns: Sequence[str], rows: Sequence[Row]
) -> int:
    """Insert the rows whose key is not there yet; return how many.

    Give them sorted: then two transactions wait for each other's keys in one order.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        sql = f"{few.insert(table, tuple(columns))} ON CONFLICT DO NOTHING"
        return sum(int(cursor.rowcount) for cursor in _given(connection, sql, table, tuple(columns), rows))
    return _insert_each(connection, _insert(table, tuple(columns), ignore=True), rows)


def insert_new(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> set[Any]:
    """Insert rows by their first column, the key; return the key of each that was inserted.

    On SQLite, which has one writer, none may be there; PostgreSQL passes over what is. Give them sorted, too.
    """
    if connection.dialect.name == "postgresql" and rows:
        sql = f"{few.insert(table, tuple(columns))} ON CONFLICT DO NOTHING RETURNING {few.quoted(columns[0])}"
        given = _given(connection, sql, table, tuple(columns), rows)
        return {row[0] for cursor in given for row in cursor.fetchall()}
    insert(connection, table, columns, rows)
    return {row[0] for row in rows}


def insert_numbered(
    connection: Connection, table: Table, numbered: few.Numbered, columns: few.Columns, rows: Sequence[Row]
) -> list[Row]:
    """On PostgreSQL, insert the rows whose key is not there yet, each after its number; return them with it."""
    returned = few.names((numbered.column, *columns))
    sql = f"{few.insert(table, columns, numbered)} ON CONFLICT DO NOTHING RETURNING {returned}"
    return [row for cursor in _given(connection, sql, table, columns, rows) for row in cursor.fetchall()]


def _given(
    connection: Connection, sql: str, table: Table | TableClause, columns: few.Columns, rows: Sequence[Row]
) -> Iterator[Any]:
    """The cursors of the statement, executed with the rows in as many parts as they need."""
    settle(connection, sql)
    for part in few.batches(table, columns, rows):
        with driver_errors(connection, sql):
            yield connection.connection.cursor().execute(sql, few.given(table, columns, part))


def _insert_each(connection: Connection, sql: str, rows: Sequence[Row]) -> int:
    """By the driver itself, as COPY is: a message that is kept alone would cost more around its rows than in them."""
    with driver_errors(connection, sql):
        return int(connection.connection.cursor().executemany(sql, rows).rowcount)


def _insert_together(connection: Connection, given: Rows) -> None:
    """Rows of which none is there: as many together as a statement takes, the rest each by itself.

    What indexes words is no table of SQLite's own, and takes single rows for less.
    """
    table, columns, rows = given.values
    whole = len(rows) - len(rows) % TOGETHER if isinstance(table, Table) else 0
    if whole:
        several = [tuple(chain.from_iterable(rows[at : at + TOGETHER])) for at in range(0, whole, TOGETHER)]
        _insert_each(connection, _insert(table, columns, rows=TOGETHER), several)
    if whole < len(rows):
        _insert_each(connection, _insert(table, columns), rows[whole:])


Given: TypeAlias = Collection[Any] | str | int | bytes
"""A parameter: a set of keys, or a single value."""


def fetch(connection: Connection, found: Selects, *given: Given) -> list[Any]:
    """The rows of a select, as the driver gives them: a read that is asked for all day.

    `given` are its parameters in the order of its text.
    """
    return run(connection, _text_of(found, connection.dialect.name), *given)


def holds_any(connection: Connection, is_there: Selects, *given: Given) -> bool:
    """The answer of a select of one `EXISTS`."""
    return bool(fetch(connection, is_there, *given)[0][0])


def run(connection: Connection, sql: str, *given: Given) -> list[Any]:
    """The rows of a statement that the driver is handed as it is."""
    arrays = connection.dialect.name == "postgresql"
    parameters = [
        one if isinstance(one, str | int | bytes) else list(one) if arrays else orjson.dumps(list(one)).decode()
        for one in given
    ]
    settle(connection, sql)
    with driver_errors(connection, sql):
        return list(connection.connection.cursor().execute(sql, parameters).fetchall())


@lru_cache(maxsize=128)
def _text_of(found: Selects, dialect: str) -> str:
    return str(found.compile(dialect=positional(dialect)))


@lru_cache(maxsize=256)
def _insert(table: Table | TableClause, columns: tuple[str, ...], *, rows: int = 1, ignore: bool = False) -> str:
    """A statement that takes so many rows.

    Where one of several is refused, those before it stay, as if each had been a statement: what stores them is undone
    as a whole. Otherwise SQLite would keep a journal of each statement, which costs twice what is won.
    """
    places = f"({', '.join('?' * len(columns))})"
    verb = "INSERT OR IGNORE" if ignore else "INSERT OR FAIL" if rows > 1 else "INSERT"
    return f"{verb} INTO {few.quoted(table.name)} ({few.names(columns)}) VALUES {', '.join([places] * rows)}"


@lru_cache(maxsize=256)
def _copy(table: Table | TableClause, columns: tuple[str, ...]) -> str:
    return f"COPY {few.quoted(table.name)} ({few.names(columns)}) FROM STDIN"
