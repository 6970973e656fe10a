"""Everything that a search finds, person by person, and never more than a part of it at a time.

The rows' numbers alone are held, eight bytes each; the resources are read in parts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlalchemy import Connection, select

from gateway.keysets import among
from gateway.search.criteria import matching
from gateway.search.query import Query
from gateway.store.narrowing import Narrowing
from gateway.store.versions import COLUMNS, Stored, stored
from gateway.tables import resource

PART = 500
FETCHED = 10_000


class Streams:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, query: Query, narrowing: Narrowing | None, *, most: int) -> array[int] | None:
        """The rows of what is found, those of a person together; None where they are more than `most`."""
        visible = None if narrowing is None else narrowing.test()
        found = matching(query.types, query.criteria, select(resource.c.rid).select_from(resource), visible)
        ordered = found.order_by(resource.c.person, resource.c.rid).limit(most + 1)
        rids = array("q", self._connection.scalars(ordered.execution_options(yield_per=FETCHED)))
        return None if len(rids) > most else rids

    def by_person(self, rids: Sequence[int], *, part: int = PART) -> Iterator[list[list[Stored]]]:
        """What was found of each person, in parts of about so many resources; a person is in one part."""
        waiting: list[Stored] = []
        for start in range(0, len(rids), part):
            waiting += self._read(rids[start : start + part])
            last = _about(waiting[-1]) if waiting else ""
            if whole := [one for one in waiting if _about(one) != last]:
                yield _persons(whole)
            waiting = [one for one in waiting if _about(one) == last]
        if waiting:
            yield _persons(waiting)

    def _read(self, rids: Sequence[int]) -> list[Stored]:
        query = select(*COLUMNS).where(among(resource.c.rid, list(rids)))
        return [stored(row) for row in self._connection.execute(query.order_by(resource.c.person, resource.c.rid))]


def _about(one: Stored) -> str:
    """What is about nobody that is known stands for itself."""
    return one.person or f" {one.id}"


def _persons(found: Sequence[Stored]) -> list[list[Stored]]:
    return [list(group) for _, group in groupby(found, key=_about)]
