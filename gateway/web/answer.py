"""The answer to who does what, arranged for the eye: by unit, by source, by lane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.access.answers import Lane, LaneItem, Now, SourceLine, Unit
from gateway.access.persons import PERSON_SYSTEMS, is_protected, name_of
from gateway.web.lanes import Placed, Window
from gateway.web.texts import Language


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the answer is about. A protected person's name and address are not shown."""

    id: str
    name: str
    numbers: tuple[str, ...]
    born: str
    protected: bool
    deceased: bool

    @classmethod
    def of(cls, patient: dict[str, Any]) -> Person:
        protected = is_protected(patient)
        numbers = tuple(
            str(one["value"])
            for one in patient.get("identifier", ())
            if one.get("system") in PERSON_SYSTEMS and "value" in one
        )
        deceased = bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime"))
        name = "" if protected else name_of(patient)
        return cls(str(patient["id"]), name, numbers, str(patient.get("birthDate", "")), protected, deceased)


@dataclass(slots=True)
class Responsible:
    """A unit with all that it is responsible for, and the numbers to call, each once."""

    unit: Unit
    phones: list[str] = field(default_factory=list)
    tasks: list[Now] = field(default_factory=list)


def by_unit(now: Iterable[Now]) -> list[Responsible]:
    """In the order of the most pressing thing that each unit has."""
    found: dict[str, Responsible] = {}
    for one in now:
        unit = found.setdefault(one.unit.key, Responsible(one.unit))
        unit.tasks.append(one)
        if one.phone and one.phone not in unit.phones:
            unit.phones.append(one.phone)
    return list(found.values())


def by_part(sources: Iterable[SourceLine]) -> tuple[list[SourceLine], list[SourceLine]]:
    """Sources that say something of this person, the silent first, and the others."""
    order = {"silent": 0, "not-connected": 1, "heard": 2}
    ranked = sorted(sources, key=lambda one: (order[one.state], one.name))
    return [one for one in ranked if one.speaks], [one for one in ranked if not one.speaks]


@dataclass(frozen=True, slots=True)
class Track:
    """A unit's lane, placed."""

    unit: Unit
    items: Sequence[Placed[LaneItem]]
    earlier: int
    """How many items lie outside the days that are shown."""


def tracks(
    lanes: Iterable[Lane], since: datetime, at: datetime, zone: ZoneInfo, language: Language
) -> tuple[Window, list[Track]]:
    """The lanes with their items on the days that are shown."""
    known = list(lanes)
    window = Window(since, at, [item for lane in known for item in lane.items], zone)
    found = []
    for lane in known:
        labels = [(item, item.what.in_language(language)) for item in lane.items]
        placed = [place for item, label in labels if (place := window.place(item, label))]
        if placed:
            found.append(Track(lane.unit, placed, len(lane.items) - len(placed)))
    return window, found
