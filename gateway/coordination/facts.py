"""What Tasks, Encounters and plans say, gathered: R4 spreads it over extensions and references.

The gaps and the view are computed from these values; `picture.py` reads them from the agreed resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.coordination.directory import Unit
from gateway.coordination.words import Words
from gateway.records import Resource, Source


@dataclass(frozen=True, slots=True)
class Heard:
    """A source and when it was last heard, by the time that is asked about; never: None."""

    source: Source
    last: datetime | None


class Turn(NamedTuple):
    """A time in the life of a Task: its status, in whose hands. A tuple: each person has a dozen."""

    status: str
    start: datetime
    end: datetime | None
    owner: Unit | None
    inherited: bool = False
    """The same status as before, in the hands of the heir of who had it: what was asked was asked then."""

    @property
    def asks(self) -> bool:
        return self.status == "requested" and not self.inherited


class TaskFact(NamedTuple):
    """What a Task says, gathered. A tuple: each person has some, and it is quickly made."""

    reference: str
    resource: Resource
    code: str
    codes: frozenset[str]
    what: Words
    detail: str
    """What the source says of it, in its own words."""
    status: str
    priority: str | None
    owner: Unit | None
    requester: Unit | None
    arriving: Unit | None
    turns: tuple[Turn, ...]
    asked: datetime | None
    since: datetime | None
    """When the present status began."""
    held_since: datetime | None
    """When the present owner took it into his hands."""
    due: datetime | None
    start: datetime | None
    end: datetime | None
    need: str
    """The same for all Tasks that answer one need."""
    stay: str | None
    """How it refers to its Encounter."""
    plans: frozenset[str]
    candidates: tuple[Unit, ...]
    """Whom to ask next, in order, should the owner not take it."""
    phone: str | None
    contributors: tuple[str, ...]
    statements: tuple[str, ...]
    acknowledged: bool = False
    """Who asked has said that he knows how it ended."""

    @property
    def asked_last(self) -> datetime | None:
        """When its owner was asked: it may have been written long before, or have been another's to answer."""
        return next((turn.start for turn in reversed(self.turns) if turn.asks), self.asked)

    @property
    def reported(self) -> bool:
        """The one who asked was told how it went, or that there is nothing to tell; by whatever way he says himself."""
        return self.acknowledged or bool(self.resource.get("output")) or "statusReason" in self.resource


@dataclass(frozen=True, slots=True)
class ContactFact:
    """What an Encounter says, gathered."""

    reference: str
    resource: Resource
    code: str
    codes: frozenset[str]
    what: Words
    detail: str
    status: str
    unit: Unit | None
    start: datetime | None
    end: datetime | None
    planned_end: datetime | None
    keys: frozenset[str]
    """How Tasks refer to it."""
    contributors: tuple[str, ...]
    statements: tuple[str, ...]


Fact = TaskFact | ContactFact


@dataclass(frozen=True, slots=True)
class PlanFact:
    """What a CarePlan says of who takes part, gathered."""

    reference: str
    resource: Resource
    what: Words
    codes: frozenset[str]
    """What kind of plan it is."""
    author: Unit | None
    named: tuple[Unit, ...]
    """The organisations among its contributors."""
    keys: frozenset[str]
    """How Tasks refer to it."""
    since: datetime | None
    statements: tuple[str, ...]
