"""A set of keys as one parameter, so that a statement has one text however many there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

import orjson
from sqlalchemy import BigInteger, Boolean, ColumnElement, Integer, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


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
