"""Bulk imports: how far each has come; what it could not use are held items of its parts in the inbox."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from gateway.tables.columns import Instant, metadata

bulk_import = Table(
    "bulk_import",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("key", Text, nullable=False, comment="hash of what is imported: asked for again, it is the same import"),
    Column("request", Text, nullable=False, comment="JSON: for whom, and what"),
    Column("created", Instant, nullable=False),
    Column("job", BigInteger, comment="null where a command does it"),
    Column("ended", Instant),
    Index("bulk_import_owner", "owner", "key"),
    Index("bulk_import_created", "created"),
)

bulk_import_file = Table(
    "bulk_import_file",
    metadata,
    Column("import_id", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("name", Text, nullable=False, comment="as it was given: a path or a URL"),
    Column("type", Text, nullable=False, comment="the type that its resources have; empty where any"),
    Column("lines", Boolean, nullable=False, comment="a resource on each line, or one document"),
    Column("is_kept", Boolean, nullable=False, comment="all of it is in the inbox"),
    Column("issues", Text, nullable=False, comment="JSON: why it could not be read on"),
    PrimaryKeyConstraint("import_id", "file"),
    sqlite_with_rowid=False,
)

bulk_import_part = Table(
    "bulk_import_part",
    metadata,
    Column("import_id", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("inbox_id", Text, nullable=False),
    Column("hash", Text, nullable=False, comment="SHA-256 of its bytes: what is read again must be the same"),
    Column("first", BigInteger, nullable=False, comment="number of its first line; 0: a document"),
    Column("units", Integer, nullable=False, comment="how many lines or entries it has"),
    Column("next", Integer, nullable=False, comment="those before are committed"),
    Column("stored", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    PrimaryKeyConstraint("import_id", "file", "part"),
    sqlite_with_rowid=False,
)
