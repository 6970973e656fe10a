"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first"
down_revision = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.schema.CreateSequence(sa.Sequence("rid", data_type=sa.BigInteger())))
    op.create_table(
        "audit",
        sa.Column("chain", sa.Text(), nullable=False, comment="one hash chain per writer"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="from 1, gap-free within the chain"),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True, comment="whose data"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="compact JSON"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 over the row and the digest before it"),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("audit_pkey")),
    )
    op.create_index("audit_person", "audit", ["person", "recorded"], unique=False)
    op.create_index("audit_recorded", "audit", ["recorded"], unique=False)
    op.create_table(
        "audit_seal",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Text(), nullable=False, comment="JSON: chain -> [number, digest] at the time of sealing"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("audit_seal_pkey")),
    )
    op.create_table(
        "change",
        sa.Column(
            "serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="order of writing"
        ),
        sa.Column(
            "seq",
            sa.BigInteger(),
            nullable=True,
            comment="gap-free, given after commit; null: not numbered yet, seen by nobody",
        ),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("change_pkey")),
    )
    op.create_index("change_seq", "change", ["seq"], unique=True)
    op.create_index(
        "change_unnumbered",
        "change",
        ["serial"],
        unique=False,
        sqlite_where=sa.text("seq IS NULL"),
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.create_table(
        "contributor",
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rid", "source", "partition", name=op.f("contributor_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identifier",
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("value", "system", "resource_type", name=op.f("identifier_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="order of arrival"
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=False, comment="SHA-256 of the body"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting | working | done | held"),
        sa.Column("next_item", sa.Integer(), nullable=False, comment="items below this one are committed"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True, comment="the process that has the lease"),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("issues", sa.Text(), nullable=False, comment="JSON: what is wrong with the message as a whole"),
        sa.PrimaryKeyConstraint("number", name=op.f("inbox_pkey")),
        sa.UniqueConstraint("id", name=op.f("inbox_id_key")),
    )
    op.create_index(
        "inbox_open",
        "inbox",
        ["number"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'working')"),
        postgresql_where=sa.text("state IN ('waiting', 'working')"),
    )
    op.create_index("inbox_source", "inbox", ["source", "received"], unique=False)
    op.create_table(
        "inbox_item",
        sa.Column("inbox_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("span_start", sa.BigInteger(), nullable=True, comment="bytes in the body"),
        sa.Column("span_end", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="record kind of the mapping package"),
        sa.Column("key", sa.Text(), nullable=True, comment="the record within its source"),
        sa.Column("state", sa.Text(), nullable=False, comment="done | held | skipped | superseded"),
        sa.Column("issues", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("statements", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", "seq", name=op.f("inbox_item_pkey")),
    )
    op.create_index(
        "inbox_item_held",
        "inbox_item",
        ["inbox_id"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "link",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("from_id", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="same | proposed | undone"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("link_pkey")),
    )
    op.create_index("link_from", "link", ["from_id"], unique=False)
    op.create_index("link_to", "link", ["to_id"], unique=False)
    op.create_table(
        "locator",
        sa.Column("rid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rid", name=op.f("locator_pkey")),
        sa.UniqueConstraint("id", "resource_type", name=op.f("locator_id_resource_type_key")),
    )
    op.create_table(
        "map_archive",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("archived", sa.BigInteger(), nullable=False),
        sa.Column(
            "files",
            sa.LargeBinary(),
            nullable=False,
            comment="the package's sources, packed: old explanations replay them",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("map_archive_pkey")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("meta_pkey")),
    )
    op.create_table(
        "person",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("person_pkey")),
    )
    op.create_table(
        "person_patient",
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("person_patient_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("person_patient_person", "person_patient", ["person"], unique=False)
    op.create_table(
        "resource",
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="opaque"),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False, comment="POST | PUT | PATCH | DELETE"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="of the content without id and version"),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("contributors", sa.Text(), nullable=False, comment="JSON array, sorted"),
        sa.Column("contradictions", sa.Text(), nullable=False, comment="JSON array"),
        sa.Column(
            "organisation",
            sa.Text(),
            nullable=True,
            comment="whose command wrote it; null: agreed, or written by the operator",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the bytes to serve; empty when deleted"),
        sa.PrimaryKeyConstraint("rid", "partition", name=op.f("resource_pkey")),
    )
    op.create_index("resource_changed", "resource", ["last_updated", "rid"], unique=False)
    op.create_index("resource_person", "resource", ["person", "resource_type"], unique=False)
    op.create_index("resource_type_changed", "resource", ["resource_type", "last_updated", "rid"], unique=False)
    op.create_table(
        "resource_version",
        sa.Column("superseded", sa.BigInteger(), nullable=False, comment="when the next version took its place"),
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="opaque"),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False, comment="POST | PUT | PATCH | DELETE"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="of the content without id and version"),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("contributors", sa.Text(), nullable=False, comment="JSON array, sorted"),
        sa.Column("contradictions", sa.Text(), nullable=False, comment="JSON array"),
        sa.Column(
            "organisation",
            sa.Text(),
            nullable=True,
            comment="whose command wrote it; null: agreed, or written by the operator",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the bytes to serve; empty when deleted"),
        sa.PrimaryKeyConstraint("rid", "version", "partition", name=op.f("resource_version_pkey")),
    )
    op.create_index("resource_version_changed", "resource_version", ["last_updated", "rid"], unique=False)
    op.create_index(
        "resource_version_type_changed", "resource_version", ["resource_type", "last_updated", "rid"], unique=False
    )
    op.create_table(
        "snapshot",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("inbox_id", sa.Text(), nullable=False, comment="its items' keys are the records that it holds"),
        sa.PrimaryKeyConstraint("source", "scope", "taken_at", "inbox_id", name=op.f("snapshot_pkey")),
    )
    op.create_table(
        "statement",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="order of recording"
        ),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("effective", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="assert | withdraw"),
        sa.Column("inbox_id", sa.Text(), nullable=True),
        sa.Column("item", sa.Integer(), nullable=True),
        sa.Column("map_hash", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="compact JSON"),
        sa.PrimaryKeyConstraint("number", name=op.f("statement_pkey")),
        sa.UniqueConstraint("digest", name=op.f("statement_digest_key")),
    )
    op.create_index("statement_person", "statement", ["person"], unique=False)
    op.create_index("statement_record", "statement", ["source", "record_key"], unique=False)
    op.create_index("statement_resource", "statement", ["resource_id", "resource_type"], unique=False)
    op.create_table(
        "inbox_body",
        sa.Column("inbox_id", sa.Text(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False, comment="from 0; one chunk holds up to 16 MB"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name=op.f("inbox_body_inbox_id_fkey")),
        sa.PrimaryKeyConstraint("inbox_id", "chunk", name=op.f("inbox_body_pkey")),
    )
