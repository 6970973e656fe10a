"""Requests that their callers do not wait for: kept, performed in their name, and answered to them alone.

https://hl7.org/fhir/R4/async.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision, source_of
from gateway.access.reading import Reading
from gateway.errors import NotFound, TooManyRequests
from gateway.store import UnitOfWork
from gateway.store.deferred import Deferred

JOB = "request"
"""The kind of job that performs a request."""
KEPT = timedelta(hours=24)
MOST_WAITING = 20
PROGRESS = "x-progress"
OWN = Decision(True, "own-request")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is kept: everything that its answer depends on."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Later:
    """A request that was deferred. Until it is answered `status` is None."""

    id: str
    caller: Caller
    asked: Asked
    begun: bool
    status: int | None
    headers: Mapping[str, str]
    body: bytes


class Deferring(Reading):
    """Keep a request, tell what became of it, withdraw it; and, for the one who performs it, take and answer it."""

    def defer(self, asking: Asking, asked: Asked) -> str:
        """The id under which the answer will be found. TooManyRequests."""
        owner, id, now = source_of(asking.caller), str(uuid.uuid4()), self._rooms.clock()
        request = {"caller": asdict(asking.caller), **asdict(asked)}
        body = request.pop("body")

        def work(uow: UnitOfWork) -> None:
            uow.deferrals.forget(now - KEPT)
            uow.jobs.forget(JOB, now - KEPT)
            if uow.deferrals.waiting(owner) >= MOST_WAITING:
                raise TooManyRequests(
                    f"{MOST_WAITING} of your requests wait for their answer: let them come, or withdraw some.",
                    rule="too-many-deferred",
                )
            uow.deferrals.put(Deferred(id, owner, request, body, now, begun=False))
            uow.jobs.put(JOB, {"id": id})

        self.audit(asking, OWN)
        self._rooms.store.write(work, now=now)
        return id

    def deferred(self, asking: Asking, id: str) -> Later:
        """What became of one's own request. NotFound."""
        found = self._rooms.store.read(lambda uow: uow.deferrals.get(id))
        if found is None or found.owner != source_of(asking.caller):
            self.audit(asking, Decision(True, "nothing-there"), failure="not-found")
            raise NotFound("There is no such request of yours, or it was too long ago.", rule="request-unknown")
        self.audit(asking, OWN)
        return _later(found)

    def withdraw(self, asking: Asking, id: str) -> None:
        """Nobody needs the answer any more. What is being performed already may still be done. NotFound."""
        self.deferred(asking, id)
        self._rooms.store.write(lambda uow: uow.deferrals.remove(id))

    def take(self, id: str) -> Later | None:
        """The request, for who performs it; it says whether somebody began before. None where it was withdrawn."""

        def work(uow: UnitOfWork) -> Deferred | None:
            found = uow.deferrals.get(id)
            if found is not None:
                uow.deferrals.begin(id)
            return found

        found = self._rooms.store.write(work)
        return None if found is None else _later(found)

    def tell(self, id: str, percent: int) -> None:
        """So far it is, for who asks before there is an answer."""
        self._rooms.store.write(lambda uow: uow.deferrals.tell(id, {PROGRESS: f"{percent}%"}))

    def answer(self, id: str, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._rooms.store.write(
            lambda uow: uow.deferrals.answer(id, status=status, headers=headers, answer=body), now=self._rooms.clock()
        )


def _later(found: Deferred) -> Later:
    request = dict(found.request)
    caller = Caller(**request.pop("caller"))
    asked = Asked(**request, body=found.body)
    return Later(found.id, caller, asked, found.begun, found.status, found.headers or {}, found.answer or b"")
