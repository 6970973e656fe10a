"""Links: decisions that two resources are about the same thing, or are not after all. Rows, never rewritten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from gateway.keysets import among
from gateway.records import Link
from gateway.store import sets
from gateway.tables import link, to_micros

_FIELDS = tuple(Link.__dataclass_fields__)


class Links:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, links: Sequence[Link]) -> None:
        rows = [(x.resource_type, x.from_id, x.to_id, x.kind, x.reason, to_micros(x.recorded)) for x in links]
        sets.insert(self._connection, link, _FIELDS, rows)

    def proposed(self, *, limit: int | None) -> list[Link]:
        """Pairs that are proposed and that nobody has decided on, each as it was first proposed, in that order."""
        decided = link.alias()
        pair = or_(
            (decided.c.from_id == link.c.from_id) & (decided.c.to_id == link.c.to_id),
            (decided.c.from_id == link.c.to_id) & (decided.c.to_id == link.c.from_id),
        )
        earlier = (decided.c.kind != "proposed") | (decided.c.number < link.c.number)
        query = select(*(link.c[name] for name in _FIELDS)).where(
            link.c.kind == "proposed", ~exists().where(decided.c.resource_type == link.c.resource_type, pair, earlier)
        )
        return [Link(*row) for row in self._connection.execute(query.order_by(link.c.number).limit(limit)).all()]

    def of(self, ids: Collection[str], *, known_at: datetime | None = None) -> list[Link]:
        """Every decision that names one of these ids, in order of recording."""
        query = select(*(link.c[name] for name in _FIELDS))
        query = query.where(or_(among(link.c.from_id, ids), among(link.c.to_id, ids)))
        if known_at is not None:
            query = query.where(link.c.recorded <= known_at)
        return [Link(*row) for row in self._connection.execute(query.order_by(link.c.number)).all()]
