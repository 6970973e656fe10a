"""Who does what for one person, as a plain view: the page and the document are both made from it (`look.py` makes it).

Everything in it names the statements that it rests on, so that each fact is one step from its source record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.coordination.careteam import Member
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.gap import Gap
from gateway.coordination.words import Words
from gateway.records import Agreed, Resource

SourceState = Literal["heard", "silent", "not-connected"]
LaneState = Literal["past", "now", "coming", "asked", "not"]


@dataclass(frozen=True, slots=True)
class Now:
    """A unit that is responsible now, for what, since when."""

    unit: Unit
    what: Words
    since: datetime | None
    phone: str | None
    status: Words
    reference: str
    statements: tuple[str, ...]
    detail: str = ""
    """What the source says of it, in its own words."""


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next: who, what, when; a deadline when `is_due`."""

    unit: Unit | None
    what: Words
    when: datetime
    is_due: bool
    reference: str
    statements: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What somebody waits for, and from whom."""

    unit: Unit | None
    """From whom; None when nobody was asked."""
    what: Words
    since: datetime | None
    due: datetime | None
    to: Unit | None
    reference: str
    statements: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source, and when it was last heard."""

    id: str
    name: str
    last: datetime | None
    state: SourceState
    unit: Unit
    """The care provider who answers for it."""
    speaks: bool
    """Whether it has said anything about this person."""


@dataclass(frozen=True, slots=True)
class LaneItem:
    """Something that a unit did, does or is to do."""

    kind: str
    what: Words
    status: Words
    state: LaneState
    start: datetime
    end: datetime | None
    reference: str
    statements: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A unit's items over time."""

    unit: Unit
    items: tuple[LaneItem, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The answer to who does what."""

    patient: Resource
    at: datetime
    known_at: datetime
    since: datetime
    gaps: tuple[Gap, ...]
    now: tuple[Now, ...]
    next: tuple[Next, ...]
    awaited: tuple[Awaited, ...]
    sources: tuple[SourceLine, ...]
    lanes: tuple[Lane, ...]
    team: tuple[Member, ...]
    teams: Mapping[str, tuple[Member, ...]]
    """By CarePlan reference, those who have tasks of that plan."""
    agreed: tuple[Agreed, ...]
    """The resources that the answer rests on and shows."""
    directory: Directory
