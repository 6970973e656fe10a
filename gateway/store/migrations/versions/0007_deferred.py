"""Requests that are answered later."""

import sqlalchemy as sa
from alembic import op

revision = "0007_deferred"
down_revision = "0006_definitions"


def upgrade() -> None:
    op.create_table(
        "deferred",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="who asked: nobody else is answered"),
        sa.Column("request", sa.Text(), nullable=False, comment="JSON: for whom, method, address, headers"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), comment="of the answer, once there is one"),
        sa.Column("headers", sa.Text(), comment="JSON"),
        sa.Column("answer", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("deferred_pkey")),
    )
    op.create_index("deferred_created", "deferred", ["created"], unique=False)
    op.create_index("deferred_owner", "deferred", ["owner"], unique=False)
