"""Search rows: what the search parameters find in the current versions, one table per parameter type.

`param` is gateway.search.index.number(resource type, code). `edge` marks what sorting looks at: 1 the smallest value
of that resource and parameter, 2 the largest, 3 both (there is only one), 0 neither. Nobody sorts by a component of a
composite parameter: there `edge` says in which of the composite's elements the value stands. Times are microseconds
as integers, not Instants: their ends may lie beyond what a datetime can hold.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    column,
    event,
    table,
)

from gateway.tables.columns import metadata

Ordered = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared by ranges of code points, so that an index finds what begins with something."""


def _search_table(kind: str, columns: tuple[Column[Any], ...], *indexes: tuple[str, ...]) -> Table:
    name = f"search_{kind}"
    return Table(
        name,
        metadata,
        Column("partition", BigInteger, nullable=False),
        Column("rid", BigInteger, nullable=False),
        Column("seq", Integer, nullable=False, comment="from 0 within the resource"),
        Column("param", Integer, nullable=False),
        *columns,
        Column("edge", SmallInteger, nullable=False),
        PrimaryKeyConstraint("rid", "seq", "partition"),
        *(Index(f"{name}_{by[0]}", "param", *by, "rid") for by in indexes),
        sqlite_with_rowid=False,
    )


search_token = _search_table(
    "token",
    (
        Column("system", Ordered, nullable=False, comment="empty where there is none"),
        Column("code", Ordered, nullable=False, comment="folded"),
        Column("cased", Text, nullable=False, comment="the code as it is written where its case matters, else empty"),
    ),
    ("code", "system"),
)

search_reference = _search_table(
    "reference",
    (
        Column("target_type", Ordered, nullable=False, comment="empty for what lies on another server"),
        Column("target_id", Ordered, nullable=False, comment="an id of ours, or the whole url"),
    ),
    ("target_id", "target_type"),
)

search_date = _search_table(
    "date",
    (
        Column("low", BigInteger, nullable=False, comment="the first microsecond of the range"),
        Column("high", BigInteger, nullable=False, comment="the first one after it"),
    ),
    ("low", "high"),
    ("high", "low"),
)

search_string = _search_table(
    "string",
    (
        Column("value", Ordered, nullable=False, comment="normalised, of limited length"),
        Column("exact", Text, nullable=False),
    ),
    ("value",),
)

search_uri = _search_table("uri", (Column("value", Ordered, nullable=False),), ("value",))

search_number = _search_table(
    "number",
    (Column("low", Double, nullable=False), Column("high", Double, nullable=False)),
    ("low", "high"),
)

search_quantity = _search_table(
    "quantity",
    (
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
        Column("system", Ordered, nullable=False),
        Column("code", Ordered, nullable=False, comment="the unit's code; a row in base units has its own system"),
        Column("unit", Ordered, nullable=False, comment="as it is shown"),
    ),
    ("low", "high", "code"),
)

search_position = _search_table(
    "position",
    (
        Column("z", Double, nullable=False, comment="on the unit sphere: north"),
        Column("x", Double, nullable=False, comment="towards longitude 0"),
        Column("y", Double, nullable=False, comment="towards longitude 90"),
    ),
    ("z", "x", "y"),
)

search_text = _search_table(
    "text", (Column("words", Text, nullable=False, comment="normalised, in order; edge: 0 of the narrative, 1 of all"),)
)
# Each database finds words by an index of its own kind. SQLite's stands beside the table, without a copy of the words;
# the last bit of its row ids is `edge`. What is put into the table is put there too, for all rows at once: a trigger
# would let it write a segment to disk for each (`gateway.store.saving`).
search_text_words = table("search_text_words", column("rowid", BigInteger), column("words", Text))
_WORDS = {
    "postgresql": ("CREATE INDEX search_text_words ON search_text USING gin (to_tsvector('simple', words))",),
    "sqlite": (
        "CREATE VIRTUAL TABLE search_text_words USING fts5(words, content='', tokenize='ascii')",
        "CREATE TRIGGER search_text_gone AFTER DELETE ON search_text BEGIN"
        " INSERT INTO search_text_words(search_text_words, rowid, words)"
        " VALUES ('delete', old.rid * 2 + old.edge, old.words); END",
    ),
}
for _dialect, _statements in _WORDS.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(search_text, "after_create", _ddl.execute_if(dialect=_dialect))
