"""Months of measures, stored: at the turn of a month those behind it are counted, and told as MeasureReports.

They are statements of the gateway, in the name of the organisation that the settings name, and about nobody: every
party may read them (ADR 76). A measure, a month and an organisation have one id; what is told late makes a new version
once five cases have come (coordination/measures/anew.py). docs/measures.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from gateway.access.caller import Asking
from gateway.access.decision import decide
from gateway.access.measuring import MEASURE, Measuring, Period
from gateway.coordination.measures import Definition, anew, read_definition
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.store import UnitOfWork

REPORT: Final = "MeasureReport"
MONTHS: Final = 12
"""So many are counted at each turn: the month that has ended, and those before it, for what was told late."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How far the months are counted."""

    turned: str = ""
    """The first day of the month at whose beginning it was done last; nothing before the first time."""
    left: Sequence[str] = ()
    """The first days of the months that are still to be counted of that."""

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, place: Mapping[str, Any]) -> Turn:
        return cls(str(place.get("turned", "")), tuple(place.get("left", ())))


@dataclass(frozen=True, slots=True)
class CountedMonth:
    """What is to be said of a month, as of when, and how far it is with that."""

    now: datetime
    turn: Turn
    said: Sequence[Statement]


class Months(Measuring):
    """When there is a month to count, the count, its record, and what is stored."""

    def months_again(self, turn: Turn, now: datetime) -> datetime:
        """When a step would find a month to count."""
        if turn.left or not turn.turned:
            return now
        return datetime.combine(_next(date.fromisoformat(turn.turned)), time(), self._rooms.zone)

    def count_month(self, uow: UnitOfWork, turn: Turn, reporter: str) -> CountedMonth:
        """One step, which writes nothing: the next month that is left, for the organisation with this HSA-id."""
        now = self._rooms.clock()
        first = now.astimezone(self._rooms.zone).date().replace(day=1)
        left = turn.left if turn.turned == first.isoformat() else [one.isoformat() for one in _before(first, MONTHS)]
        said = list(self._said(uow, date.fromisoformat(left[0]), reporter, now)) if left else []
        return CountedMonth(now, Turn(first.isoformat(), tuple(left[1:])), said)

    def keep_month(self, uow: UnitOfWork, counted: CountedMonth) -> None:
        """Store what was counted; what somebody has said of it meanwhile is kept, as of any resource."""
        if counted.said:
            self._rooms.recorder.record(uow, counted.said)

    def stored_months(
        self, asking: Asking, reporter: str, measures: Sequence[str], until: date
    ) -> dict[date, dict[str, Resource]]:
        """By the first day of each month before a day, the latest first, what is stored of these measures (ids)."""
        months = _before(until, MONTHS)
        definitions = {id: read_definition(one) for id in measures if (one := self._published(id))}

        def ask(uow: UnitOfWork) -> dict[date, dict[str, Resource]]:
            space = uow.meta.namespace()
            keys = {
                (month, id): (REPORT, report_id(one, month, reporter, space))
                for month in months
                for id, one in definitions.items()
            }
            stored = uow.resources.read_many(keys.values())
            seen = {
                key: one for key, one in stored.items() if not one.deleted and self.may_see(uow, asking, one).allowed
            }
            found = {
                month: {id: seen[keys[month, id]].resource() for id in definitions if keys[month, id] in seen}
                for month in months
            }
            return {month: reports for month, reports in found.items() if reports}

        found = self._rooms.store.read(ask)
        self.audit(asking, decide(asking.caller, REPORT, takes_part=None))
        return found

    def _published(self, id: str) -> Resource | None:
        return self._rooms.definitions.published(MEASURE, id)

    def _said(self, uow: UnitOfWork, month: date, reporter: str, now: datetime) -> Iterator[Statement]:
        """What there is to say of a month: nothing where nothing is told otherwise than it was."""
        definitions = [read_definition(one) for one in self._rooms.definitions.of(MEASURE)]
        period = Period(month, _next(month) - timedelta(days=1))
        space = uow.meta.namespace()
        ids = [report_id(one, month, reporter, space) for one in definitions]
        stored = uow.resources.read_many([(REPORT, id) for id in ids])
        named = {"type": "Organization", "identifier": {"system": HSA_ID, "value": reporter}}
        found = self.count(uow, definitions, period, now)
        is_told = any(map(_counts, found))
        for id, counted in zip(ids, found, strict=True):
            standing = stored.get((REPORT, id))
            if standing is None:
                made = counted if is_told else None
            elif standing.deleted or standing.contributors != (GATEWAY_SOURCE,):
                made = None  # Somebody else has the word on it.
            else:
                made = anew(standing.resource(), counted)
            if made is not None:
                body = {"resourceType": REPORT, "id": id} | made | {"reporter": named}
                origin = Origin(GATEWAY_SOURCE)
                yield make(
                    body=body, origin=origin, record_key=f"{REPORT}|{id}", person=None, effective=now, recorded=now
                )


def report_id(measure: Definition, month: date, reporter: str, namespace: UUID) -> str:
    """The id of what is stored of a month."""
    return str(uuid5(namespace, f"measure-report|{measure.canonical}|{month.isoformat()}|{reporter}"))


def _counts(report: Resource) -> bool:
    """Whether anything was counted; what is masked was."""
    return any(one.get("count") != 0 for group in report["group"] for one in group["population"])


def _next(month: date) -> date:
    """The first day of the month after that of a day."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _before(day: date, months: int) -> list[date]:
    """The first days of the months before that of a day, the latest first."""
    found = [day.replace(day=1)]
    for _ in range(months):
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found[1:]
