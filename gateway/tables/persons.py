"""Identity: what finds a person and a resource, and who takes part in the care."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from gateway.tables.columns import Instant, metadata

identifier = Table(
    "identifier",
    metadata,
    Column("value", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("id", Text, nullable=False),
    PrimaryKeyConstraint("value", "system", "resource_type"),
    sqlite_with_rowid=False,
)

person = Table(
    "person",
    metadata,
    Column("key", Text, primary_key=True),
    Column("recorded", Instant, nullable=False),
)

person_patient = Table(
    "person_patient",
    metadata,
    Column("patient_id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Index("person_patient_person", "person"),
    sqlite_with_rowid=False,
)


awaited = Table(
    "awaited",
    metadata,
    Column("value", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("resource_type", Text, nullable=False, comment="of the target that is not known yet"),
    Column("awaiting_id", Text, nullable=False, comment="the resource that names it"),
    Column("awaiting_type", Text, nullable=False),
    PrimaryKeyConstraint("value", "system", "resource_type", "awaiting_id", "awaiting_type"),
    sqlite_with_rowid=False,
)

takes_part = Table(
    "takes_part",
    metadata,
    Column("hsa_id", Text, nullable=False, comment="who states something of the person, or is named by one who does"),
    Column("person", Text, nullable=False),
    PrimaryKeyConstraint("hsa_id", "person"),
    Index("takes_part_person", "person"),
    sqlite_with_rowid=False,
)
