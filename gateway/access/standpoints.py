"""What can be seen of many persons, read at once: what is said of each, by whom, and which gaps were raised.

The number of statements to the database does not grow with the number of persons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.access.answers import names, with_those_above
from gateway.coordination.consenting import lapses, says_over
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.facts import Heard
from gateway.coordination.heirs import is_passing, parties
from gateway.coordination.see import begins
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.values import instant
from gateway.identity.identifiers import is_logical, key_of
from gateway.identity.resolve import Key, logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Link, Resource, Source, Statement
from gateway.store import Change, UnitOfWork

RAISED = "DetectedIssue"
ORGANIZATION = "Organization"
MOST_UNITS = 20_000
"""So many that were named are kept from one step to the next."""


@dataclass(frozen=True, slots=True)
class Standpoint:
    """One person's care as it can be looked at; `patient` is None where the key is nobody's any more."""

    patient: Resource | None
    raised: Sequence[Statement]
    """What the gateway said of his gaps."""
    said: Sequence[Statement] = ()
    links: Sequence[Link] = ()
    directory: Directory = field(default_factory=Directory)
    heard: Sequence[Heard] = ()
    known: Mapping[Key, str] = field(default_factory=dict)
    passes_on: bool = False
    """Whether a unit has closed that a Task names, or something has passed to an heir already (succeeding.py)."""
    lapses: bool = False
    """Whether a plan is drawn up, and the time of a consent has come to its end (lapsing.py)."""


def standpoints(
    uow: UnitOfWork,
    persons: Collection[str],
    now: datetime,
    types: Collection[str],
    label: bytes,
    audible: Callable[[Iterable[Statement]], list[Statement]],
    about: Callable[[Collection[str], Iterable[Key]], list[Source]],
) -> dict[str, Standpoint]:
    """Of each person (key), by what is said of resources of these types, and by whatever else bears the label.

    `audible` leaves of one person's statements those that may be heard, `about` tells of which sources, by who
    speaks and whom they name. Contacts that are long over bear on nothing, and are left out.
    """
    if not persons:
        return {}
    patients = _patients(uow, persons)
    ids = {person: [person] for person in persons}
    for person, others in uow.persons.patients_of(persons).items():
        ids[person] = sorted({person, *others})
    every: dict[str, list[Statement]] = defaultdict(list)
    wanted = {id for each in ids.values() for id in each}
    for one in uow.statements.of_persons(wanted, {*types, RAISED}, holding=label, since=begins(now)):
        every[str(one.person)].append(one)
    raised = {p: [one for one in every.get(p, ()) if _is_raised(one)] for p in persons}
    told = {
        person: [one for id in ids[person] for one in every.get(id, ()) if not _is_raised(one)] for person in patients
    }
    said = {person: audible(one for one in each if not says_over(one)) for person, each in told.items()}
    named = {person: names(each, ()) for person, each in said.items()}
    sources = {person: about({one.source for one in each}, named[person].every) for person, each in said.items()}
    last = uow.inbox.heard(sorted({one.id for each in sources.values() for one in each}), known_at=now)
    answering = {one.controller for each in sources.values() for one in each}
    keys = {key for each in named.values() for key in each.every if key[0] == "Organization"}
    keys |= {key for person, each in told.items() if len(each) > len(said[person]) for key in names(each, ()).every}
    units = Units(uow, keys | {("Organization", HSA_ID, hsa_id) for hsa_id in answering}, now)
    known = uow.identifiers.find({key for each in named.values() for key in each.awaited})
    links = _links(uow, {person: {*ids[person], *(one.resource_id for one in each)} for person, each in said.items()})
    found = {person: Standpoint(None, raised[person]) for person in persons}
    for person, patient in patients.items():
        found[person] = Standpoint(
            patient,
            raised[person],
            said[person],
            [one for one in links.get(person, ()) if one.recorded <= now],
            units.named_by(
                {*named[person].every, *(("Organization", HSA_ID, one.controller) for one in sources[person])}
            ),
            [Heard(source, last.get(source.id)) for source in sources[person]],
            known,
            any(units.passes_on(one) for one in told[person]),
            lapses(told[person], now),
        )
    return found


def _is_raised(one: Statement) -> bool:
    return one.source == GATEWAY_SOURCE and one.resource_type == RAISED


def _patients(uow: UnitOfWork, persons: Collection[str]) -> dict[str, Resource]:
    """The Patients of those who are there under their own keys."""
    found = uow.resources.read_many([("Patient", person) for person in persons])
    return {one.id: one.resource() for one in found.values() if not one.deleted and one.person in (None, one.id)}


def _links(uow: UnitOfWork, ids: Mapping[str, Collection[str]]) -> dict[str, list[Link]]:
    """The decisions about what is each person's, in order of recording."""
    persons: dict[str, list[str]] = defaultdict(list)
    for person, each in ids.items():
        for id in each:
            persons[id].append(person)
    found: dict[str, list[Link]] = defaultdict(list)
    for link in uow.links.of(sorted(persons)):
        for person in {p for id in (link.from_id, link.to_id) for p in persons.get(id, ())}:
            found[person].append(link)
    return found


class Units:
    """The Organizations that some keys name, those above them and that took over, read once for all."""

    def __init__(self, uow: UnitOfWork, keys: Collection[Key], now: datetime, before: Units | None = None) -> None:
        """`before` are units that were read, and are the same still: those whom they do not know are read beside."""
        self.asked: frozenset[Key] = frozenset(keys) if before is None else before.asked.union(keys)
        self._resources: dict[str, Resource] = {} if before is None else dict(before._resources)
        self._by_key: dict[Key, str] = {}
        self._further: dict[str, list[Key]] = {}
        self._units: dict[str, Unit] = {}
        self._now = now
        for one in with_those_above(uow, keys if before is None else set(keys) - before.asked, now):
            self._resources[str(one["id"])] = one
        for id, one in sorted(self._resources.items()):
            self._further[id] = [key for _, key in logical_references(one) if key[0] == "Organization"]
            for identifier in one.get("identifier", ()):
                if "value" in identifier:
                    self._by_key["Organization", identifier.get("system", ""), identifier["value"]] = id
        self._all = Directory(self._resources.values())
        self._closed = any(end < now for end in self._all.ends())
        closing = self._all.closing()
        self._apart = {id for id, one in self._resources.items() if id in closing or units_named(one) is None}
        together = [one for id, one in self._resources.items() if id not in self._apart]
        self._together = Directory(together) if self._apart else self._all

    def named_by(self, keys: Iterable[Key]) -> Directory:
        """Those that these keys lead to, and nobody else: what is seen of one person depends on no other."""
        return Directory((self._resources[id] for id in self._reached(keys)), read=self._units)

    def all_for(self, keys: Iterable[Key]) -> Directory | None:
        """One for everybody for whom that is the same; None where one who is reached has closed or is to close, or is
        not found by his identifier alone. Those are not in it: others are not to look when they close.
        """
        return self._together if not self._apart or self._apart.isdisjoint(self._reached(keys)) else None

    def are_of(self, now: datetime) -> bool:
        """Whether all of them were known by then as they were read, so that they are the same at any later time."""
        known = (instant(one.get("meta", {}).get("lastUpdated")) for one in self._resources.values())
        return all(time is not None and time <= now for time in known)

    def _reached(self, keys: Iterable[Key]) -> set[str]:
        found: set[str] = set()
        waiting = list(keys)
        while waiting:
            id = self._by_key.get(waiting.pop())
            if id is not None and id not in found:
                found.add(id)
                waiting += self._further[id]
        return found

    def passes_on(self, one: Statement) -> bool:
        """Whether a Task may have passed to somebody, or is to pass to him."""
        if one.resource_type != "Task":
            return False
        if is_passing(one):
            return True
        return self._closed and any(self._all.has_closed(unit, self._now) for _, unit in parties(one.body))


class UnitsKept:
    """The units that were read for a step of who follows the change log, for the next: until one of them changes."""

    def __init__(self) -> None:
        self._units: Units | None = None
        self._seq = 0
        """The last change that was followed when they were read, or were the same still."""

    def follow(self, seq: int, changes: Sequence[Change], *, all_there: bool) -> None:
        """Go on after the change of that number; `all_there` is whether these are all that have a number."""
        others = any(one.seq > self._seq and one.resource_type == ORGANIZATION for one in changes)
        if seq > self._seq or others or not all_there:
            self._units = None
        self._seq = changes[-1].seq if changes else seq

    def of(self, uow: UnitOfWork, keys: Collection[Key], now: datetime) -> Units:
        """Those whom the keys lead to, as they are in this snapshot, which is the one that was followed."""
        before = None if self._units is None or uow.changes.are_unnumbered(ORGANIZATION) else self._units
        if before is not None and before.asked.issuperset(keys):
            return before
        units = Units(uow, keys, now, before)
        self._units = units if len(units.asked) <= MOST_UNITS and units.are_of(now) else None
        return units


def units_named(resource: Resource) -> set[Key] | None:
    """The Organizations that it names by identifier; None where it may name one in another way.

    Of those it depends on what else is read whether they are known.
    """
    found: set[Key] = set()
    waiting: list[Any] = [resource]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            if type(value.get("identifier")) is dict:
                key = key_of(value) if is_logical(value) else None
                if key is None or (key[0] != "Organization" and key[1] == HSA_ID):
                    return None
                if key[0] == "Organization":
                    found.add(key)
                continue
            if str(value.get("reference", "")).startswith("Organization/"):
                return None
            waiting += value.values()
        elif type(value) is list:
            waiting += value
    return found
