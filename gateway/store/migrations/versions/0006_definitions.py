"""Definitions that were written here, and background work; the first: to read again what the step before is about."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006_definitions"
down_revision = "0005_search_values"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('waiting', 'working')")


def upgrade() -> None:
    op.create_table(
        "definition",
        sa.Column("number", NUMBER, nullable=False, comment="order of taking in: each row makes the next snapshot"),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="compact JSON; empty when it is withdrawn"),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.BigInteger(), comment="what has to be done before it is in use"),
        sa.PrimaryKeyConstraint("number", name=op.f("definition_pkey")),
    )
    op.create_index("definition_resource", "definition", ["resource_id", "resource_type"], unique=False)
    op.create_table(
        "job",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False, comment="JSON: what is to be done"),
        sa.Column("place", sa.Text(), nullable=False, comment="JSON: what is done already"),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False, comment="as far as is known"),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting | working | done | failed"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="in a row without progress"),
        sa.Column("owner", sa.Text(), comment="the process that has the lease"),
        sa.Column("lease_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number", name=op.f("job_pkey")),
    )
    op.create_index("job_open", "job", ["number"], unique=False, sqlite_where=OPEN, postgresql_where=OPEN)
    # Everything, from where the change log is now.
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    job = sa.text(
        "INSERT INTO job (kind, input, place, done, total, state, created, not_before, attempts)"
        " SELECT 'reindex', '{\"after\":' || (SELECT coalesce(max(seq), 0) FROM change) || '}', '{}', 0, 0, 'waiting',"
        " :now, :now, 0 WHERE EXISTS (SELECT 1 FROM resource)"
    )
    op.execute(job.bindparams(now=now))
