"""SQLite's index of words is filled for many resources at once, no longer row by row."""

from alembic import op

revision = "0008_words"
down_revision = "0007_deferred"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER IF EXISTS search_text_put")
