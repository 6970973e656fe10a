"""Bulk exports: who asked for what, and which versions each of them holds."""

import sqlalchemy as sa
from alembic import op

revision = "0009_export"
down_revision = "0008_words"


def upgrade() -> None:
    op.create_table(
        "export",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="who asked: nobody else is answered"),
        sa.Column("request", sa.Text(), nullable=False, comment="JSON: for whom, and what"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), comment="of which time it is, once that is known"),
        sa.Column("files", sa.Text(), comment="JSON: type, whether deleted, part, count; null until it is settled"),
        sa.PrimaryKeyConstraint("id", name=op.f("export_pkey")),
    )
    op.create_index("export_created", "export", ["created"], unique=False)
    op.create_index("export_owner", "export", ["owner"], unique=False)
    op.create_table(
        "export_item",
        sa.Column("export", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="from 1 within its type"),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="the version of that moment, whatever came after"),
        sa.PrimaryKeyConstraint("export", "resource_type", "deleted", "seq", name=op.f("export_item_pkey")),
        sqlite_with_rowid=False,
    )
