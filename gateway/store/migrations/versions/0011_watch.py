"""When each person is to be looked at next for what is missing."""

import sqlalchemy as sa
from alembic import op

revision = "0011_watch"
down_revision = "0010_import"


def upgrade() -> None:
    op.create_table(
        "watch",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column(
            "due", sa.BigInteger(), nullable=False, comment="when what is missing may be another, by what is known"
        ),
        sa.PrimaryKeyConstraint("person", name=op.f("watch_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("watch_due", "watch", ["due"], unique=False)
