"""SQLAlchemy's dialects for statements whose text is handed to the driver itself: parameters by place, or by name."""

from __future__ import annotations

from functools import cache

from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect


@cache
def positional(name: str) -> Dialect:
    """The dialect of a connection's name."""
    return psycopg.dialect(paramstyle="format") if name == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]


@cache
def by_name() -> Dialect:
    """PostgreSQL's, for a text whose parameters are put in by what they are."""
    return psycopg.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]
