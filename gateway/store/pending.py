"""Rows that a unit of work has made and not written yet, until they are asked for or it ends.

On PostgreSQL a statement of its own costs more than the few rows in it: what nobody has asked for is written in one
statement with what follows. `sets` writes it, before any statement that may have to tell of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import Connection

from gateway.store.few import Row, Rows, Shape

_KEY = "pending"
_ALWAYS = "SAVEPOINT"
"""What is undone to there must hold nothing that was made before: so all that is put off then was made since."""


class Pending:
    """The rows by what they are rows of, in the order in which they were made."""

    def __init__(self) -> None:
        self._rows: dict[Shape, list[Row]] = {}
        self._tables: set[str] = {_ALWAYS}

    def add(self, given: Iterable[Rows]) -> None:
        for one in given:
            if one.rows:
                self._rows.setdefault(one.shape, []).extend(one.rows)
                self._tables.add(one.table.name)

    def concern(self, sql: str) -> bool:
        """Whether a statement may have to tell of them."""
        return bool(self._rows) and not self._tables.isdisjoint(_words(sql))

    def take(self) -> list[Rows]:
        """All of them, which are nobody's concern from now on."""
        taken = [
            Rows(table, columns, sorted(set(rows)) if perhaps else rows, perhaps)
            for (table, columns, perhaps), rows in self._rows.items()
        ]
        self._rows, self._tables = {}, {_ALWAYS}
        return taken


@contextmanager
def opened(connection: Connection) -> Iterator[None]:
    """Within, rows of this connection may be put off."""
    info = connection.info  # Of a connection that is lost meanwhile it is not to be had.
    info[_KEY] = Pending()
    try:
        yield
    finally:
        del info[_KEY]


def of(connection: Connection) -> Pending | None:
    """Where rows of this connection are put off; None where they are written at once."""
    found: Pending | None = connection.info.get(_KEY)
    return found


def undoes(sql: str) -> bool:
    """Whether by this statement all that was made since its savepoint never was."""
    return sql.startswith("ROLLBACK TO SAVEPOINT")


@lru_cache(maxsize=1024)
def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", sql))
