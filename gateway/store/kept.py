"""Statements that are made once and kept: the SQL of a shape of search, and what is put into its places.

Making a statement costs more than the database takes to answer it. What is kept is bounded: of many shapes, those that
were asked for lately.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import orjson
from sqlalchemy import Integer, Select, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.types import NullType, TypeEngine

from gateway.search import sql
from gateway.search.query import Include
from gateway.search.shape import Shape
from gateway.store.dialects import by_name, positional
from gateway.store.narrowing import SEEN, seen_by_name
from gateway.store.versions import COLUMNS, FOUND

KEPT = 512
"""Shapes of pages and of counts, each."""


GIVEN = ("rids", "ids", "visible_parties", "visible_sources", "visible_types")
"""Sets of keys that are given with each execution."""
_PARAMETER = re.compile(r"%\((\w+)\)s")
_PLAIN = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, eq=False)
class Statement:
    """SQL, and by the place of each parameter its name, or the value that it always has."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    writers: Mapping[str, Callable[[Any], Any]]
    """How a value of a name is written for the driver, where that is not as it is."""
    named: str = ""
    """On PostgreSQL, the same with the names of its parameters in their places."""
    types: Mapping[str, str] = field(default_factory=dict)
    """How the database calls the type of each, there."""

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        given = {**self.constants, **self.written(values)}
        return [given[name] for name in self.names]

    def written(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values as the driver takes them."""
        if self.writers.keys().isdisjoint(values):
            return values
        writers = self.writers
        return {name: writers[name](value) if name in writers else value for name, value in values.items()}

    @cached_property
    def of_several(self) -> OfSeveral | None:
        """The statement that answers several of these at once; None where the database has none."""
        return _of_several(self) if self.named else None


@dataclass(frozen=True, slots=True)
class OfSeveral:
    """A statement for several questions that differ in some values alone: those are a parameter of JSON, a row each.

    Before each row of the answer stands the number of the question. Each question's rows come in their own order: the
    database goes from one question to the next, as each is asked by what stands in its row.
    """

    sql: str
    each: tuple[str, ...]
    """What stands in a question's row, behind its number."""
    shared: tuple[str, ...]
    """What comes behind the rows, the same for all of them."""
    statement: Statement

    def parameters(self, asked: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> list[Any]:
        rows = [{"n": n, **{name: values[name] for name in self.each}} for n, values in enumerate(asked)]
        given = {**self.statement.constants, **shared}
        return [orjson.dumps(rows).decode(), *(given[name] for name in self.shared)]


def _of_several(statement: Statement) -> OfSeveral | None:
    columns: dict[str, str] = {}
    shared: list[str] = []

    def placed(found: re.Match[str]) -> str:
        name = found[1]
        if name in statement.constants or name in SEEN:
            shared.append(name)
            return "%s"
        columns[name] = statement.types[name]
        return f"asked.{name}"

    each = _PARAMETER.sub(placed, statement.named)
    asked = ", ".join(f"{name} {kind}" for name, kind in {"n": "INTEGER", **columns}.items())
    rows = f"json_to_recordset(%s::json) AS asked ({asked})"
    sql = f"SELECT asked.n, found.* FROM {rows} CROSS JOIN LATERAL ({each}) AS found"  # noqa: S608
    return OfSeveral(sql, tuple(columns), tuple(shared), statement)


def made(found: Select[Any], dialect: str) -> Statement:
    """The statement of a select, whose values without a name are constants."""
    known = by_name() if dialect == "postgresql" else positional(dialect)
    compiled = found.compile(dialect=known)
    # What is given later must be something now, or the statement is not written.
    written = compiled.construct_expanded_state(dict.fromkeys(GIVEN), escape_names=False)
    writers: dict[str, Callable[[Any], Any]] = {}
    for name, bind in compiled.binds.items():
        write = bind.type.dialect_impl(known).bind_processor(known)
        if write is not None:
            writers[name] = write
    constants = {
        name: writers[name](value) if name in writers and value is not None else value
        for name, value in written.parameters.items()
        if value is not None
    }
    if dialect != "postgresql":
        return Statement(written.statement, tuple(written.positiontup or ()), constants, writers)
    types = {name: _type(bind.type, known) for name, bind in compiled.binds.items() if name not in constants}
    return _by_place(written.statement, constants, writers, types)


def _type(kind: TypeEngine[Any], dialect: Dialect) -> str:
    if isinstance(kind, NullType):
        return "TEXT"
    return dialect.type_compiler_instance.process(kind.dialect_impl(dialect)).partition(" COLLATE")[0]


def _by_place(
    named: str, constants: Mapping[str, Any], writers: Mapping[str, Callable[[Any], Any]], types: Mapping[str, str]
) -> Statement:
    """With what is always the same written out, so that one plan that is kept can go by it."""

    def written_out(found: re.Match[str]) -> str:
        match constants.get(found[1]):
            case bool():
                return found[0]
            case int() as number:
                return f"({number})"
            case str() as text if _PLAIN.fullmatch(text):
                return f"('{text}')"
            case _:
                return found[0]

    named = _PARAMETER.sub(written_out, named)
    names = tuple(found[1] for found in _PARAMETER.finditer(named))
    left = {name: constants[name] for name in names if name in constants}
    return Statement(_PARAMETER.sub("%s", named), names, left, writers, named, types)


@lru_cache(maxsize=KEPT)
def page(shape: Shape, dialect: str, *, narrowed: bool, counted: bool, whole: bool = True) -> Statement:
    """The resources of a page, as `sql.select` has them; unless they are `whole`, of each what a searchset tells."""
    visible = seen_by_name() if narrowed else None
    columns = COLUMNS if whole else FOUND
    return made(sql.select(shape.query, *columns, after=shape.after, visible=visible, counted=counted), dialect)


@lru_cache(maxsize=KEPT)
def count(shape: Shape, dialect: str, *, narrowed: bool) -> Statement:
    """How many resources match."""
    return made(sql.count(shape.query, visible=seen_by_name() if narrowed else None), dialect)


@lru_cache(maxsize=KEPT)
def included(include: Include, kind: str | None, dialect: str, *, narrowed: bool, whole: bool = True) -> Statement:
    """What is included of resources whose `rids` and `ids` are given, at `most` so many."""
    columns = COLUMNS if whole else FOUND
    found = (
        sql.forward(include, "rids", columns) if kind is None else sql.backward(include, kind, "rids", "ids", columns)
    )
    if narrowed:
        found = found.where(seen_by_name())
    return made(found.limit(bindparam("most", type_=Integer, required=False)), dialect)
