"""What commands need to know of persons, identifiers and links: one question for all of it, ahead of theirs.

Each of theirs is a short look into an index, and costs more around it than in it. What was asked ahead is answered from
memory, until something of its kind is written or more is locked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, literal_column, or_, select, union_all

from gateway.keysets import among
from gateway.store import sets
from gateway.tables import awaited, identifier, link, person_patient


class Memory:
    """The rows that some keys have: of those that were asked for, and of no others."""

    def __init__(self) -> None:
        self._asked: frozenset[str] = frozenset()
        self._rows: Sequence[Any] = ()

    def learn(self, asked: Iterable[str], rows: Iterable[Any]) -> None:
        self._asked, self._rows = frozenset(asked), list(rows)

    def add(self, rows: Iterable[Any]) -> None:
        """These were written."""
        self._rows = [*self._rows, *rows]

    def forget(self) -> None:
        self._asked, self._rows = frozenset(), ()

    def rows(self, keys: Collection[str]) -> Sequence[Any] | None:
        """What is known, where all is that there is of these keys; perhaps of others too. None where it is not."""
        return self._rows if self._asked.issuperset(keys) else None


class Ahead:
    """What one unit of work has asked ahead. Ask under the locks of those persons."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.patients, self.links = Memory(), Memory()
        """By id: rows of `person_patient`; of links, as `Link` has their fields."""
        self.identifiers, self.awaited = Memory(), Memory()
        """By value: type, system, value, and the id; or the type and id of what awaits it."""

    def forget(self) -> None:
        """Others may have written meanwhile."""
        for one in (self.patients, self.links, self.identifiers, self.awaited):
            one.forget()

    def ask(self, patients: Collection[str], values: Collection[str]) -> None:
        """Learn what there is of these Patients (ids), and of identifiers with these values."""
        if self.patients.rows(patients) is not None and self.identifiers.rows(values) is not None:
            return
        ids, keys = sorted(patients), sorted(values)
        found: dict[str, list[Any]] = {name: [] for name in ("link", "patient", "identifier", "awaited")}
        for kind, *row in sets.fetch(self._connection, _ALL, ids, ids, ids, keys, keys):
            found[kind].append(row)
        links = sorted(found["link"], key=lambda row: row[5])
        self.links.learn(ids, ((*row[:5], row[6]) for row in links))
        self.patients.learn(ids, (row[:2] for row in found["patient"]))
        self.identifiers.learn(keys, (row[:4] for row in found["identifier"]))
        self.awaited.learn(keys, (row[:5] for row in found["awaited"]))


def _rows_of(kind: str, *columns: ColumnElement[Any]) -> Select[Any]:
    """Five texts and two numbers, whatever it is that they are of."""
    missing: list[ColumnElement[Any]] = [literal_column("NULL")] * (7 - len(columns))
    return select(literal_column(f"'{kind}'"), *columns, *missing)


_AWAITED = [awaited.c[name] for name in ("resource_type", "system", "value", "awaiting_type", "awaiting_id")]
_IDENTIFIER = [identifier.c[name] for name in ("resource_type", "system", "value", "id")]
_LINK = [link.c[name] for name in ("resource_type", "from_id", "to_id", "kind", "reason", "number", "recorded")]
# The links go first: by them PostgreSQL knows of what types the columns are.
_ALL = union_all(
    _rows_of("link", *_LINK).where(or_(among(link.c.from_id, "from"), among(link.c.to_id, "to"))),
    _rows_of("patient", person_patient.c.patient_id, person_patient.c.person).where(
        among(person_patient.c.patient_id, "patients")
    ),
    _rows_of("identifier", *_IDENTIFIER).where(among(identifier.c.value, "values")),
    _rows_of("awaited", *_AWAITED).where(among(awaited.c.value, "awaiting")),
)
