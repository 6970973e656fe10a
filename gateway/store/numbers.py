"""The row ids of what is new, drawn ahead: one question to PostgreSQL for those of many resources.

What is drawn and not used stays unused, as with any sequence. https://www.postgresql.org/docs/current/functions-sequence.html
"""

from __future__ import annotations

from threading import Lock

from sqlalchemy import Connection

from gateway.store import sets
from gateway.tables import rid

AHEAD = 64
"""So many are drawn at least. They lie in the order of being drawn, and nearly in that of being used."""
_DRAW = f"SELECT nextval('{rid.name}') FROM generate_series(1, %s)"  # noqa: S608
_LAST = "SELECT max(rid) AS rid FROM locator"
GO_ON = f"SELECT setval('{rid.name}', last.rid) FROM ({_LAST}) last WHERE last.rid > nextval('{rid.name}')"  # noqa: S608
"""Behind all that were given: who stands in for a database that is gone may not know of its last ones.

Where it is there already the sequence stays where it is, for others draw from it meanwhile: it must never go back.
"""


class Numbers:
    """Thread-safe, and one for all units of work of a process."""

    def __init__(self) -> None:
        self._drawn: list[int] = []
        self._behind = False
        self._lock = Lock()

    def forget(self) -> None:
        """The database that gave them is gone: who stands in for it may give them anew."""
        with self._lock:
            self._drawn = []

    def doubt(self) -> None:
        """One of them may have been taken: the next are drawn behind all that were given."""
        with self._lock:
            self._drawn, self._behind = [], True

    def take(self, connection: Connection, count: int) -> list[int]:
        """The next so many. A unit of work that fails has used them up."""
        with self._lock:
            taken, self._drawn = self._drawn[:count], self._drawn[count:]
            behind, self._behind = self._behind and count > 0, self._behind and not count
        if (missing := count - len(taken)) == 0:
            return taken
        if behind:
            sets.run(connection, GO_ON)
        drawn = [int(number) for (number,) in sets.run(connection, _DRAW, missing + AHEAD)]
        with self._lock:
            if not self._behind:  # Else these were drawn before.
                self._drawn += drawn[missing:]
        return taken + drawn[:missing]
