"""Replay: which maps read a message, and which reading of its record a statement comes from."""

import sqlalchemy as sa
from alembic import op

revision = "0004_replay"
down_revision = "0003_search"


def upgrade() -> None:
    op.add_column(
        "inbox", sa.Column("map_hash", sa.Text(), comment="the package that mapped it, or the first part of it")
    )
    op.add_column(
        "statement",
        sa.Column("turn", sa.SmallInteger(), server_default="0", nullable=False, comment="which reading of its record"),
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite has no comments.
        op.alter_column("statement", "kind", comment="assert | withdraw | retract")
    op.create_index("statement_inbox", "statement", ["inbox_id", "item"], unique=False)
    # What was mapped before this step, as far as it led to a statement.
    op.execute(
        "UPDATE inbox SET map_hash = (SELECT min(s.map_hash) FROM statement s WHERE s.inbox_id = inbox.id)"
        " WHERE map_hash IS NULL"
    )
