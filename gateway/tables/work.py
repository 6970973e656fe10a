"""Work that is done in the background, and the gap watch: when each person is to be looked at next."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from gateway.tables.columns import OPEN, Instant, Number, metadata

job = Table(
    "job",
    metadata,
    Column("number", Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("input", Text, nullable=False, comment="JSON: what is to be done"),
    Column("place", Text, nullable=False, comment="JSON: what is done already"),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False, comment="as far as is known"),
    Column("state", Text, nullable=False, comment="waiting | working | done | failed"),
    Column("created", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, comment="in a row without progress"),
    Column("owner", Text, comment="the process that has the lease"),
    Column("lease_until", Instant),
    Index("job_open", "number", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
)

watch = Table(
    "watch",
    metadata,
    Column("person", Text, primary_key=True),
    Column("due", Instant, nullable=False, comment="when what is missing may be another, by what is known"),
    Index("watch_due", "due"),
    sqlite_with_rowid=False,
)
