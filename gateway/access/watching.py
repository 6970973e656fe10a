"""What is missing is raised as a DetectedIssue when it begins, and resolved when it ends; and closed units have heirs.

The change log says of whom something has changed, the watch when to look though nothing has. Many persons are looked at
together: read in one snapshot, recorded in one unit of work. Raised gaps are statements of the gateway like any other,
so that they have a history, are found by search, and `rebuild` proves them. So is what passes to an heir on the day on
which he takes over (succeeding.py), and that the time of a consent is over (lapsing.py): both are stated under the
locks of their persons. docs/gaps.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from gateway.access.glances import Glance, evidence_of, glances
from gateway.access.lapsing import lapse
from gateway.access.raising import news
from gateway.access.reading import heard_by_all
from gateway.access.standpoints import Standpoint, standpoints
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
from gateway.records import Statement
from gateway.store import Change, UnitOfWork

log = structlog.get_logger(__name__)

CHANGES = 2_000
PERSONS = 250
"""At so many a step looks: what is read and written for all of them together is paid once."""
PASSING = 100
"""Of so many persons Tasks pass on in one unit of work: each of them has a new version, and perhaps a plan."""
PAGE = 2_000
"""Of those about whom a source has spoken that has fallen silent, or was heard again."""
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

    def written(self) -> dict[str, Any]:
        return {"seq": self.seq, "silent": dict(self.silent), "turned": dict(self.turned)}

    @classmethod
    def read(cls, place: Mapping[str, Any]) -> Place:
        return cls(int(place.get("seq", 0)), place.get("silent", {}), place.get("turned", {}))


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
    looked: int
    more: bool
    """Whether somebody waits already."""


class Watching(Succeeding):
    """When there is something to do, the look at what it is, and the record of what was seen."""

    def watch_again(self, uow: UnitOfWork, place: Place, now: datetime) -> datetime | None:
        """When a step would find anything: at once, when the next time comes, or with the next change."""
        silent, coming = self._silent(uow, now)
        if place.turned or silent != place.silent or uow.changes.behind(place.seq):
            return now
        return min((time for time in (uow.watch.next(), coming) if time is not None), default=None)

    def watch(self, uow: UnitOfWork, place: Place) -> Looked:
        """One step, which writes nothing: who is to be looked at now, and what is to be said of them.

        What changes meanwhile is read as a change afterwards, and looked at again.
        """
        changes = uow.changes.after(place.seq, limit=CHANGES)
        now = self._rooms.clock()  # After the snapshot has begun: what is in it was recorded before.
        silent, _ = self._silent(uow, now)
        waiting, turned = self._turned(uow, place, silent)
        due = uow.watch.due(now, limit=PERSONS)
        concerned = sorted((self._concerned(uow, changes) | waiting) - set(due))
        room = PERSONS - len(due)
        wanted, later = [*due, *concerned[:room]], concerned[room:]
        alone = [one for one in wanted if one.startswith(_ALONE)]
        said, found, lapsing, passing = self._look_at(uow, [one for one in wanted if not one.startswith(_ALONE)], now)
        before = uow.watch.of(concerned)
        expected = {person: time for person, time in found.items() if person in due or before.get(person) != time}
        expected |= dict.fromkeys(later, now)
        for one in changes:  # By a clock that runs ahead of ours: nobody knew of it yet, at our time.
            ahead = one.recorded + TICK
            if ahead > now != one.recorded and one.person in (found.keys() | later):
                expected[one.person] = min(ahead, expected.get(one.person) or before.get(one.person) or ahead)
        seq = changes[-1].seq if changes else place.seq
        more = bool(later or turned) or len(changes) == CHANGES or len(due) == PERSONS
        more = more or len(alone) + len(passing) > PASSING
        return Looked(now, Place(seq, silent, turned), said, expected, lapsing, [*alone, *passing], len(wanted), more)

    def keep_watched(self, uow: UnitOfWork, looked: Looked) -> None:
        """Write down what was seen, pass on what closed units had, and close drafts whose consent is over.

        Of whom that changes, it is looked again.
        """
        again = self._pass_on(uow, looked.passing)
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

    def _turned(self, uow: UnitOfWork, place: Place, silent: Mapping[str, int]) -> tuple[set[str], dict[str, int]]:
        """Some of those of whom sources spoke that have fallen silent, or were heard again; and who is left."""
        new = {id for id in {*silent, *place.silent} if silent.get(id) != place.silent.get(id)}
        waiting: set[str] = set()
        left: dict[str, int] = {}
        for source, after in {**place.turned, **dict.fromkeys(new, 0)}.items():
            persons, following = uow.watch.of_source(source, after, limit=PAGE)
            waiting |= persons
            if following is not None:
                left[source] = following
        return waiting, left

    def _concerned(self, uow: UnitOfWork, changes: Sequence[Change]) -> set[str]:
        """The persons whose gaps may be others now, and the Tasks about nobody.

        Those of whom something was told that gaps are computed from, those in whose care a changed unit takes part, and
        those of whom anything is withheld, or was: with it goes all that its record said.
        """
        persons = {one.person for one in changes if one.person and one.resource_type in READ | {"Patient"}}
        persons |= {one.id for one in changes if one.resource_type == "Patient"}  # One who is found to be another.
        persons |= {_ALONE + one.id for one in changes if one.resource_type == TASK and not one.person}
        others = [one for one in changes if one.person not in persons and one.resource_type != "DetectedIssue"]
        persons |= uow.watch.holding([one.rid for one in others if one.person], LABEL)
        keys = [("Organization", one.id) for one in changes if one.resource_type == "Organization"]
        if keys:
            units = [one.resource() for one in uow.resources.read_many(keys).values() if not one.deleted]
            concerned = uow.persons.in_care_of({id for one in units for id in hsa_ids(one)})
            persons |= {one for one in concerned if not one.startswith(WITHIN)}
            persons |= {_ALONE + id for id in self.alone(uow, units)}
        return persons

    def _look_at(
        self, uow: UnitOfWork, persons: Collection[str], now: datetime
    ) -> tuple[list[Statement], dict[str, datetime | None], list[str], list[str]]:
        """What is to be said of these persons' gaps, when to look at each again, whose consent is over, and whose Tasks
        may pass on.

        What is withheld from anybody raises no gap that is stored: others would see by it that something is there.
        """

        def heard(said: Iterable[Statement]) -> list[Statement]:
            return heard_by_all(self.outside(uow, list(said)))

        stored = glances(uow, persons, now, READ, LABEL, self._rooms.sources)
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
