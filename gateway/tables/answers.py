"""Requests that are answered later, and bulk exports: what each holds was settled at one moment."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from gateway.tables.columns import Instant, metadata

deferred = Table(
    "deferred",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("request", Text, nullable=False, comment="JSON: for whom, method, address, headers"),
    Column("body", LargeBinary, nullable=False),
    Column("created", Instant, nullable=False),
    Column("begun", Boolean, nullable=False),
    Column("status", Integer, comment="of the answer, once there is one"),
    Column("headers", Text, comment="JSON"),
    Column("answer", LargeBinary),
    Index("deferred_created", "created"),
    Index("deferred_owner", "owner"),
)

export = Table(
    "export",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("request", Text, nullable=False, comment="JSON: for whom, and what"),
    Column("created", Instant, nullable=False),
    Column("job", BigInteger, nullable=False),
    Column("settled", Instant, comment="of which time it is, once that is known"),
    Column("files", Text, comment="JSON: type, whether deleted, part, count; null until it is settled"),
    Index("export_created", "created"),
    Index("export_owner", "owner"),
)

export_item = Table(
    "export_item",
    metadata,
    Column("export", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="from 1 within its type"),
    Column("rid", BigInteger, nullable=False),
    Column("version", Text, nullable=False, comment="the version of that moment, whatever came after"),
    PrimaryKeyConstraint("export", "resource_type", "deleted", "seq"),
    sqlite_with_rowid=False,
)
