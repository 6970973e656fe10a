"""Search rows, one table per parameter type."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003_search"
down_revision = "0002_awaited"

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _table(kind: str, columns: tuple[sa.Column[Any], ...], *indexes: tuple[str, ...]) -> None:
    name = f"search_{kind}"
    op.create_table(
        name,
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("rid", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="from 0 within the resource"),
        sa.Column("param", sa.Integer(), nullable=False),
        *columns,
        sa.Column("edge", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rid", "seq", "partition", name=op.f(f"{name}_pkey")),
        sqlite_with_rowid=False,
    )
    for by in indexes:
        op.create_index(f"{name}_{by[0]}", name, ["param", *by, "rid"], unique=False)


def upgrade() -> None:
    _table(
        "token",
        (
            sa.Column("system", ORDERED, nullable=False, comment="empty where there is none"),
            sa.Column("code", ORDERED, nullable=False, comment="folded: codes are found in any case"),
        ),
        ("code", "system"),
    )
    _table(
        "reference",
        (
            sa.Column("target_type", ORDERED, nullable=False, comment="empty for what lies on another server"),
            sa.Column("target_id", ORDERED, nullable=False, comment="an id of ours, or the whole url"),
        ),
        ("target_id", "target_type"),
    )
    _table(
        "date",
        (
            sa.Column("low", sa.BigInteger(), nullable=False, comment="the first microsecond of the range"),
            sa.Column("high", sa.BigInteger(), nullable=False, comment="the first one after it"),
        ),
        ("low", "high"),
        ("high", "low"),
    )
    _table(
        "string",
        (
            sa.Column("value", ORDERED, nullable=False, comment="normalised, of limited length"),
            sa.Column("exact", sa.Text(), nullable=False),
        ),
        ("value",),
    )
    _table("uri", (sa.Column("value", ORDERED, nullable=False),), ("value",))
    _table(
        "number",
        (sa.Column("low", sa.Double(), nullable=False), sa.Column("high", sa.Double(), nullable=False)),
        ("low", "high"),
    )
    _table(
        "quantity",
        (
            sa.Column("low", sa.Double(), nullable=False),
            sa.Column("high", sa.Double(), nullable=False),
            sa.Column("system", ORDERED, nullable=False),
            sa.Column(
                "code",
                ORDERED,
                nullable=False,
                comment="the unit's code; a row in base units has its own system",
            ),
            sa.Column("unit", ORDERED, nullable=False, comment="as it is shown"),
        ),
        ("low", "high", "code"),
    )
