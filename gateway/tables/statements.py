"""Statements: who said what, and what follows from it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from gateway.tables.columns import Instant, Number, metadata

statement = Table(
    "statement",
    metadata,
    Column("number", Number, primary_key=True, comment="order of recording"),
    Column("digest", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("person", Text),
    Column("record_key", Text, nullable=False),
    Column("effective", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("kind", Text, nullable=False, comment="assert | withdraw | retract"),
    Column("inbox_id", Text),
    Column("item", Integer),
    Column("map_hash", Text),
    Column("body", LargeBinary, nullable=False, comment="compact JSON"),
    Column("turn", SmallInteger, nullable=False, server_default="0", comment="which reading of its record"),
    Index("statement_inbox", "inbox_id", "item"),
    Index("statement_resource", "resource_id", "resource_type"),
    Index("statement_person", "person", "resource_type"),
    Index("statement_record", "source", "record_key"),
)

# Beside the statements, so that years of a person's care need not be read for each answer to who does what. Derived;
# `samverka rebuild` proves it.
_KNOWN = "known_by IS NOT NULL"

bearing = Table(
    "bearing",
    metadata,
    Column("resource_id", Text, nullable=False),
    Column("resource_type", Text, nullable=False, comment="of the types that one person may have thousands of"),
    Column("person", Text, nullable=False, comment="as its statements name him"),
    Column("until", Instant, comment="who asks about a later time need not know of it; null: it may always matter"),
    Column("recorded", Instant, nullable=False, comment="the last of its statements"),
    Column("naming", BigInteger, comment="who spoke of it and whom he named, where there is an end to it"),
    Column("known_by", Text, comment="JSON: by what others of its need know it, where there is an end to it"),
    PrimaryKeyConstraint("resource_id", "resource_type", "person"),
    Index("bearing_person", "person", "until", "recorded", "naming"),
    Index("bearing_known_by", "person", "known_by", sqlite_where=text(_KNOWN), postgresql_where=text(_KNOWN)),
    sqlite_with_rowid=False,
)

naming = Table(
    "naming",
    metadata,
    Column("person", Text, nullable=False),
    Column("number", BigInteger, nullable=False, comment="a hash of the rest"),
    Column("source", Text, nullable=False),
    Column("named", Text, nullable=False, comment="JSON: [resource type, system, value] of each who is named"),
    PrimaryKeyConstraint("person", "number"),
    sqlite_with_rowid=False,
)

link = Table(
    "link",
    metadata,
    Column("number", Number, primary_key=True),
    Column("resource_type", Text, nullable=False),
    Column("from_id", Text, nullable=False),
    Column("to_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="same | proposed | undone"),
    Column("reason", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Index("link_from", "from_id"),
    Index("link_to", "to_id"),
)

map_archive = Table(
    "map_archive",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("package", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("archived", Instant, nullable=False),
    Column("files", LargeBinary, nullable=False, comment="the package's sources, packed: old explanations replay them"),
)
