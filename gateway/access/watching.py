"""What is missing is raised as a DetectedIssue when it begins, and resolved when it ends; and closed units have heirs.

The change log says of whom something has changed, the watch when to look though nothing has. Many persons are looked at
together: read in one snapshot, recorded in one unit of work. Raised gaps are statements of the gateway like any other,
so that they have a history, are found by search, and `rebuild` proves them. So is what passes to an heir on the day on
which he takes over (succeeding.py), and that the time of a consent is over (lapsing.py): both are stated under the
locks of their persons. docs/gaps.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gateway.access.glances import Glance, evidence_of, glances
from gateway.access.lapsing import lapse
from gateway.access.raising import news
from gateway.access.reading import Rooms, heard_by_all
from gateway.access.standpoints import Standpoint, Units, UnitsKept, standpoints
from gateway.access.succeeding import TASK, Succeeding
from gateway.access.worklists import hsa_ids
from gateway.coordination import agreements
from gateway.coordination.compartments import WITHIN
from gateway.coordination.due import TICK, falls_silent
from gateway.coordination.gap import Gap
from gateway.coordination.glance import glance, with_evidence
from gateway.coordination.picture import READ
from gateway.coordination.plans.basis import WITHHELD
from gateway.coordination.see import missing
from gateway.identity.resolve import Key
from gateway.logs import logger
from gateway.records import Resource, Statement
from gateway.store import Change, UnitOfWork

log = logger(__name__)
After = TypeVar("After")

CHANGES = 2_000
PERSONS = 250
"""At so many a step looks: what is read and written for all of them together is paid once."""
PASSING = 100
"""Of so many persons Tasks pass on in one unit of work: each of them has a new version, and perhaps a plan."""
PAGE = 500
"""Rows of a source that has fallen silent or was heard again, persons of a unit that has changed: a part of them."""
UNITS = 50
"""Of so many changed units a step asks at most."""
AT_LEISURE = datetime(1970, 1, 1, tzinfo=UTC)
"""When those are to be looked at who wait for room in a step, whoever comes later: they are the longest overdue."""
AGAIN = timedelta(hours=1)
"""A person at whom nobody could look is looked at then: the others must not wait for him."""
_ALONE = f"{TASK}/"
"""How the key of a Task begins that is about nobody, where a person's stands else."""
LABEL = WITHHELD[1].encode()


@dataclass(frozen=True, slots=True)
class Place:
    """How far the watch is."""

    seq: int = 0
    """The last change that was read."""
    silent: Mapping[str, int] = field(default_factory=dict)
    """The sources that are silent, with when each was last heard (milliseconds since 1970)."""
    turned: Mapping[str, int] = field(default_factory=dict)
    """Those of which everybody is still to be looked at, each with the row up to which they are known."""
    changed: Mapping[str, str] = field(default_factory=dict)
    """The changed units (HSA-id) of which it is so, each with the person (key) up to whom they are known."""

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, place: Mapping[str, Any]) -> Place:
        return cls(int(place.get("seq", 0)), place.get("silent", {}), place.get("turned", {}), place.get("changed", {}))


@dataclass(frozen=True, slots=True)
class Looked:
    """What a step has seen, as of when, and what is to be written of it."""

    now: datetime
    place: Place
    said: Sequence[Statement]
    expected: Mapping[str, datetime | None]
    lapsing: Sequence[str]
    """The persons of whom a plan is drawn up by a consent whose time may be over."""
    passing: Sequence[str]
    """The persons of whom, and the Tasks about nobody of which, something may pass to an heir."""
    about: Collection[str]
    """At whom was looked: the persons, and the Tasks about nobody."""
    more: bool
    """Whether somebody waits already."""

    @property
    def looked(self) -> int:
        return len(self.about)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """At whom a step looks, and at whom later; `due` are those whose time has come."""

    due: Sequence[str]
    others: Sequence[str]
    later: Mapping[str, datetime]
    place: Place
    more: bool


class Watching(Succeeding):
    """When there is something to do, the look at what it is, and the record of what was seen."""

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms)
        self._units = UnitsKept()

    def watch_again(self, uow: UnitOfWork, place: Place, now: datetime) -> datetime | None:
        """When a step would find anything: at once, when the next time comes, or with the next change."""
        silent, coming = self._silent(uow, now)
        if place.turned or place.changed or silent != place.silent or uow.changes.behind(place.seq):
            return now
        return min((time for time in (uow.watch.next(), coming) if time is not None), default=None)

    def watch(self, uow: UnitOfWork, place: Place, busy: Collection[str] = ()) -> Looked:
        """One step, which writes nothing: who is to be looked at now, and what is to be said of them.

        What changes meanwhile is read as a change afterwards, and looked at again. Who is `busy` was looked at in the
        step before, which may not be in this snapshot: he waits for the next one.
        """
        changes = uow.changes.after(place.seq, limit=CHANGES)
        now = self._rooms.clock()  # After the snapshot has begun: what is in it was recorded before.
        chosen = self._chosen(uow, place, changes, now, busy)
        wanted = [*chosen.due, *chosen.others]
        alone = [one for one in wanted if one.startswith(_ALONE)]
        persons = [one for one in wanted if not one.startswith(_ALONE)]
        self._units.follow(place.seq, changes, all_there=len(changes) < CHANGES)
        said, found, lapsing, passing = self._look_at(uow, persons, now)
        before = uow.watch.of([*chosen.others, *chosen.later])
        expected = {one: time for one, time in found.items() if one in chosen.due or before.get(one) != time}
        expected |= chosen.later
        for one in changes:  # By a clock that runs ahead of ours: nobody knew of it yet, at our time.
            ahead = one.recorded + TICK
            if ahead > now != one.recorded and one.person in (found.keys() | chosen.later):
                expected[one.person] = min(ahead, expected.get(one.person) or before.get(one.person) or ahead)
        more = chosen.more or len(alone) + len(passing) > PASSING
        return Looked(now, chosen.place, said, expected, lapsing, [*alone, *passing], frozenset(wanted), more)

    def _chosen(
        self, uow: UnitOfWork, place: Place, changes: Sequence[Change], now: datetime, busy: Collection[str]
    ) -> _Chosen:
        """At whom the step looks. Half of it at least is for those of whom something has changed."""
        silent, _ = self._silent(uow, now)
        units = self._changed(uow, changes)
        concerned = self._concerned(uow, changes, units)
        most = PERSONS - min(len(concerned), PERSONS // 2)
        due = uow.watch.due(now, limit=most, without=busy)
        concerned -= set(due)
        turned = {id for id in {*silent, *place.silent} if silent.get(id) != place.silent.get(id)}
        many, sources, parts = self._at_leisure(
            uow,
            {**place.turned, **dict.fromkeys(turned, 0)},
            {**place.changed, **dict.fromkeys((hsa_id for one in units for hsa_id in hsa_ids(one)), "")},
            PERSONS - len(due) - len(concerned),
        )
        many -= {*due, *concerned}
        others = [one for one in (*sorted(concerned), *sorted(many)) if one not in busy][: PERSONS - len(due)]
        later = dict.fromkeys(concerned.difference(others), now) | dict.fromkeys(many.difference(others), AT_LEISURE)
        seq = changes[-1].seq if changes else place.seq
        more = bool(later or sources or parts) or len(changes) == CHANGES or len(due) == most
        return _Chosen(due, others, later, Place(seq, silent, sources, parts), more)

    def keep_watched(self, uow: UnitOfWork, looked: Looked) -> None:
        """Write down what was seen, pass on what closed units had, and close drafts whose consent is over.

        Of whom that changes, it is looked again.
        """
        again = self._pass_on(uow, looked.passing) if looked.passing else {}
        if looked.lapsing:
            again |= dict.fromkeys(lapse(self._rooms.recorder, uow, looked.lapsing), uow.now)
        said = [one for one in looked.said if one.person not in again]
        if said:
            self._rooms.recorder.record(uow, said)
        uow.watch.expect({**looked.expected, **again})

    def _pass_on(self, uow: UnitOfWork, keys: Sequence[str]) -> dict[str, datetime | None]:
        """When to look again at those of whom something has passed on, and at the Tasks about nobody."""
        now, later = keys[:PASSING], keys[PASSING:]
        uow.lock(now)
        again: dict[str, datetime | None] = dict.fromkeys(later, uow.now)
        for key in (one for one in now if one.startswith(_ALONE)):
            again[key] = self.pass_on_alone(uow, key.removeprefix(_ALONE))
        persons = [one for one in now if not one.startswith(_ALONE)]
        return again | dict.fromkeys(self.pass_on(uow, persons), uow.now)

    def _silent(self, uow: UnitOfWork, now: datetime) -> tuple[dict[str, int], datetime | None]:
        """The sources that are silent, and when the next one will be. There are few sources, and many persons."""
        sources = [one for one in self._rooms.sources.values() if one.cadence is not None]
        heard = uow.inbox.heard([one.id for one in sources], known_at=now)
        agreement = agreements.agreement()
        times = {one.id: falls_silent(one, heard.get(one.id), agreement) for one in sources}
        silent = {
            id: int(heard[id].timestamp() * 1000) for id, time in times.items() if time is not None and time <= now
        }
        return silent, min((time for time in times.values() if time is not None and time > now), default=None)

    def _at_leisure(
        self, uow: UnitOfWork, turned: Mapping[str, int], changed: Mapping[str, str], room: int
    ) -> tuple[set[str], dict[str, int], dict[str, str]]:
        """Some of the very many at whom one event has us look, as there is room for them; and who is left.

        They are those of whom sources spoke that have fallen silent, or were heard again, and those in whose care
        changed units take part.
        """
        found: set[str] = set()
        sources = _some(found, room, turned, lambda id, after: uow.watch.of_source(id, after, limit=PAGE))
        units = _some(found, room, changed, lambda id, after: uow.persons.some_in_care_of(id, after, limit=PAGE))
        return {one for one in found if not one.startswith(WITHIN)}, sources, units

    def _changed(self, uow: UnitOfWork, changes: Sequence[Change]) -> list[Resource]:
        """The Organizations that are others now."""
        keys = [("Organization", one.id) for one in changes if one.resource_type == "Organization"]
        return [one.resource() for one in uow.resources.read_many(keys).values() if not one.deleted] if keys else []

    def _concerned(self, uow: UnitOfWork, changes: Sequence[Change], units: Sequence[Resource]) -> set[str]:
        """The persons whose gaps may be others now, and the Tasks about nobody.

        Those of whom something was told that gaps are computed from, and those of whom anything is withheld, or was:
        with it goes all that its record said. Tasks about nobody that name one of these units, too.
        """
        persons = {one.person for one in changes if one.person and one.resource_type in READ | {"Patient"}}
        persons |= {one.id for one in changes if one.resource_type == "Patient"}  # One who is found to be another.
        persons |= {_ALONE + one.id for one in changes if one.resource_type == TASK and not one.person}
        others = [one for one in changes if one.person not in persons and one.resource_type != "DetectedIssue"]
        persons |= uow.watch.holding([one.rid for one in others if one.person], LABEL)
        return persons | ({_ALONE + id for id in self.alone(uow, units)} if units else set())

    def _look_at(
        self, uow: UnitOfWork, persons: Collection[str], now: datetime
    ) -> tuple[list[Statement], dict[str, datetime | None], list[str], list[str]]:
        """What is to be said of these persons' gaps, when to look at each again, whose consent is over, and whose Tasks
        may pass on.

        What is withheld from anybody raises no gap that is stored: others would see by it that something is there.
        """

        def heard(said: Iterable[Statement]) -> list[Statement]:
            return heard_by_all(self.outside(uow, list(said)))

        def units_of(keys: Collection[Key]) -> Units:
            return self._units.of(uow, keys, now)

        stored = glances(uow, persons, now, READ, LABEL, self._rooms.sources, units_of)
        others = [person for person in persons if person not in stored]
        seen = standpoints(uow, others, now, READ, LABEL, heard, self.about)
        found: dict[str, list[Gap]] = {}
        again: dict[str, datetime | None] = {}
        for person, one in (stored | seen).items():
            try:
                found[person], again[person] = _missing(one, now)
            except Exception as error:
                log.error("gap-watch-passed-over", error=type(error).__name__)
                again[person] = now + AGAIN
        shown = evidence_of(uow, [gap for person in stored for gap in found.get(person, ())])
        said: list[Statement] = []
        namespace = uow.meta.namespace()
        for person, gaps in found.items():
            told = with_evidence(gaps, shown) if person in stored else gaps
            said += news(person, told, (stored.get(person) or seen[person]).raised, now, namespace)
        lapsing = [person for person, one in seen.items() if one.lapses]
        return said, again, lapsing, [person for person, one in seen.items() if one.passes_on]


def _some(
    found: set[str], room: int, pages: Mapping[str, After], page: Callable[[str, After], tuple[set[str], After | None]]
) -> dict[str, After]:
    """Page after page until there is no room for more persons; what follows then."""
    left = dict(pages)
    for id, after in [*pages.items()][:UNITS]:
        if len(found) >= room:
            break
        persons, following = page(id, after)
        found |= persons
        del left[id]
        if following is not None:
            left[id] = following
    return left


def _missing(one: Standpoint | Glance, now: datetime) -> tuple[list[Gap], datetime | None]:
    """What is missing by it, and when that may be another. Who is gone, or was found to be another, misses nothing."""
    if isinstance(one, Glance):
        return glance(one.patient, one.agreed, one.directory, one.heard, at=now)
    if one.patient is None:
        return [], None
    return missing(
        one.patient,
        one.said,
        at=now,
        links=one.links,
        directory=one.directory,
        heard=one.heard,
        known=one.known,
    )
