"""Change log and audit."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from gateway.tables.columns import Instant, Number, metadata

change = Table(
    "change",
    metadata,
    Column("serial", Number, primary_key=True, comment="order of writing"),
    Column("seq", BigInteger, comment="gap-free, given after commit; null: not numbered yet, seen by nobody"),
    Column("rid", BigInteger, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("person", Text),
    Column("recorded", Instant, nullable=False),
    Index("change_seq", "seq", unique=True),
    Index("change_unnumbered", "serial", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
)

audit = Table(
    "audit",
    metadata,
    Column("chain", Text, nullable=False, comment="one hash chain per writer"),
    Column("number", BigInteger, nullable=False, comment="from 1, gap-free within the chain"),
    Column("recorded", Instant, nullable=False),
    Column("person", Text, comment="whose data"),
    Column("body", LargeBinary, nullable=False, comment="compact JSON"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 over the row and the digest before it"),
    PrimaryKeyConstraint("chain", "number"),
    Index("audit_recorded", "recorded"),
    Index("audit_person", "person", "recorded"),
)

audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("recorded", Instant, nullable=False),
    Column("heads", Text, nullable=False, comment="JSON: chain -> [number, digest] at the time of sealing"),
    Column("digest", LargeBinary, nullable=False),
)
