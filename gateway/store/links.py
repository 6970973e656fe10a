"""Links: decisions that two resources are about the same thing, or are not after all. Rows, never rewritten."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select

from gateway.keysets import among
from gateway.records import Link
from gateway.store import sets
from gateway.store.ahead import Memory
from gateway.store.identifiers import Identified
from gateway.tables import from_micros, link, to_micros

_FIELDS = tuple(Link.__dataclass_fields__)
_RECORDED = _FIELDS.index("recorded")
_FROM, _TO = _FIELDS.index("from_id"), _FIELDS.index("to_id")
_OF = (
    select(*(link.c[name] for name in _FIELDS))
    .where(or_(among(link.c.from_id, "from"), among(link.c.to_id, "to")))
    .order_by(link.c.number)
)

_KNOWN: Mapping[str, Set[str]] = {
    "same": {"same", "undone"},
    "proposed": {"proposed", "same", "undone"},
    "undone": frozenset(),
}
"""By what was said of a pair before, a link of each kind says nothing new. Only a person says `undone`."""


class Links:
    def __init__(self, connection: Connection, ahead: Memory) -> None:
        self._connection, self._ahead = connection, ahead

    def add(self, links: Sequence[Link]) -> None:
        if links:
            self._ahead.forget()
        rows = [(x.resource_type, x.from_id, x.to_id, x.kind, x.reason, to_micros(x.recorded)) for x in links]
        sets.insert(self._connection, link, _FIELDS, rows)

    def proposed(self, resource_types: Collection[str], *, after: int = 0, limit: int) -> list[tuple[int, Link]]:
        """Pairs that are proposed and that nobody has decided on, each as it was first proposed, in that order.

        With their numbers: `after` is the one behind which to go on.
        """
        decided = link.alias()
        pair = or_(
            (decided.c.from_id == link.c.from_id) & (decided.c.to_id == link.c.to_id),
            (decided.c.from_id == link.c.to_id) & (decided.c.to_id == link.c.from_id),
        )
        earlier = (decided.c.kind != "proposed") | (decided.c.number < link.c.number)
        query = select(link.c.number, *(link.c[name] for name in _FIELDS)).where(
            link.c.kind == "proposed",
            among(link.c.resource_type, resource_types),
            link.c.number > after,
            ~exists().where(decided.c.resource_type == link.c.resource_type, pair, earlier),
        )
        rows = self._connection.execute(query.order_by(link.c.number).limit(limit)).all()
        return [(number, Link(*row)) for number, *row in rows]

    def decided(self, *, before: int | None = None, limit: int) -> list[tuple[int, Link]]:
        """What was last decided of each pair, the latest first, with its number; `before` one: those in front of it."""
        later = link.alias()
        pair = or_(
            (later.c.from_id == link.c.from_id) & (later.c.to_id == link.c.to_id),
            (later.c.from_id == link.c.to_id) & (later.c.to_id == link.c.from_id),
        )
        newer = (later.c.kind != "proposed") & (later.c.number > link.c.number)
        query = select(link.c.number, *(link.c[name] for name in _FIELDS)).where(
            link.c.kind != "proposed",
            ~exists().where(later.c.resource_type == link.c.resource_type, pair, newer),
        )
        if before is not None:
            query = query.where(link.c.number < before)
        rows = self._connection.execute(query.order_by(link.c.number.desc()).limit(limit)).all()
        return [(number, Link(*row)) for number, *row in rows]

    def of_targets(self, known: Mapping[Identified, str], *, besides: Sequence[Link] = ()) -> list[Link]:
        """The decisions that say what the targets of references are now, but those at hand."""
        at_hand, found = set(besides), list[Link]()
        seen: set[str] = set()
        while ids := {*known.values(), *(id for one in found for id in (one.from_id, one.to_id))} - seen:
            seen |= ids
            found += [one for one in self.of(sorted(ids)) if one not in at_hand]
            at_hand.update(found)
        return found

    def news(self, links: Collection[Link]) -> list[Link]:
        """What sources show or state of two ids, where it says something that is not known, and that nobody undid."""
        before: dict[frozenset[str], set[str]] = {}
        ids = {id for one in links for id in (one.from_id, one.to_id)}
        for one in self.of(sorted(ids)) if ids else ():
            before.setdefault(_pair(one), set()).add(one.kind)
        return [one for one in links if not before.get(_pair(one), set()) & _KNOWN[one.kind]]

    def all(self) -> Iterator[Link]:
        """Every link, in order of recording."""
        query = select(*(link.c[name] for name in _FIELDS)).order_by(link.c.number)
        return (Link(*row) for row in self._connection.execute(query))

    def of(self, ids: Collection[str], *, known_at: datetime | None = None) -> list[Link]:
        """Every decision that names one of these ids, in order of recording."""
        keys = sorted(ids)
        rows = self._ahead.rows(keys)
        if rows is None:
            rows = sets.fetch(self._connection, _OF, keys, keys)
        else:
            rows = [row for row in rows if row[_FROM] in ids or row[_TO] in ids]
        found = [_plain(row) for row in rows]
        return found if known_at is None else [one for one in found if one.recorded <= known_at]


def _plain(row: Any) -> Link:
    """A link as the driver gives its row."""
    fields = list(row)
    fields[_RECORDED] = from_micros(fields[_RECORDED])
    return Link(*fields)


def _pair(link: Link) -> frozenset[str]:
    return frozenset((link.from_id, link.to_id))
