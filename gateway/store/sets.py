"""Sets of rows, and of keys, in one statement of one text: what keeps a record's share of SQL small.

SQLite takes rows by `executemany` and a set of keys as one JSON parameter; PostgreSQL takes rows by COPY (or by
`unnest` of arrays where some may be there already) and a set of keys as an array. Rows hold driver values: an Instant
is its microseconds here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, Self

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    TableClause,
    Text,
    bindparam,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.store.failures import driver_errors

Row = tuple[Any, ...]


def insert(connection: Connection, table: Table | TableClause, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of which none is there."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        sql = _copy(table, tuple(columns))
        with driver_errors(connection, sql), connection.connection.cursor().copy(sql) as copy:
            for row in rows:
                copy.write_row(row)
    else:
        _insert_each(connection, _insert(table, tuple(columns)), rows)


def insert_few(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of which none is there, in one message to the database: COPY takes three."""
    if connection.dialect.name == "postgresql" and rows:
        sql = _insert_unnest(table, tuple(columns), ignore=False)
        arrays = tuple(list(column) for column in zip(*rows, strict=True))
        with driver_errors(connection, sql):
            connection.connection.cursor().execute(sql, arrays)
    else:
        insert(connection, table, columns, rows)


def insert_missing(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> int:
    """Insert the rows whose key is not there yet; return how many.

    Give them sorted: then two transactions wait for each other's keys in one order.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        arrays = tuple(list(column) for column in zip(*rows, strict=True))
        return connection.exec_driver_sql(_insert_unnest(table, tuple(columns)), arrays).rowcount
    return _insert_each(connection, _insert(table, tuple(columns), ignore=True), rows)


def insert_new(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> set[Any]:
    """Insert rows that were looked for and are not there; return the first column (the key) of each that was inserted.

    Another transaction may have inserted some meanwhile, SQLite aside, which has one writer. Give them sorted, too.
    """
    if connection.dialect.name == "postgresql" and rows:
        arrays = tuple(list(column) for column in zip(*rows, strict=True))
        sql = f"{_insert_unnest(table, tuple(columns))} RETURNING {_name(columns[0])}"
        return set(connection.exec_driver_sql(sql, arrays).scalars())
    insert(connection, table, columns, rows)
    return {row[0] for row in rows}


def _insert_each(connection: Connection, sql: str, rows: Sequence[Row]) -> int:
    """By the driver itself, as COPY is: a message that is kept alone would cost more around its rows than in them."""
    with driver_errors(connection, sql):
        return int(connection.connection.cursor().executemany(sql, rows).rowcount)


def fetch(connection: Connection, found: Select[Any], keys: Collection[Any]) -> list[Any]:
    """The rows of a select that takes one set of keys, as the driver gives them: a read that is asked for all day."""
    sql = _text_of(found, connection.dialect.name)
    cursor = connection.connection.cursor()
    given = list(keys) if connection.dialect.name == "postgresql" else orjson.dumps(list(keys)).decode()
    with driver_errors(connection, sql):
        return list(cursor.execute(sql, (given,)).fetchall())


@lru_cache(maxsize=64)
def _text_of(found: Select[Any], dialect: str) -> str:
    known: Dialect = psycopg.dialect(paramstyle="format") if dialect == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]
    return str(found.compile(dialect=known))


class KeySet(TypeDecorator[Collection[Any]]):
    """A set of keys as one parameter: an array on PostgreSQL, JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, numbers: bool = False) -> None:
        super().__init__()
        self.numbers = numbers

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(BigInteger() if self.numbers else Text()))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        keys = list(value or ())
        return keys if dialect.name == "postgresql" else orjson.dumps(keys).decode()


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:
        # It is a condition already. SQLite has no booleans, and of `(x IN (...)) = 1` it would not see the index.
        return self


def among(column: ColumnElement[Any], keys: Collection[Any] | str) -> ColumnElement[bool]:
    """`column` is one of `keys`; a string names a parameter that is given at execution."""
    kind = KeySet(isinstance(column.type, Integer))
    parameter = (
        bindparam(keys, type_=kind) if isinstance(keys, str) else bindparam("keys", keys, type_=kind, unique=True)
    )
    return _Among(column, parameter)


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = element.clauses
    return f"{compiler.process(column, **kw)} = ANY({compiler.process(keys, **kw)})"


@compiles(_Among)
def _among_sqlite(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = element.clauses
    column_sql, keys_sql = compiler.process(column, **kw), compiler.process(keys, **kw)
    return f"{column_sql} IN (SELECT value FROM json_each({keys_sql}))"  # noqa: S608


_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=256)
def _insert(table: Table | TableClause, columns: tuple[str, ...], *, ignore: bool = False) -> str:
    places = ", ".join("?" * len(columns))
    verb = "INSERT OR IGNORE" if ignore else "INSERT"
    return f"{verb} INTO {_name(table.name)} ({_names(columns)}) VALUES ({places})"


@lru_cache(maxsize=256)
def _copy(table: Table | TableClause, columns: tuple[str, ...]) -> str:
    return f"COPY {_name(table.name)} ({_names(columns)}) FROM STDIN"


@lru_cache(maxsize=256)
def _insert_unnest(table: Table, columns: tuple[str, ...], *, ignore: bool = True) -> str:
    arrays = ", ".join(f"%b::{table.c[name].type.compile(dialect=_POSTGRESQL)}[]" for name in columns)
    return (
        f"INSERT INTO {_name(table.name)} ({_names(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
        + (" ON CONFLICT DO NOTHING" if ignore else "")
    )


def _name(name: str) -> str:
    return _POSTGRESQL.identifier_preparer.quote(name)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(map(_name, columns))
