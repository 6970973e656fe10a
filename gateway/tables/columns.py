"""What every table is made of: the naming of keys, times, row numbers, partitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """An aware time as microseconds since 1970: what an Instant column holds."""
    return (time - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def partition_key(person: str | None, id: str) -> int:
    """Everything about one person lies together; what is about nobody spreads by its own id."""
    return _spread(person or id)


@lru_cache(maxsize=4096)  # What is said of a person is said of several things.
def _spread(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 (BIGINT)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


Number = BigInteger().with_variant(Integer, "sqlite")
"""A row number that the database gives: SQLite does that for INTEGER PRIMARY KEY only."""

OPEN = "state IN ('waiting', 'working')"
"""Of what is to be worked: partial indexes find it however much is done."""
