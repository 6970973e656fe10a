"""Resources: read and saved, many at once. What is saved is the agreed version, ready to serve.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, func, select

from gateway.keysets import among
from gateway.search.numbers import number
from gateway.store import saving, sets
from gateway.store.history import History
from gateway.store.numbers import Numbers
from gateway.store.saving import Index, Key, Saved, SavedResource
from gateway.store.versions import COLUMNS, Stored, stored, stored_plain
from gateway.tables import locator, resource, search_date, search_reference

_CURRENT = select(*COLUMNS).join(
    locator, (locator.c.rid == resource.c.rid) & (locator.c.partition == resource.c.partition)
)
_READ = _CURRENT.where(locator.c.id == bindparam("id"), locator.c.resource_type == bindparam("resource_type"))
_READ_MANY = _CURRENT.where(among(locator.c.id, "ids"))

_TOLD_BY_OTHERS = select(resource.c.person).where(
    among(resource.c.person, "persons"),
    among(resource.c.resource_type, "types"),
    resource.c.contributors != bindparam("contributors"),
    resource.c.deleted.is_(False),
)


class About(NamedTuple):
    """What is about a person, who contributed to it, and one range of time that a search parameter gives it."""

    person: str
    resource_type: str
    id: str
    contributors: tuple[str, ...]
    low: int
    high: int

    @property
    def key(self) -> Key:
        return self.resource_type, self.id


class Resources(History):
    def __init__(self, connection: Connection, now: datetime, index: Index, numbers: Numbers) -> None:
        super().__init__(connection)
        self._numbers = numbers
        self._now = now
        self._index = index

    def read(self, resource_type: str, id: str) -> Stored | None:
        """The current version; one that is deleted says so."""
        row = self._connection.execute(_READ, {"id": id, "resource_type": resource_type}).first()
        return None if row is None else stored(row)

    def read_many(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """The current versions of those that are there, deleted ones included."""
        wanted = set(keys)
        if not wanted:
            return {}
        rows = sets.fetch(self._connection, _READ_MANY, sorted({id for _, id in wanted}))
        found = map(stored_plain, rows)
        return {(one.resource_type, one.id): one for one in found if (one.resource_type, one.id) in wanted}

    def of_person(self, person: str, *, resource_types: Collection[str] = ()) -> list[Stored]:
        """Everything current about a person, in order of type and id."""
        query = select(*COLUMNS).where(resource.c.person == person, resource.c.deleted.is_(False))
        if resource_types:
            query = query.where(among(resource.c.resource_type, resource_types))
        query = query.order_by(resource.c.resource_type, resource.c.id)
        return [stored(row) for row in self._connection.execute(query)]

    def named_by(
        self, resource_type: str, ids: Collection[str], parameters: Collection[str], target_type: str
    ) -> set[str]:
        """The ids of this type that some current versions refer to, by the rows of search parameters."""
        if not ids:
            return set()
        rows = search_reference.c
        query = select(rows.target_id).join(locator, locator.c.rid == rows.rid)
        query = query.where(among(locator.c.id, ids), locator.c.resource_type == resource_type)
        numbers = [number(resource_type, one) for one in parameters]
        query = query.where(among(rows.param, numbers), rows.target_type == target_type)
        return set(self._connection.scalars(query))

    def naming(
        self, resource_type: str, parameters: Collection[str], target_type: str, target_ids: Collection[str]
    ) -> list[Stored]:
        """The current versions of a type that refer to one of these, by the rows of search parameters."""
        rows = search_reference.c
        rids = select(rows.rid).where(among(rows.param, [number(resource_type, one) for one in parameters]))
        rids = rids.where(rows.target_type == target_type, among(rows.target_id, target_ids))
        query = select(*COLUMNS).where(resource.c.rid.in_(rids), resource.c.deleted.is_(False))
        return [stored(row) for row in self._connection.execute(query.order_by(resource.c.id))]

    def told_by_others(
        self, persons: Collection[str], types: Collection[str], contributors: Collection[str]
    ) -> set[str]:
        """The persons of whom resources of these types tell whose contributors are others than just these."""
        same = orjson.dumps(sorted(set(contributors))).decode()
        return {row[0] for row in sets.fetch(self._connection, _TOLD_BY_OTHERS, sorted(persons), sorted(types), same)}

    def about_then(
        self, persons: Collection[str], parameters: Mapping[str, Collection[str]], first: int, last: int
    ) -> list[About]:
        """What is about these persons and, by its date `parameters` (by type), touches the time between two moments.

        Each date row that does so is one About.
        """
        rows, numbers = search_date.c, {number(kind, one) for kind, some in parameters.items() for one in some}
        about = resource.c.person, resource.c.resource_type, resource.c.id, resource.c.contributors
        query = select(*about, rows.low, rows.high, rows.param)
        query = query.join(search_date, (rows.rid == resource.c.rid) & (rows.partition == resource.c.partition))
        query = query.where(among(resource.c.person, persons), among(resource.c.resource_type, parameters))
        # Which parameter it is, is looked at here: by it, a database would begin with everybody's dates.
        query = query.where(resource.c.deleted.is_(False), rows.low <= last, rows.high >= first)
        found = self._connection.execute(query)
        return [About(*row[:3], tuple(orjson.loads(row[3])), *row[4:6]) for row in found if row.param in numbers]

    def all(self, *, resource_type: str | None = None, batch: int = 500) -> Iterator[Stored]:
        """Every current version, deleted ones included, in the order in which they were first saved."""
        after = 0
        while True:
            query = _CURRENT.where(locator.c.rid > after).order_by(locator.c.rid).limit(batch)
            if resource_type is not None:
                query = query.where(resource.c.resource_type == resource_type)
            rows = self._connection.execute(query).all()
            yield from map(stored, rows)
            if len(rows) < batch:
                return
            after = rows[-1].rid

    def following(self, rid: int, types: Collection[str] | None, *, limit: int) -> list[Stored]:
        """The next current versions, of these types or of all, in the order in which they were first saved."""
        query = _CURRENT.where(locator.c.rid > rid, resource.c.deleted.is_(False)).order_by(locator.c.rid).limit(limit)
        if types is not None:
            query = query.where(among(resource.c.resource_type, types))
        return [stored(row) for row in self._connection.execute(query)]

    def reindex(self, found: Sequence[Stored]) -> None:
        """Write the search rows of these current versions anew, by the definitions as they are now.

        Callers hold the locks of their persons and ids, and have read them under these.
        """
        saving.reindex(self._connection, self._now, self._index, found)

    def count(self) -> dict[str, int]:
        """How many there are of each type."""
        kind = resource.c.resource_type
        query = select(kind, func.count()).where(resource.c.deleted.is_(False)).group_by(kind).order_by(kind)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def save(self, given: Iterable[SavedResource], unheard: Collection[Key] = ()) -> list[Saved]:
        """Save many at once, set-wise; of one key the last one. Answers in the order given.

        Nothing is stored of the `unheard`, so that it is not looked for.

        Callers hold the locks of their persons (without a person: of their ids). Two saves of one resource that did
        not know of each other would each be right, and one of them lost.
        """
        return saving.save(self._connection, self._now, self._index, self._numbers, given, unheard)
