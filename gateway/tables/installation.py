"""What an installation is by itself: its secrets, and the definitions that were written there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from gateway.tables.columns import Instant, Number, metadata

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

definition = Table(
    "definition",
    metadata,
    Column("number", Number, primary_key=True, comment="order of taking in: each row makes the next snapshot"),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="compact JSON; empty when it is withdrawn"),
    Column("recorded", Instant, nullable=False),
    Column("job", BigInteger, comment="what has to be done before it is in use"),
    Index("definition_resource", "resource_id", "resource_type"),
)
