"""Whether stored bytes hold some others: looked for by the database, so that what does not is never read out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, LargeBinary, bindparam, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Holds(FunctionElement[bool]):
    name = "holds"
    type = Boolean()
    inherit_cache = True


def holds(column: ColumnElement[Any], text: bytes | str) -> ColumnElement[bool]:
    """The bytes of the column hold these; a string names a parameter that is given at execution."""
    given = bindparam(text, type_=LargeBinary()) if isinstance(text, str) else literal(text, LargeBinary())
    return _Holds(column, given)


@compiles(_Holds, "postgresql")
def _holds_postgresql(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    column, text = element.clauses
    return f"position(CAST({compiler.process(text, **kw)} AS bytea) IN {compiler.process(column, **kw)}) > 0"


@compiles(_Holds)
def _holds_sqlite(element: _Holds, compiler: SQLCompiler, **kw: Any) -> str:
    column, text = element.clauses
    return f"instr({compiler.process(column, **kw)}, {compiler.process(text, **kw)}) > 0"
