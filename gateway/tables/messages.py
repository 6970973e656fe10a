"""Inbox: raw input, kept before anything is tried with it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from gateway.tables.columns import OPEN, Instant, Number, metadata

_HELD = "state = 'held'"

inbox = Table(
    "inbox",
    metadata,
    Column("number", Number, primary_key=True, comment="order of arrival"),
    Column("id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("received", Instant, nullable=False),
    Column("as_of", Instant),
    Column("hash", Text, nullable=False, comment="SHA-256 of the body"),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False, comment="waiting | working | done | held"),
    Column("next_item", Integer, nullable=False, comment="items below this one are committed"),
    Column("attempts", Integer, nullable=False),
    Column("owner", Text, comment="the process that has the lease"),
    Column("lease_until", Instant),
    Column("issues", Text, nullable=False, comment="JSON: what is wrong with the message as a whole"),
    Column("map_hash", Text, comment="the package that mapped it, or the first part of it"),
    Index("inbox_open", "number", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
    Index("inbox_source", "source", "received"),
)

# Apart from its message, whose row changes while it is worked on: a row is rewritten whole.
inbox_body = Table(
    "inbox_body",
    metadata,
    Column("inbox_id", Text, ForeignKey("inbox.id"), nullable=False),
    Column("chunk", Integer, nullable=False, comment="from 0; one chunk holds up to 16 MB"),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("inbox_id", "chunk"),
)

inbox_item = Table(
    "inbox_item",
    metadata,
    Column("inbox_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("span_start", BigInteger, comment="bytes in the body"),
    Column("span_end", BigInteger),
    Column("kind", Text, nullable=False, comment="record kind of the mapping package"),
    Column("key", Text, comment="the record within its source"),
    Column("state", Text, nullable=False, comment="done | held | skipped | superseded"),
    Column("issues", Text, nullable=False, comment="JSON"),
    Column("statements", Integer, nullable=False),
    PrimaryKeyConstraint("inbox_id", "seq"),
    Index("inbox_item_held", "inbox_id", sqlite_where=text(_HELD), postgresql_where=text(_HELD)),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("source", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("inbox_id", Text, nullable=False, comment="its items' keys are the records that it holds"),
    PrimaryKeyConstraint("source", "scope", "taken_at", "inbox_id"),
)
