"""Identifiers: which of our ids a type, system and value belong to. Unique, and given to the first who claims it.

https://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from gateway.keysets import among
from gateway.store import sets
from gateway.tables import awaited, identifier

Identified = tuple[str, str, str]
"""Resource type, system, value."""


class Identifiers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, wanted: Collection[Identified]) -> dict[Identified, str]:
        """The ids of those that are known."""
        keys = set(wanted)
        if not keys:
            return {}
        query = select(identifier.c.resource_type, identifier.c.system, identifier.c.value, identifier.c.id)
        rows = self._connection.execute(query.where(among(identifier.c.value, sorted({value for *_, value in keys}))))
        return {(kind, system, value): id for kind, system, value, id in rows.all() if (kind, system, value) in keys}

    def claim(self, claims: Mapping[Identified, str]) -> dict[Identified, str]:
        """Give each identifier its id unless it has one; return the id that each has now.

        Two processes may claim at once: the later one waits, and is told the id that the first one gave.
        """
        known = self.find(claims)
        missing = {key: id for key, id in claims.items() if key not in known}
        if missing:
            rows = [(value, system, kind, id) for (kind, system, value), id in sorted(missing.items())]
            inserted = sets.insert_missing(
                self._connection, identifier, ("value", "system", "resource_type", "id"), rows
            )
            known |= missing if inserted == len(rows) else self.find(missing)
        return known

    def wait(self, waiting: Mapping[Identified, Collection[tuple[str, str]]]) -> None:
        """Remember which resources (type, id) name these identifiers, that nobody has yet."""
        rows = sorted(
            (value, system, kind, id, awaiting)
            for (kind, system, value), resources in waiting.items()
            for awaiting, id in resources
        )
        columns = ("value", "system", "resource_type", "awaiting_id", "awaiting_type")
        sets.insert_missing(self._connection, awaited, columns, rows)

    def waiting(self, arrived: Collection[Identified]) -> set[tuple[str, str]]:
        """The resources (type, id) that name these identifiers: to be agreed anew now that they are known."""
        keys = set(arrived)
        if not keys:
            return set()
        query = select(awaited).where(among(awaited.c.value, sorted({value for _, _, value in keys})))
        return {
            (row.awaiting_type, row.awaiting_id)
            for row in self._connection.execute(query)
            if (row.resource_type, row.system, row.value) in keys
        }
