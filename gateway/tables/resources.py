"""Resources: the agreed version, and those before it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.tables.columns import Instant, Number, metadata

rid = Sequence("rid", metadata=metadata, data_type=BigInteger)

locator = Table(
    "locator",
    metadata,
    Column("rid", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("partition", BigInteger, nullable=False),
    UniqueConstraint("id", "resource_type"),
)


def _version_columns() -> tuple[Column[Any], ...]:
    """What the current version and a former one have in common; bytes last, so that narrow reads do not pass them."""
    return (
        Column("partition", BigInteger, nullable=False),
        Column("rid", BigInteger, nullable=False),
        Column("resource_type", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Text, nullable=False, comment="opaque"),
        Column("last_updated", Instant, nullable=False),
        Column("method", Text, nullable=False, comment="POST | PUT | PATCH | DELETE"),
        Column("deleted", Boolean, nullable=False),
        Column("digest", LargeBinary, nullable=False, comment="of the content without id and version"),
        Column("person", Text),
        Column("contributors", Text, nullable=False, comment="JSON array, sorted"),
        Column("contradictions", Text, nullable=False, comment="JSON array"),
        Column("organisation", Text, comment="whose command wrote it; null: agreed, or written by the operator"),
        Column("body", LargeBinary, nullable=False, comment="the bytes to serve; empty when deleted"),
    )


resource = Table(
    "resource",
    metadata,
    *_version_columns(),
    PrimaryKeyConstraint("rid", "partition"),
    Index("resource_changed", "last_updated", "rid"),
    Index("resource_type_changed", "resource_type", "last_updated", "rid"),
    Index("resource_person", "person", "resource_type"),
)

resource_version = Table(
    "resource_version",
    metadata,
    Column("superseded", Instant, nullable=False, comment="when the next version took its place"),
    *_version_columns(),
    PrimaryKeyConstraint("rid", "version", "partition"),
    Index("resource_version_changed", "last_updated", "rid"),
    Index("resource_version_type_changed", "resource_type", "last_updated", "rid"),
)

contributor = Table(
    "contributor",
    metadata,
    Column("partition", BigInteger, nullable=False),
    Column("rid", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("rid", "source", "partition"),
    sqlite_with_rowid=False,
)
