"""Copies of the first persons of `bench.watch`, made by the database itself: a million Tasks in minutes, not hours.

The first persons go the whole way, through the recorder. Of the others every row of every table is a copy of a first
one's, with the numbers and times in its ids and contents replaced; only the digests are not those of what is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import Column, Connection, MetaData, Table, bindparam, text

from gateway.store import sets
from gateway.tables import change, metadata, partition_key

FIRST: Final = 6_000
"""So many are recorded: a multiple of what units, sources and times of day are numbered by."""
STRIDE: Final = 100_000
"""So far apart are the row numbers of a person and of his next copy: more than the first persons have rows in all."""
_SEARCHES = sorted(name for name, one in metadata.tables.items() if name.startswith("search_") and "param" in one.c)
_WHOSE: Final = {
    "statement": "person",
    "resource": "person",
    "change": "person",
    "bearing": "person",
    "takes_part": "person",
    "person": "key",
    "person_patient": "person",
    **dict.fromkeys(("locator", "contributor", *_SEARCHES), "partition"),
}
"""Every table that has rows about them, and the column that says of whom."""
_NUMBERS: Final = {"locator": "rid", "statement": "number", "change": "serial"}
_MOVED: Final = {"statement": ("effective", "recorded"), "bearing": ("recorded",), "search_date": ("low", "high")}
"""Times that go with the person's number, of the Task whose time is up."""
_IDS: Final = ("bench-p#", "bench-t#-")
_HELD: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("id", "resource_id", "person", "key", "patient_id", "record_key", "code", "target_id"), _IDS),
    **dict.fromkeys(("value", "exact"), ("ummer #",)),
    "body": (*_IDS, "ummer #", "time"),
    "words": ("bench p#", "bench t# ", "ummer #", "spaced time"),
}
"""Which columns hold a person's number (#), and in which words."""
_TIMED: Final = {"time": "{}", "spaced time": "replace(replace({}, ':', ' '), '.', ' ')"}
_FOREVER: Final = 4_000_000_000_000_000_000
_NAMES: Final = ("old", "new", "partition", "topartition", "rid", "step", "moved", "asked", "toasked")


def copies(
    connection: Connection, loaded: int, wanted: int, apart: timedelta, asked: Callable[[int], str]
) -> Iterator[int]:
    """Go on copying until so many are there; yields how many there are, to be committed each time.

    `apart` is the time from a person's first Task to the next one's, `asked` its minute and second as they are written.
    """
    _set_apart(connection)
    while loaded < wanted:
        turn = loaded // FIRST
        last = min((turn + 1) * FIRST, wanted)
        rows = []
        rids = {row.id: row.rid for row in connection.execute(text("SELECT id, rid FROM first_locator"))}
        for new in range(loaded, last):
            old = new % FIRST
            parts = (partition_key(f"bench-p{one}", "") for one in (old, new))
            moved = (new - old) * (apart // timedelta(microseconds=1))
            times = (asked(old), asked(new))
            rows.append((str(old), str(new), *parts, rids[f"bench-t{old}-0"], turn * STRIDE, moved, *times))
        connection.execute(text("DELETE FROM copied"))
        sets.insert(connection, Table("copied", MetaData(), *(Column(name) for name in _NAMES)), _NAMES, rows)
        for name in _WHOSE:
            connection.execute(text(_copying(name, connection.dialect.name)))
        if connection.dialect.name == "sqlite":
            words = "SELECT rid * 2 + edge, words FROM search_text WHERE rid >= :least"
            found = text(f"INSERT INTO search_text_words (rowid, words) {words}")
            connection.execute(found.bindparams(bindparam("least", turn * STRIDE)))
        loaded = last
        yield loaded


def without_indexes(connection: Connection) -> list[str]:
    """Take away, on PostgreSQL, what can be made anew faster than kept: how to make it, in SQL."""
    if connection.dialect.name != "postgresql":
        return []
    of_keys = "SELECT conindid FROM pg_constraint"
    query = f"""
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
        JOIN pg_class ON pg_class.oid = indrelid WHERE relname = ANY(:tables) AND indexrelid NOT IN ({of_keys})
        """
    found = connection.execute(text(query), {"tables": [*_WHOSE]}).all()
    for name, _ in found:
        connection.execute(text(f"DROP INDEX {name}"))
    return [made for _, made in found]


def finish(connection: Connection, indexes: list[str]) -> None:
    """Make the indexes again, and let numbers go on after those that were given."""
    for name in _WHOSE:
        connection.execute(text(f"DROP TABLE IF EXISTS first_{name}"))
    connection.execute(text("DROP TABLE IF EXISTS copied"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        for made in indexes:
            connection.execute(text(made))
        sequences = {"locator.rid": "'rid'"}
        for place in (f"{table}.{number}" for table, number in _NUMBERS.items()):
            table, number = place.split(".")
            sequence = sequences.get(place, f"pg_get_serial_sequence('{table}', '{number}')")
            connection.execute(text(f"SELECT setval({sequence}, (SELECT max({number}) FROM {table}))"))


def tidy(connection: Connection) -> None:
    """What a database does by itself some time after so many rows: not while it is measured. Outside a transaction."""
    connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))


def _set_apart(connection: Connection) -> None:
    """The rows of the first persons, once: the tables that they are copied into grow."""
    there = "SELECT count(*) FROM first_locator"
    kind = "TEXT, new TEXT, partition BIGINT, topartition BIGINT, rid BIGINT, step BIGINT, moved BIGINT"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS copied (old {kind}, asked TEXT, toasked TEXT)"))
    if connection.dialect.has_table(connection, "first_locator") and connection.scalar(text(there)):
        return
    connection.execute(text("DELETE FROM copied"))
    first = [(str(n), partition_key(f"bench-p{n}", "")) for n in range(FIRST)]
    sets.insert(
        connection, Table("copied", MetaData(), Column("old"), Column("partition")), ("old", "partition"), first
    )
    for name, whose in _WHOSE.items():
        key = "copied.partition" if whose == "partition" else "'bench-p' || copied.old"
        found = f"SELECT {name}.* FROM {name} JOIN copied ON {name}.{whose} = {key}"
        connection.execute(text(f"CREATE TABLE first_{name} AS {found}"))


def _copying(name: str, dialect: str) -> str:
    """The statement that copies a table's rows."""
    table = metadata.tables[name]
    whose = _WHOSE[name]
    # PostgreSQL numbers changes itself, after their commit.
    columns = [one for one in table.c if one is not change.c.seq or dialect == "sqlite"]
    key = "c.partition" if whose == "partition" else "'bench-p' || c.old"
    is_first = "f.rid = c.rid" if "rid" in table.c else ""
    is_first = "f.resource_id = 'bench-t' || c.old || '-0'" if "resource_id" in table.c else is_first
    values = ", ".join(_value(table, one, is_first, dialect) for one in columns)
    names = ", ".join(one.name for one in columns)
    return f"INSERT INTO {name} ({names}) SELECT {values} FROM first_{name} f JOIN copied c ON f.{whose} = {key}"


def _value(table: Table, one: Column[object], is_first: str, dialect: str) -> str:
    """What stands in a column of a copy."""
    here = f"f.{one.name}"
    if one.name == "partition":
        return "c.topartition"
    if one is change.c.seq or one.name in ("rid", _NUMBERS.get(table.name)):
        return f"{here} + c.step"
    if one.name in _MOVED.get(table.name, ()):
        return f"{here} + CASE WHEN {is_first} AND {here} < {_FOREVER} THEN c.moved ELSE 0 END"
    if table.name == "statement" and one.name == "digest":
        return f"{here} || '.' || c.new"
    if one.name != "body":
        return _replaced(here, _HELD.get(one.name, ()), is_first)
    as_text = f"convert_from({here}, 'UTF8')" if dialect == "postgresql" else f"CAST({here} AS TEXT)"
    made = _replaced(as_text, _HELD["body"], is_first)
    return f"convert_to({made}, 'UTF8')" if dialect == "postgresql" else f"CAST({made} AS BLOB)"


def _replaced(value: str, held: tuple[str, ...], is_first: str) -> str:
    """Text in which another number stands; of the Task whose time is up, also another time."""
    for before, _, after in (one.partition("#") for one in held if one not in _TIMED):
        value = f"replace({value}, '{before}' || c.old || '{after}', '{before}' || c.new || '{after}')"
    for one in held:
        if one in _TIMED:
            timed = f"replace({value}, {_TIMED[one].format('c.asked')}, {_TIMED[one].format('c.toasked')})"
            value = f"CASE WHEN {is_first} THEN {timed} ELSE {value} END"
    return value
