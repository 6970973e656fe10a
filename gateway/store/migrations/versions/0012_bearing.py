"""Until when each Task and Encounter bears on who does what: of what is there already, for ever, until it changes."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0012_bearing"
down_revision = "0011_watch"


def upgrade() -> None:
    op.create_table(
        "bearing",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column(
            "resource_type", sa.Text(), nullable=False, comment="of the types that one person may have thousands of"
        ),
        sa.Column("person", sa.Text(), nullable=False, comment="as its statements name him"),
        sa.Column(
            "until",
            sa.BigInteger(),
            comment="who asks about a later time need not know of it; null: it may always matter",
        ),
        sa.Column("recorded", sa.BigInteger(), nullable=False, comment="the last of its statements"),
        sa.Column("naming", sa.BigInteger(), comment="who spoke of it and whom he named, where there is an end to it"),
        sa.Column(
            "known_by", sa.Text(), comment="JSON: by what others of its need know it, where there is an end to it"
        ),
        sa.PrimaryKeyConstraint("resource_id", "resource_type", "person", name=op.f("bearing_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("bearing_person", "bearing", ["person", "until", "recorded", "naming"], unique=False)
    op.create_index(
        "bearing_known_by",
        "bearing",
        ["person", "known_by"],
        unique=False,
        sqlite_where=sa.text("known_by IS NOT NULL"),
        postgresql_where=sa.text("known_by IS NOT NULL"),
    )
    op.create_table(
        "naming",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="a hash of the rest"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "named", sa.Text(), nullable=False, comment="JSON: [resource type, system, value] of each who is named"
        ),
        sa.PrimaryKeyConstraint("person", "number", name=op.f("naming_pkey")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO bearing (resource_id, resource_type, person, recorded)"
        " SELECT resource_id, resource_type, person, MAX(recorded) FROM statement"
        " WHERE person IS NOT NULL AND resource_type IN ('Task', 'Encounter')"
        " GROUP BY resource_id, resource_type, person"
    )
    op.drop_index("statement_person", table_name="statement")
    op.create_index("statement_person", "statement", ["person", "resource_type"], unique=False)
    # An end to what is long over, from where the change log is now; other processes may still write as before.
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    job = sa.text(
        "INSERT INTO job (kind, input, place, done, total, state, created, not_before, attempts)"
        ' SELECT \'reindex\', \'{"types":["Encounter","Task"],"after":\' || (SELECT coalesce(max(seq), 0) FROM change)'
        " || '}', '{}', 0, 0, 'waiting', :now, :now, 0 WHERE EXISTS (SELECT 1 FROM bearing)"
    )
    op.execute(job.bindparams(now=now))
