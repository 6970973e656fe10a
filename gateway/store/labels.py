"""Which profiles, tags and security labels are in use: one resource for each, by whose words it is told.

Search rows hold codes folded; how a label is written, and what it is called, stands in a resource that has it.
https://hl7.org/fhir/R4/resource-operation-meta.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Table, func, select

from gateway.fhir.json import parse
from gateway.keysets import among
from gateway.records import Resource
from gateway.store.narrowing import Narrowing
from gateway.tables import resource, search_token, search_uri


class Labels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def bearers(
        self, tokens: Collection[int], uris: Collection[int], narrowing: Narrowing | None, *, most: int
    ) -> tuple[list[Resource], bool]:
        """Resources that together have every label that is in use, by these parameters; and whether that is all."""
        rids = [
            *self._first(search_token, tokens, ("system", "code"), narrowing, most),
            *self._first(search_uri, uris, ("value",), narrowing, most),
        ]
        wanted = sorted(set(rids[:most]))
        bodies = self._connection.scalars(select(resource.c.body).where(among(resource.c.rid, wanted)))
        return [parse(body) for body in bodies], len(rids) <= most

    def _first(
        self,
        table: Table,
        numbers: Collection[int],
        by: Sequence[str],
        narrowing: Narrowing | None,
        most: int,
    ) -> list[int]:
        rows = table.alias("labels")
        first = func.min(rows.c.rid)
        found = select(first).where(among(rows.c.param, numbers)).group_by(*(rows.c[name] for name in by))
        if narrowing is not None:
            found = found.join(resource, resource.c.rid == rows.c.rid).where(narrowing.test())
        found = found.order_by(first).limit(most + 1)
        return [int(rid) for rid in self._connection.scalars(found)]
