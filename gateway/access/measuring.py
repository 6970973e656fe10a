"""Measures through the door: what the missions that a caller may see come to over a period.

The Tasks are streamed person by person: what is held is a few numbers a cell, and one part of the Tasks at a time.

https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from gateway.access.answers import FIRST_YEAR, LAST_YEAR
from gateway.access.caller import OPERATOR, Asking
from gateway.access.conditions import narrowing, terminology
from gateway.access.conformance import Canonicals
from gateway.access.decision import decide
from gateway.access.persons import is_protected
from gateway.coordination import agreements
from gateway.coordination.directory import Directory
from gateway.coordination.measures import Asked, Definition, Moments, Person, Tally, cases, read_definition, report
from gateway.coordination.measures.tally import add_all
from gateway.coordination.missions import MISSION
from gateway.coordination.picture import picture
from gateway.errors import BadRequest, NotFound, Unprocessable
from gateway.identity.resolve import Key, logical_references
from gateway.records import Agreed, Resource
from gateway.search.query import Limits, Query, parse
from gateway.store import Stored, UnitOfWork

MOST: Final = 500_000
"""Missions of one period: more than a region has in a year."""
EVERY: Final = 2**40
"""More than there are."""
MOST_DAYS: Final = 3 * 366
MEASURE: Final = "Measure"
PATIENT: Final = "Patient"
FROM_STATEMENTS: Final = frozenset({"trained-arrived", "gap"})
"""What the agreed Task alone does not tell: its statements are read too."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole Swedish days, both counted."""

    first: date
    last: date


class Measuring(Canonicals):
    """measures and evaluate."""

    def measure(self, asking: Asking, name: str) -> Definition:
        """A Measure by its id or url, stored or shipped. NotFound; Unprocessable where it cannot be evaluated here."""
        if "/" in name:
            url = name.partition("|")[0]
            found = next((one.resource() for one in self.stored(asking, MEASURE, url)), None)
            found = found or self._rooms.definitions.resources.get(url)
        else:
            found = self._measure_of(asking, name)
        if found is None or found["resourceType"] != MEASURE:
            raise NotFound("There is no such Measure here.", rule="resource-unknown", where="measure")
        return read_definition(found)

    def evaluate(
        self,
        asking: Asking,
        measures: Sequence[Definition],
        period: Period,
        *,
        by: Collection[str] = (),
        subject: str | None = None,
        most: int = MOST,
    ) -> list[Resource]:
        """A MeasureReport for each, counted in one pass.

        `by`: the dimensions, by the names that the measures have for them; none: all. `subject`: the id of a Patient.
        NotFound for him; BadRequest for the period; Unprocessable where it has more than `most` missions.
        """
        now = self._rooms.clock()
        start, end = self._midnights(period)
        for definition in measures:
            for name in by:
                if name not in definition.dimensions:
                    text = f"This measure is divided by: {', '.join(definition.dimensions)}."
                    raise BadRequest(text, rule="dimension-unknown", where="group-by")
        tallies = [Tally(definition, frozenset(by) or None) for definition in measures]
        whose = self._patients_of(asking, subject) if subject is not None else ()
        query = self._missions(start, end, whose)
        counting = _Counting(self, asking, tallies, start, end, now)
        whole = self._rooms.store.read(lambda uow: counting.all(uow, query, most))
        decision = decide(asking.caller, "Task", takes_part=None)
        if subject is None or not whole:
            self.audit(asking, decision, failure=None if whole else "too-costly")
        if not whole:
            text = f"The period has more than {most} missions. Ask for a shorter one."
            raise Unprocessable(text, rule="too-costly", where="periodStart")
        asked = Asked(period.first, period.last, now, f"{PATIENT}/{subject}" if subject else None)
        return [report(tally, asked) for tally in tallies]

    def count(self, uow: UnitOfWork, measures: Sequence[Definition], period: Period, now: datetime) -> list[Resource]:
        """A MeasureReport for each, of all missions of the period: what the gateway counts by itself."""
        start, end = self._midnights(period)
        tallies = [Tally(definition) for definition in measures]
        counting = _Counting(self, Asking(OPERATOR, "evaluate-measure"), tallies, start, end, now)
        counting.all(uow, self._missions(start, end, ()), EVERY)
        return [report(tally, Asked(period.first, period.last, now)) for tally in tallies]

    def _measure_of(self, asking: Asking, id: str) -> Resource | None:
        try:
            return self.by_id(asking, MEASURE, id)
        except NotFound:
            return self._rooms.definitions.published(MEASURE, id)

    def _midnights(self, period: Period) -> tuple[datetime, datetime]:
        """From midnight to midnight, Swedish time. BadRequest."""
        for name, day in (("periodStart", period.first), ("periodEnd", period.last)):
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                text = f"{name} must lie between {FIRST_YEAR} and {LAST_YEAR}."
                raise BadRequest(text, rule="parameter-malformed", where=name)
        if period.last < period.first:
            raise BadRequest(
                "periodEnd must not lie before periodStart.", rule="parameter-malformed", where="periodEnd"
            )
        if (period.last - period.first).days > MOST_DAYS:
            raise BadRequest("A period is three years at most.", rule="parameter-malformed", where="periodEnd")
        zone = self._rooms.zone
        first = datetime.combine(period.first, time(), zone)
        return first, datetime.combine(period.last + timedelta(days=1), time(), zone)

    def _patients_of(self, asking: Asking, subject: str) -> Sequence[str]:
        """The ids of all Patients that the person is. NotFound."""
        self.read(asking, PATIENT, subject)

        def find(uow: UnitOfWork) -> list[str]:
            person = uow.persons.of_patients([subject]).get(subject, subject)
            return sorted({subject, person, *uow.persons.patients_of([person]).get(person, ())})

        return self._rooms.store.read(find)

    def _missions(self, start: datetime, end: datetime, patients: Sequence[str]) -> Query:
        """The missions that may tell of a period: those asked for in it, or not long before or after."""
        window = agreements.agreement().since
        start, end = start - window, end + window
        codes = ",".join(f"{MISSION}|{code}" for code in sorted(agreements.agreement().missions))
        params = [("code", codes), ("authored-on", f"ge{start.isoformat()}"), ("authored-on", f"lt{end.isoformat()}")]
        if patients:
            params.append(("patient", ",".join(f"{PATIENT}/{id}" for id in patients)))
        return parse(
            "Task",
            params,
            self._rooms.definitions,
            zone=self._rooms.zone,
            bases=(),
            now=self._rooms.clock(),
            limits=Limits(),
            terminology=terminology(self._rooms, ""),
        )


class _Counting:
    """One pass: the tallies, and the units that were met."""

    def __init__(
        self, door: Measuring, asking: Asking, tallies: Sequence[Tally], start: datetime, end: datetime, now: datetime
    ) -> None:
        self._door, self._asking, self._tallies = door, asking, tallies
        self._start, self._end, self._now = start, end, now
        self._organisations: dict[str, Resource] = {}
        self._looked: set[Key] = set()
        self._directory = Directory()
        agreement = agreements.agreement()
        self._arrivals = frozenset(code for one in agreement.missions.values() for code in one.arrived)
        names = {
            name for tally in tallies for group in tally.definition.groups for name in (group.every, group.counted)
        }
        self._needs_statements = bool(names & FROM_STATEMENTS)

    def all(self, uow: UnitOfWork, query: Query, most: int) -> bool:
        """Count all that the caller may see; nothing, and False, where that is more than `most`."""
        rids = uow.streams.rows(query, narrowing(self._door, self._asking.caller), most=most)
        for persons in uow.streams.by_person(rids or ()):
            self._add(uow, persons)
        return rids is not None

    def _add(self, uow: UnitOfWork, persons: Sequence[Sequence[Stored]]) -> None:
        """Count a part."""
        tasks = [[(one, one.resource()) for one in found] for found in persons]
        self._meet(uow, [resource for found in tasks for _, resource in found])
        moments = self._moments(uow, [one for found in persons for one in found])
        patients = self._patients(uow, [found[0].person for found in persons])
        for found in tasks:
            seen = picture(
                patients.get(found[0][0].person or "", {}),
                [Agreed("Task", one.id, one.person, resource, one.contributors) for one, resource in found],
                (),
                self._directory,
                (),
                agreement=agreements.agreement(),
                authority=agreements.authority(),
                at=self._now,
                known_at=self._now,
                since=self._start,
            )
            add_all(self._tallies, cases(Person(seen, moments, self._start, self._end)))

    def _meet(self, uow: UnitOfWork, resources: Iterable[Resource]) -> None:
        """The units that are named and were not met before, and those above them."""
        keys = set(_units(resources)) - self._looked
        met = False
        while keys:
            self._looked |= keys
            ids = set(uow.identifiers.find(keys).values()) - self._organisations.keys()
            read = uow.resources.read_many([("Organization", id) for id in ids])
            fresh = {one.id: one.resource() for one in read.values() if not one.deleted}
            self._organisations |= fresh
            met = met or bool(fresh)
            keys = set(_units(fresh.values())) - self._looked
        if met:
            self._directory = Directory(self._organisations.values())

    def _moments(self, uow: UnitOfWork, tasks: Sequence[Stored]) -> Moments:
        if not self._needs_statements:
            return Moments()
        said = uow.statements.of_resources([("Task", one.id) for one in tasks])
        return Moments.of(self._door.audible(self._asking, said), self._arrivals)

    def _patients(self, uow: UnitOfWork, persons: Iterable[str | None]) -> dict[str, Resource]:
        """By person, the Patient; where a protected person lives is not looked at."""
        read = uow.resources.read_many([(PATIENT, person) for person in set(persons) if person])
        found = {id: one.resource() for (_, id), one in read.items() if not one.deleted}
        return {id: {} if is_protected(one) else one for id, one in found.items()}


def _units(resources: Iterable[Resource]) -> Iterator[Key]:
    for resource in resources:
        yield from (key for _, key in logical_references(resource) if key[0] == "Organization")
