"""What a save takes away before it writes: the version that was goes into the history, the rows that found it go.

On PostgreSQL that is one statement, on SQLite, where a statement costs little, one for each table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, insert, select

from gateway.keysets import among
from gateway.store.failures import driver_errors
from gateway.store.few import names
from gateway.store.sets import settle
from gateway.store.versions import FIELDS
from gateway.tables import Instant, contributor, metadata, resource, resource_version, to_micros

_ARCHIVE = insert(resource_version).from_select(
    [*FIELDS, "superseded"],
    select(*(resource.c[name] for name in FIELDS), bindparam("superseded", type_=Instant())).where(
        among(resource.c.rid, "rids")
    ),
)
_REMOVE = resource.delete().where(among(resource.c.rid, "rids"))


@dataclass(frozen=True, slots=True)
class Replaced:
    """The row ids whose current version is taken away, and of these what else is."""

    rids: Sequence[int] = ()
    archived: Sequence[int] = ()
    """Whose version goes into the history: the others' content stays what it was."""
    contributors: Sequence[int] = ()
    indexed: Sequence[int] = ()


def take_away(connection: Connection, what: Replaced, time: datetime) -> None:
    """Make room for what is written next."""
    if not (what.rids or what.contributors or what.indexed):
        return
    if connection.dialect.name == "postgresql":
        settle(connection, _TAKE_AWAY)
        parameters = {name: list(getattr(what, name)) for name in Replaced.__dataclass_fields__}
        with driver_errors(connection, _TAKE_AWAY):
            connection.connection.cursor().execute(_TAKE_AWAY, parameters | {"superseded": to_micros(time)})
        return
    if what.archived:
        connection.execute(_ARCHIVE, {"rids": what.archived, "superseded": time})
    if what.rids:
        connection.execute(_REMOVE, {"rids": what.rids})
    if what.contributors:
        connection.execute(contributor.delete().where(among(contributor.c.rid, what.contributors)))
    if what.indexed:
        for table in search_tables():
            connection.execute(table.delete().where(among(table.c.rid, what.indexed)))


def search_tables() -> list[Table]:
    return [table for name, table in metadata.tables.items() if name.startswith("search_")]


def _in_one() -> str:
    taken = [("resource", "rids", " RETURNING *"), ("contributor", "contributors", "")]
    taken += [(table.name, "indexed", "") for table in search_tables()]
    deleted = ", ".join(
        f"{table}_gone AS (DELETE FROM {table} WHERE rid = ANY(%({rids})b::bigint[]){returning})"  # noqa: S608
        for table, rids, returning in taken
    )
    return (
        f"WITH {deleted} INSERT INTO resource_version ({names((*FIELDS, 'superseded'))}) "  # noqa: S608
        f"SELECT {names(FIELDS)}, %(superseded)b::bigint FROM resource_gone WHERE rid = ANY(%(archived)b::bigint[])"
    )


_TAKE_AWAY = _in_one()
