"""Bulk imports: who asked for what, the files, and how far each part of them has come."""

import sqlalchemy as sa
from alembic import op

revision = "0010_import"
down_revision = "0009_export"


def upgrade() -> None:
    op.create_table(
        "bulk_import",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="who asked: nobody else is answered"),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="hash of what is imported: asked for again, it is the same import",
        ),
        sa.Column("request", sa.Text(), nullable=False, comment="JSON: for whom, and what"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.BigInteger(), comment="null where a command does it"),
        sa.Column("ended", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("bulk_import_pkey")),
    )
    op.create_index("bulk_import_owner", "bulk_import", ["owner", "key"], unique=False)
    op.create_index("bulk_import_created", "bulk_import", ["created"], unique=False)
    op.create_table(
        "bulk_import_file",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("file", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="as it was given: a path or a URL"),
        sa.Column("type", sa.Text(), nullable=False, comment="the type that its resources have; empty where any"),
        sa.Column("lines", sa.Boolean(), nullable=False, comment="a resource on each line, or one document"),
        sa.Column("is_kept", sa.Boolean(), nullable=False, comment="all of it is in the inbox"),
        sa.Column("issues", sa.Text(), nullable=False, comment="JSON: why it could not be read on"),
        sa.PrimaryKeyConstraint("import_id", "file", name=op.f("bulk_import_file_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bulk_import_part",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("file", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("inbox_id", sa.Text(), nullable=False),
        sa.Column(
            "hash", sa.Text(), nullable=False, comment="SHA-256 of its bytes: what is read again must be the same"
        ),
        sa.Column("first", sa.BigInteger(), nullable=False, comment="number of its first line; 0: a document"),
        sa.Column("units", sa.Integer(), nullable=False, comment="how many lines or entries it has"),
        sa.Column("next", sa.Integer(), nullable=False, comment="those before are committed"),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "file", "part", name=op.f("bulk_import_part_pkey")),
        sqlite_with_rowid=False,
    )
