"""Background work as rows: what is to be done, how far it is, and who has the lease.

Progress is committed together with what it is progress of, guarded by the lease: a process that is killed loses its job
to another, which goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, bindparam, insert, or_, select, text, update

from gateway.keysets import among
from gateway.store import sets
from gateway.store.inbox import LeaseLost
from gateway.tables import Instant, job, to_micros

State = Literal["waiting", "working", "done", "failed"]

# A constant in the text, or SQLite would not see that its partial index holds just these.
_IS_OPEN = text("job.state IN ('waiting', 'working')")
_QUIET = text(
    "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND xact_start < :since)"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. `input` says what is to be done, `place` how to go on."""

    number: int
    kind: str
    input: Mapping[str, Any]
    place: Mapping[str, Any]
    done: int
    total: int
    state: State
    created: datetime
    attempts: int

    @property
    def percent(self) -> int:
        if self.state == "done":
            return 100
        return 0 if not self.total else min(99, 100 * self.done // self.total)


_COLUMNS = tuple(job.c[name] for name in Job.__dataclass_fields__)
_NOW = bindparam("now", type_=Instant())
_DUE = select(job.c.number).where(
    _IS_OPEN,
    or_(text("job.state = 'waiting'"), job.c.lease_until < _NOW),
    among(job.c.kind, "kinds"),
    job.c.not_before <= _NOW,
)
_IS_DUE = select(_DUE.exists())
_OLDEST = _DUE.order_by(job.c.number).limit(1).with_for_update(skip_locked=True)
_STANDING = select(job.c.place).where(_IS_OPEN, job.c.kind == bindparam("kind"))


class Jobs:
    def __init__(self, connection: Connection, clock: datetime) -> None:
        self._connection = connection
        self._clock = clock

    def put(self, kind: str, input: Mapping[str, Any]) -> int:
        """Let this be done; its number."""
        row = {"kind": kind, "input": _dumped(input), "place": "{}", "done": 0, "total": 0, "state": "waiting"}
        times = {"created": self._clock, "not_before": self._clock, "attempts": 0}
        key = self._connection.execute(insert(job).values(row | times)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def extend(self, number: int, input: Mapping[str, Any]) -> bool:
        """Let a job that nobody has begun do this instead; False when somebody has."""
        waiting = update(job).where(job.c.number == number, job.c.state == "waiting", job.c.place == "{}")
        return self._connection.execute(waiting.values(input=_dumped(input), created=self._clock)).rowcount == 1

    def get(self, number: int) -> Job | None:
        return next(iter(self._jobs(select(*_COLUMNS).where(job.c.number == number))), None)

    def standing(self, kind: str) -> Mapping[str, Any]:
        """How far the one job of a kind is that never ends."""
        ((place,),) = sets.fetch(self._connection, _STANDING, kind)
        found: Mapping[str, Any] = orjson.loads(place)
        return found

    def of_kind(self, kind: str, *, unfinished: bool = False, limit: int = 100) -> list[Job]:
        """The latest first."""
        query = select(*_COLUMNS).where(job.c.kind == kind).order_by(job.c.number.desc()).limit(limit)
        return self._jobs(query.where(_IS_OPEN) if unfinished else query)

    def due(self, kinds: Collection[str]) -> bool:
        """Whether there is a job of these kinds that is due and that nobody works on."""
        now = to_micros(self._clock)
        return sets.holds_any(self._connection, _IS_DUE, now, kinds, now)

    def claim(self, owner: str, kinds: Collection[str], *, lease: timedelta) -> Job | None:
        """The oldest job of these kinds that is due and that nobody works on."""
        given = {"now": self._clock, "kinds": kinds}
        number = self._connection.scalar(_OLDEST, given)
        if number is None:
            return None
        taken = {"state": "working", "owner": owner, "lease_until": self._clock + lease, "attempts": job.c.attempts + 1}
        self._connection.execute(update(job).where(job.c.number == number).values(taken))
        return self.get(number)

    def progress(
        self, number: int, owner: str, *, place: Mapping[str, Any], done: int, total: int, lease: timedelta
    ) -> None:
        """So far it is, in this unit of work; the lease is renewed. LeaseLost."""
        values = {"place": _dumped(place), "done": done, "total": total, "attempts": 0}
        self._as_owner(number, owner, values | {"lease_until": self._clock + lease})

    def renew(self, number: int, owner: str, *, lease: timedelta) -> None:
        """Somebody still works on it, and has come to nothing yet. LeaseLost."""
        self._as_owner(number, owner, {"lease_until": self._clock + lease})

    def put_off(self, number: int, owner: str, *, wait: timedelta) -> None:
        """Give it back until later. LeaseLost."""
        values = {"state": "waiting", "owner": None, "lease_until": None, "not_before": self._clock + wait}
        self._as_owner(number, owner, values)

    def finish(self, number: int, owner: str, *, state: State = "done") -> None:
        """Nothing more to do, or nothing more that can be done. LeaseLost."""
        self._as_owner(number, owner, {"state": state, "owner": None, "lease_until": None})

    def forget(self, kind: str, before: datetime) -> None:
        """Remove jobs of a kind that ended, and were put before that time."""
        ended = job.c.state.in_(("done", "failed"))
        self._connection.execute(job.delete().where(job.c.kind == kind, ended, job.c.created < before))

    def older_writers(self, since: datetime) -> bool:
        """Whether a transaction is under way that began to write before. SQLite has one writer: us."""
        if self._connection.dialect.name == "sqlite":
            return False
        return not self._connection.scalar(_QUIET, {"since": since})

    def _as_owner(self, number: int, owner: str, values: Mapping[str, Any]) -> None:
        mine = update(job).where(job.c.number == number, job.c.owner == owner, job.c.state == "working")
        if self._connection.execute(mine.values(values)).rowcount != 1:
            raise LeaseLost

    def _jobs(self, query: Any) -> list[Job]:
        return [
            Job(**row._asdict() | {"input": orjson.loads(row.input), "place": orjson.loads(row.place)})
            for row in self._connection.execute(query)
        ]


def _dumped(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
