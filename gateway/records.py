"""Values that travel the whole way: a message, its place in the source, what a source states.

Frozen, and free of behaviour that needs a clock, a network or a database. DESIGN: docs/adr/0001.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from gateway.frozen import dataclass

Resource = dict[str, Any]
"""A FHIR resource as JSON: dict, list, str, bool, int and Decimal; never float."""

Delivery = Literal["event", "delta", "snapshot"]
CareRole = Literal["care-provider", "social-care-provider"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a message: `line` and `column` from 1, byte span `start:end`, `path` in the format's own words."""

    path: str = ""
    line: int | None = None
    column: int | None = None
    start: int | None = None
    end: int | None = None

    def __str__(self) -> str:
        parts = [] if self.line is None else [f"line {self.line}"]
        if self.column is not None:
            parts.append(f"column {self.column}")
        if self.path:
            parts.append(self.path)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Source:
    """A configured source instance: one provider's one system, and how it speaks.

    `hsa_id` is the source system's HSA-id, `controller` the HSA-id of the care provider who answers for its data
    (personuppgiftsansvarig). `cadence` is the number of seconds within which it is expected to be heard.
    """

    id: str
    package: str
    name: str
    hsa_id: str
    controller: str
    controller_name: str = ""
    role: CareRole = "care-provider"
    timezone: str = "Europe/Stockholm"
    delivery: Delivery = "event"
    scope: str = ""
    cadence: int | None = None
    municipality: str | None = None
    watch: str | None = None
    mllp_port: int | None = None
    mllp_host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Message:
    """Raw input as it came, kept before it is acknowledged. `as_of` is the time a complete snapshot speaks of."""

    id: str
    source: str
    body: bytes
    media_type: str
    received: datetime
    as_of: datetime | None = None
    transport: str = "http"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it comes in, and the AuditEvents of who sent it: both are kept, or neither.

    An event goes with the person (key) whom it is about.
    """

    message: Message
    events: Sequence[tuple[Mapping[str, Any], str | None]] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A resource as a map made it: no id of ours yet, references are logical (type and identifier)."""

    resource: Resource
    effective: datetime
    """As of which source time this holds."""
    version: str = ""
    """The source's own version of the record; orders statements with the same time."""
    party: str = ""
    """HSA-id of the unit that states it."""
    provider: str = ""
    """HSA-id of the care provider (vårdgivare, omsorgsgivare) that states it."""
    withdrawn: bool = False


StatementKind = Literal["assert", "withdraw", "retract"]
"""`withdraw`: the source no longer says it. `retract`: the source never did; an older map read its record so."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Who said what, as of which source time, recorded when, from which bytes, by which map.

    `digest` is the identity of the statement: the same source saying the same thing of the same record with the same
    time is one statement, however often it is delivered.
    """

    digest: str
    source: str
    party: str
    provider: str
    resource_type: str
    resource_id: str
    person: str | None
    record_key: str
    """The record within the source; a later statement of the same source and key supersedes the earlier one."""
    effective: datetime
    version: str
    recorded: datetime
    kind: StatementKind
    body: Resource
    """The resource with resolved references, without id and meta.versionId."""
    inbox_id: str | None = None
    item: int | None = None
    map_hash: str | None = None
    turn: int = 0
    """Which reading of the record this comes from: 0 the first, one more whenever a replay gave something else."""


@dataclass(frozen=True, slots=True)
class Link:
    """A decision that two of our resources are about the same thing, or that they are not after all."""

    resource_type: str
    from_id: str
    to_id: str
    kind: Literal["same", "proposed", "undone"]
    reason: str
    recorded: datetime


Ruled = Literal["responsible", "latest", "source", "course", "decision"]
"""Why a word is followed where several differ: it is the responsible party's, the later one, of the source whose id
comes first; the course of the Task's life leads there; or a person has decided so."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the sources' present words differ in: an element path, and the statements by digest; never their values."""

    path: str
    sources: tuple[str, ...]
    statements: tuple[str, ...]
    followed: str
    """The digest of the one whose word is followed."""
    rule: Ruled
    decision: str | None = None
    """The digest of the decision that holds of the element: `rule` is decision, or else the parties were asked."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the statements about one resource agree on: the fold's result.

    `contradictions` are element paths with the differing statements' sources (never values that the reader may not
    see); `deleted` when every party has withdrawn it.
    """

    resource_type: str
    id: str
    person: str | None
    resource: Resource
    contributors: tuple[str, ...]
    contradictions: tuple[Mapping[str, Any], ...] = ()
    deleted: bool = False
    differences: tuple[Difference, ...] = ()
    """The same with who is followed and why, and with what a person has decided, which is no contradiction any more."""
