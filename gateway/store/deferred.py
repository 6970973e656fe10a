"""Requests that are answered later: kept with whom they are for, and then with their answer.

https://hl7.org/fhir/R4/async.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, select, update

from gateway.tables import deferred


@dataclass(frozen=True, slots=True)
class Deferred:
    """One request. `status` is None until it is answered."""

    id: str
    owner: str
    request: Mapping[str, Any]
    body: bytes
    created: datetime
    begun: bool
    status: int | None = None
    headers: Mapping[str, str] | None = None
    answer: bytes | None = None


_COLUMNS = tuple(deferred.c[name] for name in Deferred.__dataclass_fields__)


class Deferrals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, one: Deferred) -> None:
        row = {
            "id": one.id,
            "owner": one.owner,
            "request": orjson.dumps(one.request).decode(),
            "body": one.body,
            "created": one.created,
            "begun": False,
        }
        self._connection.execute(insert(deferred).values(row))

    def get(self, id: str) -> Deferred | None:
        row = self._connection.execute(select(*_COLUMNS).where(deferred.c.id == id)).first()
        if row is None:
            return None
        read = row._asdict()
        for name in ("request", "headers"):
            read[name] = None if read[name] is None else orjson.loads(read[name])
        return Deferred(**read)

    def begin(self, id: str) -> None:
        """Somebody works on it now."""
        self._connection.execute(update(deferred).where(deferred.c.id == id).values(begun=True))

    def tell(self, id: str, headers: Mapping[str, str]) -> None:
        """What whoever asks is told by headers until it is answered."""
        unanswered = update(deferred).where(deferred.c.id == id, deferred.c.status.is_(None))
        self._connection.execute(unanswered.values(headers=orjson.dumps(dict(headers)).decode()))

    def answer(self, id: str, *, status: int, headers: Mapping[str, str], answer: bytes) -> None:
        """Keep the answer, if the request is still there."""
        values = {"status": status, "headers": orjson.dumps(dict(headers)).decode(), "answer": answer}
        self._connection.execute(update(deferred).where(deferred.c.id == id).values(values))

    def waiting(self, owner: str) -> int:
        """How many requests of one caller are not answered yet."""
        query = select(func.count()).where(deferred.c.owner == owner, deferred.c.status.is_(None))
        return int(self._connection.scalar(query) or 0)

    def remove(self, id: str) -> None:
        self._connection.execute(deferred.delete().where(deferred.c.id == id))

    def forget(self, before: datetime) -> None:
        """Remove what was asked before that time, answered or not."""
        self._connection.execute(deferred.delete().where(deferred.c.created < before))
