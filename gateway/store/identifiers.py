"""Identifiers: which of our ids a type, system and value belong to. Unique, and given to the first who claims it.

https://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, select

from gateway.keysets import among
from gateway.store import sets
from gateway.store.ahead import Ahead
from gateway.tables import awaited, identifier

Identified = tuple[str, str, str]
"""Resource type, system, value."""

_FIND = select(identifier.c.resource_type, identifier.c.system, identifier.c.value, identifier.c.id).where(
    among(identifier.c.value, "values")
)
_WAITING = select(
    awaited.c.resource_type, awaited.c.system, awaited.c.value, awaited.c.awaiting_type, awaited.c.awaiting_id
).where(among(awaited.c.value, "values"))


NAMED = "\0"
"""What the lock's key of an identifier begins with."""


def lock_keys(identifiers: Iterable[Identified]) -> set[str]:
    """What to hold while identifiers become known, alone; shared, while something is put down to wait for them."""
    return {f"{NAMED}{kind}|{system}|{value}" for kind, system, value in identifiers}


class Identifiers:
    def __init__(self, connection: Connection, ahead: Ahead) -> None:
        self._connection, self._ahead = connection, ahead

    def find(self, wanted: Collection[Identified]) -> dict[Identified, str]:
        """The ids of those that are known."""
        keys = set(wanted)
        if not keys:
            return {}
        values = sorted({value for *_, value in keys})
        rows = self._ahead.identifiers.rows(values)
        if rows is None:
            rows = sets.fetch(self._connection, _FIND, values)
        return {(kind, system, value): id for kind, system, value, id in rows if (kind, system, value) in keys}

    def claim(self, claims: Mapping[Identified, str]) -> dict[Identified, str]:
        """Give each identifier its id unless it has one; return the id that each has now.

        Two processes may claim at once: the later one waits, and is told the id that the first one gave.
        """
        rows = [(value, system, kind, id) for (kind, system, value), id in sorted(claims.items())]
        columns = ("value", "system", "resource_type", "id")
        # Whoever claims has looked, and most that he claims are new: asked for again only where one was not.
        inserted = sets.insert_missing(self._connection, identifier, columns, rows)
        if inserted == len(rows):
            self._ahead.identifiers.add((kind, system, value, id) for value, system, kind, id in rows)
        else:
            self._ahead.identifiers.forget()
        return dict(claims) if inserted == len(rows) else self.find(claims)

    def wait(self, waiting: Mapping[Identified, Collection[tuple[str, str]]]) -> None:
        """Remember which resources (type, id) name these identifiers, that nobody has yet."""
        rows = sorted(
            (value, system, kind, id, awaiting)
            for (kind, system, value), resources in waiting.items()
            for awaiting, id in resources
        )
        columns = ("value", "system", "resource_type", "awaiting_id", "awaiting_type")
        sets.insert_missing(self._connection, awaited, columns, rows)
        if rows:
            self._ahead.awaited.forget()

    def waiting(self, arrived: Collection[Identified]) -> set[tuple[str, str]]:
        """The resources (type, id) that name these identifiers: to be agreed anew now that they are known."""
        keys = set(arrived)
        if not keys:
            return set()
        values = sorted({value for _, _, value in keys})
        rows = self._ahead.awaited.rows(values)
        if rows is None:
            rows = sets.fetch(self._connection, _WAITING, values)
        return {(awaiting, id) for kind, system, value, awaiting, id in rows if (kind, system, value) in keys}
