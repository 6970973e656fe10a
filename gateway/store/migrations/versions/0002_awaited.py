"""References that await their target, and who takes part in whose care."""

import sqlalchemy as sa
from alembic import op

revision = "0002_awaited"
down_revision = "0001_first"


def upgrade() -> None:
    op.create_table(
        "awaited",
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False, comment="of the target that is not known yet"),
        sa.Column("awaiting_id", sa.Text(), nullable=False, comment="the resource that names it"),
        sa.Column("awaiting_type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "value", "system", "resource_type", "awaiting_id", "awaiting_type", name=op.f("awaited_pkey")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "takes_part",
        sa.Column(
            "hsa_id",
            sa.Text(),
            nullable=False,
            comment="who states something of the person, or is named by one who does",
        ),
        sa.Column("person", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hsa_id", "person", name=op.f("takes_part_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("takes_part_person", "takes_part", ["person"], unique=False)
