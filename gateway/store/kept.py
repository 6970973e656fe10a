"""Statements that are made once and kept: the SQL of a shape of search, and what is put into its places.

Making a statement costs more than the database takes to answer it. What is kept is bounded: of many shapes, those that
were asked for lately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam

from gateway.search import sql
from gateway.search.query import Include
from gateway.search.shape import Shape
from gateway.store.dialects import positional
from gateway.store.narrowing import by_name
from gateway.store.versions import COLUMNS

KEPT = 512
"""Shapes of pages and of counts, each."""


GIVEN = ("rids", "ids", "visible_parties", "visible_sources", "visible_types")
"""Sets of keys that are given with each execution."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, and by the place of each parameter its name, or the value that it always has."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    writers: Mapping[str, Callable[[Any], Any]]
    """How a value of a name is written for the driver, where that is not as it is."""

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        given = dict(self.constants)
        for name, value in values.items():
            write = self.writers.get(name)
            given[name] = value if write is None else write(value)
        return [given[name] for name in self.names]


def made(found: Select[Any], dialect: str) -> Statement:
    """The statement of a select, whose values without a name are constants."""
    known = positional(dialect)
    compiled = found.compile(dialect=known)
    # What is given later must be something now, or the statement is not written.
    written = compiled.construct_expanded_state(dict.fromkeys(GIVEN), escape_names=False)
    names = tuple(written.positiontup or ())
    writers: dict[str, Callable[[Any], Any]] = {}
    for name, bind in compiled.binds.items():
        write = bind.type.dialect_impl(known).bind_processor(known)
        if write is not None and name in names:
            writers[name] = write
    constants = {
        name: writers[name](value) if name in writers and value is not None else value
        for name, value in written.parameters.items()
    }
    return Statement(written.statement, names, constants, writers)


@lru_cache(maxsize=KEPT)
def page(shape: Shape, dialect: str, *, narrowed: bool, counted: bool) -> Statement:
    """The resources of a page, as `sql.select` has them."""
    visible = by_name() if narrowed else None
    return made(sql.select(shape.query, *COLUMNS, after=shape.after, visible=visible, counted=counted), dialect)


@lru_cache(maxsize=KEPT)
def count(shape: Shape, dialect: str, *, narrowed: bool) -> Statement:
    """How many resources match."""
    return made(sql.count(shape.query, visible=by_name() if narrowed else None), dialect)


@lru_cache(maxsize=KEPT)
def included(include: Include, kind: str | None, dialect: str, *, narrowed: bool) -> Statement:
    """What is included of resources whose `rids` and `ids` are given, at `most` so many."""
    found = (
        sql.forward(include, "rids", COLUMNS) if kind is None else sql.backward(include, kind, "rids", "ids", COLUMNS)
    )
    if narrowed:
        found = found.where(by_name())
    return made(found.limit(bindparam("most", type_=Integer, required=False)), dialect)
