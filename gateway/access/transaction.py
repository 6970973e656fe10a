"""A transaction: several commands in one unit of work, and questions that see what they did; all of it or nothing.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self, TypeVar

from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Done
from gateway.access.links import BundleLinks
from gateway.access.performing import Act, Performance
from gateway.access.writing import Writing
from gateway.errors import GatewayError
from gateway.fhir.entries import Entry, within
from gateway.store import Event, UnitOfWork

T = TypeVar("T")


class Transacting(Writing):
    """Performs the entries of a transaction."""

    def transact(
        self,
        asking: Asking,
        body: Body,
        commands: Mapping[int, Command],
        *,
        entries: Sequence[Entry],
        base: str,
        then: Callable[[Self], T],
    ) -> tuple[dict[int, Done], T]:
        """What became of each command, by its entry's index; and what `then` finds, which sees what they did.

        A refusal names the entry by the index that it has in what the client sent.
        """
        places = sorted(commands)
        inside: list[_Inside] = []

        def work(uow: UnitOfWork) -> tuple[dict[int, Done], T]:
            kept = self.keep_body(uow, asking, body)
            at = [(kept[0], place) for place in places] if kept else ()
            links = BundleLinks([entries[index] for index in places], self._rooms.definitions, base)
            performance = Performance(Act(self, self._rooms, uow, asking, at, links))
            done = performance.perform([commands[index] for index in places])
            store = _Inside(uow)
            inside.append(store)
            asked = type(self)(replace(self._rooms, store=store))
            return dict(zip(places, done, strict=True)), then(asked)

        try:
            return self.attempt(
                asking, work, tell=lambda refusal: within(refusal.answer, entries[places[refusal.place]])
            )
        except GatewayError:
            # What was asked within the transaction was decided on, whatever became of the transaction.
            for audit in inside[-1].written if inside else ():
                self._rooms.store.write(audit, now=self._rooms.clock)
            raise


class _Inside:
    """The store as it is within a unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self.written: list[Callable[[UnitOfWork], Any]] = []

    def read(self, work: Callable[[UnitOfWork], T], *, once: bool = False, briefly: bool = False) -> T:
        return work(self._uow)

    def record(self, events: Sequence[Event], *, now: datetime) -> None:
        self.write(lambda uow: uow.audit.add_about(events), now=now)

    def write(self, work: Callable[[UnitOfWork], T], *, now: datetime | Callable[[], datetime] | None = None) -> T:
        self.written.append(work)
        return work(self._uow)
