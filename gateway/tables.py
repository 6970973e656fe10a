"""The SQLAlchemy tables, group by group: what is kept, and by which key it is found.

Times are `Instant`: microseconds since 1970 in UTC, one order on every database. A column named `partition` is
`partition_key(person, id)`, is part of every key of its table and never null, so that a region can partition by it; it
moves with the person. `rid` alone finds a resource's rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    column,
    event,
    table,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """An aware time as microseconds since 1970: what an Instant column holds."""
    return (time - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def partition_key(person: str | None, id: str) -> int:
    """Everything about one person lies together; what is about nobody spreads by its own id."""
    return int.from_bytes(blake2b((person or id).encode(), digest_size=8).digest(), "big", signed=True)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 (BIGINT)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


Number = BigInteger().with_variant(Integer, "sqlite")
"""A row number that the database gives: SQLite does that for INTEGER PRIMARY KEY only."""


# --- Inbox: raw input, kept before anything is tried with it

_OPEN = "state IN ('waiting', 'working')"
_HELD = "state = 'held'"

inbox = Table(
    "inbox",
    metadata,
    Column("number", Number, primary_key=True, comment="order of arrival"),
    Column("id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("received", Instant, nullable=False),
    Column("as_of", Instant),
    Column("hash", Text, nullable=False, comment="SHA-256 of the body"),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False, comment="waiting | working | done | held"),
    Column("next_item", Integer, nullable=False, comment="items below this one are committed"),
    Column("attempts", Integer, nullable=False),
    Column("owner", Text, comment="the process that has the lease"),
    Column("lease_until", Instant),
    Column("issues", Text, nullable=False, comment="JSON: what is wrong with the message as a whole"),
    Column("map_hash", Text, comment="the package that mapped it, or the first part of it"),
    Index("inbox_open", "number", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
    Index("inbox_source", "source", "received"),
)

# Apart from its message, whose row changes while it is worked on: a row is rewritten whole.
inbox_body = Table(
    "inbox_body",
    metadata,
    Column("inbox_id", Text, ForeignKey("inbox.id"), nullable=False),
    Column("chunk", Integer, nullable=False, comment="from 0; one chunk holds up to 16 MB"),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("inbox_id", "chunk"),
)

inbox_item = Table(
    "inbox_item",
    metadata,
    Column("inbox_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("span_start", BigInteger, comment="bytes in the body"),
    Column("span_end", BigInteger),
    Column("kind", Text, nullable=False, comment="record kind of the mapping package"),
    Column("key", Text, comment="the record within its source"),
    Column("state", Text, nullable=False, comment="done | held | skipped | superseded"),
    Column("issues", Text, nullable=False, comment="JSON"),
    Column("statements", Integer, nullable=False),
    PrimaryKeyConstraint("inbox_id", "seq"),
    Index("inbox_item_held", "inbox_id", sqlite_where=text(_HELD), postgresql_where=text(_HELD)),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("source", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("inbox_id", Text, nullable=False, comment="its items' keys are the records that it holds"),
    PrimaryKeyConstraint("source", "scope", "taken_at", "inbox_id"),
)


# --- Statements: who said what

statement = Table(
    "statement",
    metadata,
    Column("number", Number, primary_key=True, comment="order of recording"),
    Column("digest", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("person", Text),
    Column("record_key", Text, nullable=False),
    Column("effective", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("kind", Text, nullable=False, comment="assert | withdraw | retract"),
    Column("inbox_id", Text),
    Column("item", Integer),
    Column("map_hash", Text),
    Column("body", LargeBinary, nullable=False, comment="compact JSON"),
    Column("turn", SmallInteger, nullable=False, server_default="0", comment="which reading of its record"),
    Index("statement_inbox", "inbox_id", "item"),
    Index("statement_resource", "resource_id", "resource_type"),
    Index("statement_person", "person", "resource_type"),
    Index("statement_record", "source", "record_key"),
)

# Beside the statements, so that years of a person's care need not be read for each answer to who does what. Derived;
# `samverka rebuild` proves it.
_KNOWN = "known_by IS NOT NULL"

bearing = Table(
    "bearing",
    metadata,
    Column("resource_id", Text, nullable=False),
    Column("resource_type", Text, nullable=False, comment="of the types that one person may have thousands of"),
    Column("person", Text, nullable=False, comment="as its statements name him"),
    Column("until", Instant, comment="who asks about a later time need not know of it; null: it may always matter"),
    Column("recorded", Instant, nullable=False, comment="the last of its statements"),
    Column("naming", BigInteger, comment="who spoke of it and whom he named, where there is an end to it"),
    Column("known_by", Text, comment="JSON: by what others of its need know it, where there is an end to it"),
    PrimaryKeyConstraint("resource_id", "resource_type", "person"),
    Index("bearing_person", "person", "until", "recorded", "naming"),
    Index("bearing_known_by", "person", "known_by", sqlite_where=text(_KNOWN), postgresql_where=text(_KNOWN)),
    sqlite_with_rowid=False,
)

naming = Table(
    "naming",
    metadata,
    Column("person", Text, nullable=False),
    Column("number", BigInteger, nullable=False, comment="a hash of the rest"),
    Column("source", Text, nullable=False),
    Column("named", Text, nullable=False, comment="JSON: [resource type, system, value] of each who is named"),
    PrimaryKeyConstraint("person", "number"),
    sqlite_with_rowid=False,
)

link = Table(
    "link",
    metadata,
    Column("number", Number, primary_key=True),
    Column("resource_type", Text, nullable=False),
    Column("from_id", Text, nullable=False),
    Column("to_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="same | proposed | undone"),
    Column("reason", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Index("link_from", "from_id"),
    Index("link_to", "to_id"),
)

map_archive = Table(
    "map_archive",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("package", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("archived", Instant, nullable=False),
    Column("files", LargeBinary, nullable=False, comment="the package's sources, packed: old explanations replay them"),
)


# --- Identity

identifier = Table(
    "identifier",
    metadata,
    Column("value", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("id", Text, nullable=False),
    PrimaryKeyConstraint("value", "system", "resource_type"),
    sqlite_with_rowid=False,
)

person = Table(
    "person",
    metadata,
    Column("key", Text, primary_key=True),
    Column("recorded", Instant, nullable=False),
)

person_patient = Table(
    "person_patient",
    metadata,
    Column("patient_id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("recorded", Instant, nullable=False),
    Index("person_patient_person", "person"),
    sqlite_with_rowid=False,
)


awaited = Table(
    "awaited",
    metadata,
    Column("value", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("resource_type", Text, nullable=False, comment="of the target that is not known yet"),
    Column("awaiting_id", Text, nullable=False, comment="the resource that names it"),
    Column("awaiting_type", Text, nullable=False),
    PrimaryKeyConstraint("value", "system", "resource_type", "awaiting_id", "awaiting_type"),
    sqlite_with_rowid=False,
)

takes_part = Table(
    "takes_part",
    metadata,
    Column("hsa_id", Text, nullable=False, comment="who states something of the person, or is named by one who does"),
    Column("person", Text, nullable=False),
    PrimaryKeyConstraint("hsa_id", "person"),
    Index("takes_part_person", "person"),
    sqlite_with_rowid=False,
)


# --- Resources: the agreed version, and those before it

rid = Sequence("rid", metadata=metadata, data_type=BigInteger)

locator = Table(
    "locator",
    metadata,
    Column("rid", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("partition", BigInteger, nullable=False),
    UniqueConstraint("id", "resource_type"),
)


def _version_columns() -> tuple[Column[Any], ...]:
    """What the current version and a former one have in common; bytes last, so that narrow reads do not pass them."""
    return (
        Column("partition", BigInteger, nullable=False),
        Column("rid", BigInteger, nullable=False),
        Column("resource_type", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Text, nullable=False, comment="opaque"),
        Column("last_updated", Instant, nullable=False),
        Column("method", Text, nullable=False, comment="POST | PUT | PATCH | DELETE"),
        Column("deleted", Boolean, nullable=False),
        Column("digest", LargeBinary, nullable=False, comment="of the content without id and version"),
        Column("person", Text),
        Column("contributors", Text, nullable=False, comment="JSON array, sorted"),
        Column("contradictions", Text, nullable=False, comment="JSON array"),
        Column("organisation", Text, comment="whose command wrote it; null: agreed, or written by the operator"),
        Column("body", LargeBinary, nullable=False, comment="the bytes to serve; empty when deleted"),
    )


resource = Table(
    "resource",
    metadata,
    *_version_columns(),
    PrimaryKeyConstraint("rid", "partition"),
    Index("resource_changed", "last_updated", "rid"),
    Index("resource_type_changed", "resource_type", "last_updated", "rid"),
    Index("resource_person", "person", "resource_type"),
)

resource_version = Table(
    "resource_version",
    metadata,
    Column("superseded", Instant, nullable=False, comment="when the next version took its place"),
    *_version_columns(),
    PrimaryKeyConstraint("rid", "version", "partition"),
    Index("resource_version_changed", "last_updated", "rid"),
    Index("resource_version_type_changed", "resource_type", "last_updated", "rid"),
)

contributor = Table(
    "contributor",
    metadata,
    Column("partition", BigInteger, nullable=False),
    Column("rid", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("rid", "source", "partition"),
    sqlite_with_rowid=False,
)


# --- Search rows: what the search parameters find in the current versions, one table per parameter type
#
# `param` is gateway.search.index.number(resource type, code). `edge` marks what sorting looks at: 1 the smallest value
# of that resource and parameter, 2 the largest, 3 both (there is only one), 0 neither. Nobody sorts by a component of a
# composite parameter: there `edge` says in which of the composite's elements the value stands. Times are microseconds
# as integers, not Instants: their ends may lie beyond what a datetime can hold.

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


# --- Change log, audit, meta

change = Table(
    "change",
    metadata,
    Column("serial", Number, primary_key=True, comment="order of writing"),
    Column("seq", BigInteger, comment="gap-free, given after commit; null: not numbered yet, seen by nobody"),
    Column("rid", BigInteger, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("person", Text),
    Column("recorded", Instant, nullable=False),
    Index("change_seq", "seq", unique=True),
    Index("change_unnumbered", "serial", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
)

audit = Table(
    "audit",
    metadata,
    Column("chain", Text, nullable=False, comment="one hash chain per writer"),
    Column("number", BigInteger, nullable=False, comment="from 1, gap-free within the chain"),
    Column("recorded", Instant, nullable=False),
    Column("person", Text, comment="whose data"),
    Column("body", LargeBinary, nullable=False, comment="compact JSON"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 over the row and the digest before it"),
    PrimaryKeyConstraint("chain", "number"),
    Index("audit_recorded", "recorded"),
    Index("audit_person", "person", "recorded"),
)

audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("recorded", Instant, nullable=False),
    Column("heads", Text, nullable=False, comment="JSON: chain -> [number, digest] at the time of sealing"),
    Column("digest", LargeBinary, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)


# --- Definitions that were written here, and work that is done in the background

definition = Table(
    "definition",
    metadata,
    Column("number", Number, primary_key=True, comment="order of taking in: each row makes the next snapshot"),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="compact JSON; empty when it is withdrawn"),
    Column("recorded", Instant, nullable=False),
    Column("job", BigInteger, comment="what has to be done before it is in use"),
    Index("definition_resource", "resource_id", "resource_type"),
)

job = Table(
    "job",
    metadata,
    Column("number", Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("input", Text, nullable=False, comment="JSON: what is to be done"),
    Column("place", Text, nullable=False, comment="JSON: what is done already"),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False, comment="as far as is known"),
    Column("state", Text, nullable=False, comment="waiting | working | done | failed"),
    Column("created", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, comment="in a row without progress"),
    Column("owner", Text, comment="the process that has the lease"),
    Column("lease_until", Instant),
    Index("job_open", "number", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
)


# --- Gaps: when each person is to be looked at next

watch = Table(
    "watch",
    metadata,
    Column("person", Text, primary_key=True),
    Column("due", Instant, nullable=False, comment="when what is missing may be another, by what is known"),
    Index("watch_due", "due"),
    sqlite_with_rowid=False,
)


# --- Requests that are answered later

deferred = Table(
    "deferred",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("request", Text, nullable=False, comment="JSON: for whom, method, address, headers"),
    Column("body", LargeBinary, nullable=False),
    Column("created", Instant, nullable=False),
    Column("begun", Boolean, nullable=False),
    Column("status", Integer, comment="of the answer, once there is one"),
    Column("headers", Text, comment="JSON"),
    Column("answer", LargeBinary),
    Index("deferred_created", "created"),
    Index("deferred_owner", "owner"),
)


# --- Bulk exports: what each holds was settled at one moment, and its files are read from what is kept

export = Table(
    "export",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("request", Text, nullable=False, comment="JSON: for whom, and what"),
    Column("created", Instant, nullable=False),
    Column("job", BigInteger, nullable=False),
    Column("settled", Instant, comment="of which time it is, once that is known"),
    Column("files", Text, comment="JSON: type, whether deleted, part, count; null until it is settled"),
    Index("export_created", "created"),
    Index("export_owner", "owner"),
)

export_item = Table(
    "export_item",
    metadata,
    Column("export", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="from 1 within its type"),
    Column("rid", BigInteger, nullable=False),
    Column("version", Text, nullable=False, comment="the version of that moment, whatever came after"),
    PrimaryKeyConstraint("export", "resource_type", "deleted", "seq"),
    sqlite_with_rowid=False,
)

# --- Bulk imports: how far each has come; what it could not use are held items of its parts in the inbox

bulk_import = Table(
    "bulk_import",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="who asked: nobody else is answered"),
    Column("key", Text, nullable=False, comment="hash of what is imported: asked for again, it is the same import"),
    Column("request", Text, nullable=False, comment="JSON: for whom, and what"),
    Column("created", Instant, nullable=False),
    Column("job", BigInteger, comment="null where a command does it"),
    Column("ended", Instant),
    Index("bulk_import_owner", "owner", "key"),
    Index("bulk_import_created", "created"),
)

bulk_import_file = Table(
    "bulk_import_file",
    metadata,
    Column("import_id", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("name", Text, nullable=False, comment="as it was given: a path or a URL"),
    Column("type", Text, nullable=False, comment="the type that its resources have; empty where any"),
    Column("lines", Boolean, nullable=False, comment="a resource on each line, or one document"),
    Column("is_kept", Boolean, nullable=False, comment="all of it is in the inbox"),
    Column("issues", Text, nullable=False, comment="JSON: why it could not be read on"),
    PrimaryKeyConstraint("import_id", "file"),
    sqlite_with_rowid=False,
)

bulk_import_part = Table(
    "bulk_import_part",
    metadata,
    Column("import_id", Text, nullable=False),
    Column("file", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("inbox_id", Text, nullable=False),
    Column("hash", Text, nullable=False, comment="SHA-256 of its bytes: what is read again must be the same"),
    Column("first", BigInteger, nullable=False, comment="number of its first line; 0: a document"),
    Column("units", Integer, nullable=False, comment="how many lines or entries it has"),
    Column("next", Integer, nullable=False, comment="those before are committed"),
    Column("stored", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    PrimaryKeyConstraint("import_id", "file", "part"),
    sqlite_with_rowid=False,
)
