"""The change log: what changed, in an order without gaps, for whoever notifies.

A writer leaves rows without a number; the sequencer numbers them after their commit, one at a time, in the order in
which they were written. A row that a transaction wrote after it had seen another one's commit has the higher serial, so
cause comes before effect, and a number once seen has no unseen number below it. SQLite has one writer, which is also
its sequencer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, or_, select, text

from gateway.store import sets
from gateway.tables import change

SEQUENCER_LOCK = (7305, 1)
"""Any pair, the same in every process; pairs never meet the locks of persons, which are single numbers."""

_COLUMNS = ("seq", "rid", "resource_type", "id", "version", "method", "person", "recorded")

_LAST = select(func.max(change.c.seq))
_IS_UNNUMBERED = exists(change.c.seq).where(change.c.seq.is_(None))
_UNNUMBERED = select(_IS_UNNUMBERED)
_ARE_UNNUMBERED = select(
    exists(change.c.seq).where(change.c.seq.is_(None), change.c.resource_type == bindparam("type"))
)
_BEHIND = select(or_(exists(change.c.seq).where(change.c.seq > bindparam("seq")), _IS_UNNUMBERED))
_AFTER = (
    select(*(change.c[name] for name in _COLUMNS))
    .where(change.c.seq > bindparam("seq"))
    .order_by(change.c.seq)
    .limit(bindparam("limit"))
)
_NUMBER = text(
    """
    WITH last AS (SELECT coalesce(max(seq), 0) AS seq FROM change),
         pending AS (
             SELECT serial, row_number() OVER (ORDER BY serial) AS place
             FROM change WHERE seq IS NULL ORDER BY serial LIMIT :limit
         )
    UPDATE change SET seq = last.seq + pending.place FROM last, pending WHERE change.serial = pending.serial
    """
)


@dataclass(frozen=True, slots=True)
class Change:
    """A version that was saved, under the number by which readers go on."""

    seq: int
    rid: int
    resource_type: str
    id: str
    version: str
    method: str
    person: str | None
    recorded: datetime


class Changes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def after(self, seq: int, *, limit: int = 1000) -> list[Change]:
        """What follows a number, in order and without a gap."""
        return [Change(*row) for row in self._connection.execute(_AFTER, {"seq": seq, "limit": limit})]

    def behind(self, seq: int) -> bool:
        """Whether anything follows a number, or is still to be given one."""
        return sets.holds_any(self._connection, _BEHIND, seq)

    def are_unnumbered(self, resource_type: str) -> bool:
        """Whether anything of that type is still to be given a number."""
        return sets.holds_any(self._connection, _ARE_UNNUMBERED, resource_type)

    def unnumbered(self) -> bool:
        """Whether anything is still to be given a number."""
        return sets.holds_any(self._connection, _UNNUMBERED)

    def last(self) -> int:
        """The highest number given; 0 when there is none."""
        return int(self._connection.scalar(_LAST) or 0)

    def number(self, *, limit: int = 10_000) -> int:
        """Give numbers to what is committed and has none; return to how many. 0 while another process does it."""
        if self._connection.dialect.name == "sqlite":
            return 0
        if not self._connection.scalar(select(func.pg_try_advisory_xact_lock(*SEQUENCER_LOCK))):
            return 0
        return self._connection.execute(_NUMBER, {"limit": limit}).rowcount

    def rows(self, rows: Sequence[tuple[Any, ...]]) -> sets.Rows:
        """What is to be appended for these (columns as above, without a number)."""
        seq = self.last() if self._connection.dialect.name == "sqlite" and rows else None
        return sets.Rows(change, _COLUMNS, [(None if seq is None else seq + n, *row) for n, row in enumerate(rows, 1)])
