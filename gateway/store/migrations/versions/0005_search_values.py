"""Search rows of codes whose case matters, of positions and of words.

What earlier versions indexed is read again: `samverka reindex`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_search_values"
down_revision = "0004_replay"

ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

WORDS = {
    "postgresql": ("CREATE INDEX search_text_words ON search_text USING gin (to_tsvector('simple', words))",),
    "sqlite": (
        "CREATE VIRTUAL TABLE search_text_words USING fts5(words, content='', tokenize='ascii')",
        "CREATE TRIGGER search_text_put AFTER INSERT ON search_text BEGIN"
        " INSERT INTO search_text_words(rowid, words) VALUES (new.rid * 2 + new.edge, new.words); END",
        "CREATE TRIGGER search_text_gone AFTER DELETE ON search_text BEGIN"
        " INSERT INTO search_text_words(search_text_words, rowid, words)"
        " VALUES ('delete', old.rid * 2 + old.edge, old.words); END",
    ),
}


def _table(kind: str, *columns: sa.Column[str] | sa.Column[float]) -> None:
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


def upgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE former AS SELECT * FROM search_token")
    op.drop_table("search_token")
    _table(
        "token",
        sa.Column("system", ORDERED, nullable=False, comment="empty where there is none"),
        sa.Column("code", ORDERED, nullable=False, comment="folded"),
        sa.Column(
            "cased", sa.Text(), nullable=False, comment="the code as it is written where its case matters, else empty"
        ),
    )
    op.execute(
        "INSERT INTO search_token (partition, rid, seq, param, system, code, cased, edge)"
        " SELECT partition, rid, seq, param, system, code, '', edge FROM former"
    )
    op.execute("DROP TABLE former")
    op.create_index("search_token_code", "search_token", ["param", "code", "system", "rid"], unique=False)
    _table(
        "position",
        sa.Column("z", sa.Double(), nullable=False, comment="on the unit sphere: north"),
        sa.Column("x", sa.Double(), nullable=False, comment="towards longitude 0"),
        sa.Column("y", sa.Double(), nullable=False, comment="towards longitude 90"),
    )
    op.create_index("search_position_z", "search_position", ["param", "z", "x", "y", "rid"], unique=False)
    _table(
        "text",
        sa.Column(
            "words", sa.Text(), nullable=False, comment="normalised, in order; edge: 0 of the narrative, 1 of all"
        ),
    )
    for statement in WORDS[op.get_bind().dialect.name]:
        op.execute(statement)
