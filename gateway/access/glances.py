"""Of whom a glance is enough: persons whose stored versions say all that a look at what was said of them would.

What is stored is the fold of everything that was said. It is not what is to be looked at where anything is withheld,
speaks of a time to come, was said of another person, too, or passes from a closed unit to its heir; nor where sources
contradict each other, because the gap tells of their words. There the statements are read (standpoints.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from gateway.access.standpoints import RAISED, Units, units_named
from gateway.coordination.directory import Directory
from gateway.coordination.facts import Heard
from gateway.coordination.gap import Gap
from gateway.coordination.glance import evidence
from gateway.coordination.heirs import PASSED_ON
from gateway.coordination.see import begins
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.fhir.json import skim
from gateway.identity.resolve import Key
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Resource, Source, Statement
from gateway.store import Kept, Said, UnitOfWork

GLANCED: Final = frozenset({"Task", "Encounter"})
"""Plans and teams follow from Tasks, so that what is stored of them is more than was said."""
PATIENT: Final = "Patient"
_PASSED_ON: Final = PASSED_ON.encode()
_NAMED: Final = re.compile(
    rb'\{"type":"Organization","identifier":\{"system":"([^"\\]+)","value":"([^"\\]+)"\}(?:,"reference":"[^"\\]*")?\}'
)
"""A reference to a unit, as it is stored. Within a string its quotes would be escaped."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One person's care as it is stored."""

    patient: Resource
    agreed: Sequence[Agreed]
    directory: Directory
    heard: Sequence[Heard]
    raised: Sequence[Statement]
    """What the gateway said of his gaps."""


def glances(
    uow: UnitOfWork,
    persons: Collection[str],
    now: datetime,
    types: Collection[str],
    label: bytes,
    sources: Mapping[str, Source],
    units_of: Callable[[Collection[Key]], Units],
) -> dict[str, Glance]:
    """Those of the persons (keys) of whom that is enough, gaps being computed from these types.

    `label` is what anything withheld holds; `units_of` reads the units that some keys lead to.
    """
    kept = uow.watch.kept(persons, {*types, PATIENT}, since=begins(now))
    said = uow.watch.said(kept.keys(), types, GATEWAY_SOURCE, label, since=begins(now)) if kept else {}
    found: dict[str, list[Agreed]] = {}
    named: dict[str, set[Key]] = {}
    for person, each in kept.items():
        if person not in said or not _is_enough(person, each, said[person], now):
            continue
        agreed = [_agreed(person, one) for one in each if not one.deleted]
        each_named = [units_in(one.body) for one in each if not one.deleted]
        if None not in each_named:
            found[person], named[person] = agreed, set().union(*(one for one in each_named if one))
    spoke = {p: {id for one in found[p] for id in one.contributors} & sources.keys() for p in found}
    last = uow.inbox.heard(sorted(set().union(*spoke.values())), known_at=now)
    controllers = {id: ("Organization", HSA_ID, sources[id].controller) for id in set().union(*spoke.values())}
    units = units_of({*controllers.values(), *(key for each in named.values() for key in each)})
    raised = _raised(uow, [person for person in found if said[person].own])
    seen = {}
    for person, agreed in found.items():
        directory = units.all_for({*named[person], *(controllers[id] for id in spoke[person])})
        if directory is not None:
            heard = [Heard(sources[id], last.get(id)) for id in spoke[person]]
            patient = next(one.resource for one in agreed if one.resource_type == PATIENT)
            of_care = [one for one in agreed if one.resource_type != PATIENT]
            seen[person] = Glance(patient, of_care, directory, heard, raised.get(person, ()))
    return seen


def evidence_of(uow: UnitOfWork, found: Iterable[Gap]) -> dict[str, tuple[str, ...]]:
    """The digests of what is said of the things that show these gaps, by reference."""
    things = {(kind, id) for one in found for kind, _, id in (about.partition("/") for about in one.about)}
    return evidence(uow.statements.of_resources(things))


def _is_enough(person: str, kept: Sequence[Kept], said: Said, now: datetime) -> bool:
    """Whether what is stored of him is what was said, all of it, and can be looked at by itself."""
    patients = [one for one in kept if one.resource_type == PATIENT]
    if [one.id for one in patients] != [person] or patients[0].deleted:
        return False  # Several Patients that are one person, or a key that is nobody's.
    if said.withheld or not said.own <= {RAISED} or said.things != len(kept) - 1:
        return False
    if any(time is not None and time > now for time in (said.effective, said.recorded)):
        return False
    care = (one for one in kept if one.resource_type != PATIENT)
    return all(
        one.resource_type in GLANCED and one.alone and not one.contradicted and _PASSED_ON not in one.body
        for one in care
    )


def units_in(body: bytes) -> set[Key] | None:
    """`units_named` of a resource as it is stored. Most references are written in one way: they need no walk."""
    rest, *found = _NAMED.split(body)
    others = b"".join((rest, *found[2::3]))
    if b'"identifier":{' in others or b'"Organization/' in others:
        return units_named(skim(body))
    return {_unit(system, value) for system, value in zip(found[::3], found[1::3], strict=True)}


@lru_cache(maxsize=4096)  # A few units are named again and again.
def _unit(system: bytes, value: bytes) -> Key:
    return "Organization", system.decode(), value.decode()


def _agreed(person: str, one: Kept) -> Agreed:
    return Agreed(one.resource_type, one.id, person, skim(one.body), one.contributors)


def _raised(uow: UnitOfWork, persons: Collection[str]) -> dict[str, list[Statement]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in uow.statements.about(persons, RAISED) if persons else ():
        found[str(one.person)].append(one)
    return found
