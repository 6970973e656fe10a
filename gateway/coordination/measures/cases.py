"""What is counted, case by case: the offers, needs, refusals and gaps of one person, and what holds of each.

The names in here are those that the criteria of the Measures in conformance/ use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from gateway.coordination.directory import Unit
from gateway.coordination.facts import TaskFact
from gateway.coordination.measures.history import Offer, Span, offers, spans
from gateway.coordination.missions import DISPOSITION, STATUS
from gateway.coordination.needs import refusals
from gateway.coordination.picture import Picture
from gateway.definitions import CANONICAL, load
from gateway.records import Resource, Statement

MUNICIPALITY: Final = f"{CANONICAL}/StructureDefinition/municipality"
CODES: Final = f"{CANONICAL}/CodeSystem"
REASON: Final = f"{CODES}/decline-reason"
SENT_ON_MOST: Final = 3
"""So many times and more are one stratum."""
LENGTHS: Final = ((60, "under-1-h"), (240, "1-4-h"), (1440, "4-24-h"))
"""Minutes, and what is shorter."""
POPULATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "asked": ("asked", "accepted", "answer-due", "answered-in-time"),
    "need": ("need", "trained-arrived", "completed", "sent-on", "ended", "solved-at-home"),
    "refusal": ("refusal",),
    "gap": ("gap",),
}
"""By what is a case, what may hold of it."""
OBSERVATIONS: Final = (
    "minutes-to-accept",
    "minutes-to-first-trained",
    "minutes-to-completion",
    "minutes-of-gap",
)
DIMENSIONS: Final = (
    "mission",
    "municipality",
    "reason",
    "times",
    "kind",
    "length",
    "party-asked",
    "party-asking",
    "party-first-there",
    "party-completing",
    "party-to-act",
)


class Value(NamedTuple):
    """One value of a dimension, as a code."""

    system: str
    code: str
    display: str = ""


UNKNOWN: Final = Value("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: which populations it is in, by what it is divided, and how many minutes it took."""

    populations: Collection[str]
    dimensions: Mapping[str, Value]
    minutes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moments:
    """What the agreed Task does not hold of its history: when a trained person was there, when it was reported."""

    arrived: Mapping[str, datetime] = field(default_factory=dict)
    reported: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Iterable[Statement], arrivals: Collection[str]) -> Moments:
        """By reference of the Task, the first time that a source says so; `arrivals` are codes of mission-status."""
        arrived: dict[str, datetime] = {}
        reported: dict[str, datetime] = {}
        for one in sorted(said, key=lambda one: (one.effective, one.digest)):
            if one.kind != "assert":
                continue
            reference = f"{one.resource_type}/{one.resource_id}"
            if _codes(one.body.get("businessStatus"), STATUS) & set(arrivals):
                arrived.setdefault(reference, one.effective)
            if "output" in one.body:
                reported.setdefault(reference, one.effective)
        return cls(arrived, reported)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose missions are counted."""

    picture: Picture
    """Its Tasks are missions; its time is now."""
    moments: Moments
    start: datetime
    end: datetime

    def within(self, time: datetime | None) -> bool:
        return time is not None and self.start <= time < self.end


def cases(person: Person) -> Iterator[tuple[str, Case]]:
    """Every case of a person that begins in the period, under what it is: a key of POPULATIONS."""
    picture = person.picture
    steps = picture.authority.steps["Task"]
    for need in picture.needs.values():
        place = _municipality(picture, need)
        refused = refusals(picture, need)
        for task in need:
            for offer in offers(task, steps):
                if person.within(offer.start):
                    yield "asked", _asked(picture, offer, place)
        if person.within(need[0].asked):
            yield "need", _need(person, need, len(refused), place)
        for refusal in refused:
            if person.within(refusal.when):
                reason = _value(refusal.task.resource.get("statusReason"), REASON)
                dimensions = _dimensions(refusal.task, place) | {"party-asked": _unit(refusal.unit), "reason": reason}
                yield "refusal", Case({"refusal"}, dimensions)
        reported = dict(person.moments.reported)
        for span in spans(need, refused, reported, agreement=picture.agreement, steps=steps, now=picture.at):
            if person.within(span.start):
                yield "gap", _gap(span, place)


def _asked(picture: Picture, offer: Offer, place: Value) -> Case:
    populations = {"asked"}
    minutes = {}
    if offer.accepted:
        populations.add("accepted")
        minutes["minutes-to-accept"] = _minutes(offer.start, offer.accepted)
    limit = picture.agreement.limit(picture.agreement.unanswered, offer.task.code, offer.task.priority)
    if limit is not None:
        due = offer.start + limit.after
        if offer.answered or due < (offer.withdrawn or picture.at):
            populations.add("answer-due")
        if offer.answered and offer.answered <= due:
            populations.add("answered-in-time")
    return Case(populations, _dimensions(offer.task, place) | {"party-asked": _unit(offer.unit)}, minutes)


def _need(person: Person, need: Sequence[TaskFact], refused: int, place: Value) -> Case:
    first = need[0]
    assert first.asked is not None
    populations = {"need"}
    minutes = {}
    last = need[-1].owner
    dimensions = _dimensions(first, place) | {
        "party-asking": _unit(first.requester),
        "party-first-there": _unit(last),
        "party-completing": _unit(last),
        "times": _of_system("measure-times", f"{refused}" if refused < SENT_ON_MOST else f"{SENT_ON_MOST}+"),
    }
    there = [
        (person.moments.arrived[task.reference], task) for task in need if task.reference in person.moments.arrived
    ]
    if there:
        when, task = min(there, key=lambda one: (one[0], one[1].reference))
        populations.add("trained-arrived")
        minutes["minutes-to-first-trained"] = _minutes(first.asked, when)
        dimensions["party-first-there"] = _unit(task.owner)
    done = [(turn.start, task) for task in need for turn in task.turns if turn.status == "completed"]
    if done:
        when, task = min(done, key=lambda one: (one[0], one[1].reference))
        populations.add("completed")
        minutes["minutes-to-completion"] = _minutes(first.asked, when)
        dimensions["party-completing"] = _unit(task.owner)
    ends = {code for _, task in done for code in _dispositions(task.resource)}
    if ends:
        populations.add("ended")
        if ends <= _at_home():
            populations.add("solved-at-home")
    if refused >= person.picture.agreement.refusals:
        populations.add("sent-on")
    return Case(populations, dimensions, minutes)


def _gap(span: Span, place: Value) -> Case:
    minutes = _minutes(span.start, span.end)
    length = next((name for most, name in LENGTHS if minutes < most), "over-24-h")
    dimensions = _dimensions(span.task, place) | {
        "party-to-act": _unit(span.unit),
        "kind": _of_system("gap", span.kind),
        "length": _of_system("measure-length", length),
    }
    return Case({"gap"}, dimensions, {"minutes-of-gap": minutes})


def _minutes(start: datetime, end: datetime) -> float:
    """Never less than none: a source's clock may run ahead of another's."""
    return max((end - start).total_seconds(), 0) / 60


def _dimensions(task: TaskFact, place: Value) -> dict[str, Value]:
    return {"mission": _of_system("mission", task.code), "municipality": place}


def _unit(unit: Unit | None) -> Value:
    if unit is None:
        return UNKNOWN
    system, bar, value = unit.key.rpartition("|")
    return Value(system if bar else "", value if bar else unit.key, unit.name) if unit.key else UNKNOWN


@lru_cache(maxsize=1024)
def _of_system(name: str, code: str) -> Value:
    system = f"{CODES}/{name}"
    return Value(system, code, load().display(system, code) or code)


def _value(concept: Any, system: str) -> Value:
    codes = sorted(_codes(concept, system))
    return _of_system(system.rpartition("/")[2], codes[0]) if codes else UNKNOWN


def _codes(concept: Any, system: str) -> set[str]:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return {str(one["code"]) for one in codings if one.get("system") == system and "code" in one}


def _dispositions(task: Resource) -> Iterator[str]:
    for output in task.get("output", ()):
        yield from _codes(output.get("valueCodeableConcept"), DISPOSITION)


@cache
def _at_home() -> frozenset[str]:
    """The dispositions with the property at-home."""
    concepts = load().resources[DISPOSITION]["concept"]
    home = {"code": "at-home", "valueBoolean": True}
    return frozenset(one["code"] for one in concepts if home in one.get("property", ()))


def _municipality(picture: Picture, need: Sequence[TaskFact]) -> Value:
    """Where the patient lives, else where the units that were asked or that ask are."""
    places: list[Mapping[str, Any]] = [picture.patient]
    for unit in (*(task.owner for task in need), *(task.requester for task in need)):
        found = picture.directory.resource(unit.key) if unit else None
        places += [found] if found else []
    for place in places:
        for address in place.get("address", ()):
            for extension in address.get("extension", ()):
                if extension.get("url") == MUNICIPALITY and "code" in extension.get("valueCoding", {}):
                    coding = extension["valueCoding"]
                    name = coding.get("display") or address.get("city") or coding["code"]
                    return Value(str(coding.get("system", "")), str(coding["code"]), str(name))
    return UNKNOWN
