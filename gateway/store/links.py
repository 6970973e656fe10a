"""Links: decisions that two resources are about the same thing, or are not after all. Rows, never rewritten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select

from gateway.keysets import among
from gateway.records import Link
from gateway.store import sets
from gateway.tables import from_micros, link, to_micros

_FIELDS = tuple(Link.__dataclass_fields__)
_RECORDED = _FIELDS.index("recorded")
_OF = (
    select(*(link.c[name] for name in _FIELDS))
    .where(or_(among(link.c.from_id, "from"), among(link.c.to_id, "to")))
    .order_by(link.c.number)
)


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
        keys = sorted(ids)
        rows = sets.fetch(self._connection, _OF, keys, keys) if keys else ()
        found = [_plain(row) for row in rows]
        return found if known_at is None else [one for one in found if one.recorded <= known_at]


def _plain(row: Any) -> Link:
    """A link as the driver gives its row."""
    fields = list(row)
    fields[_RECORDED] = from_micros(fields[_RECORDED])
    return Link(*fields)
