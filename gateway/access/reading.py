"""read and vread of one resource: decided, answered and audited from one decision.

What a caller may not know of does not exist for him: the refusal is the same NotFound as for what was never there, and
it is recorded.

https://hl7.org/fhir/R4/http.html#read
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, Protocol
from zoneinfo import ZoneInfo

from gateway.access.audit import audit_event
from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision, decide, is_shared, own_sources, withheld
from gateway.access.known import Known
from gateway.coordination.compartments import COMPARTMENT, compartments
from gateway.coordination.plans.closing import CLOSED_WITH_A_PLAN, may_be_closed
from gateway.coordination.statements import last_readings
from gateway.definitions import Definitions
from gateway.errors import GatewayError, Gone, NotFound
from gateway.fhir.datetime import instant, text
from gateway.fhir.json import dump
from gateway.records import Message, Resource, Source, Statement
from gateway.search.links import PageLinks
from gateway.store import Event, Found, Stored, UnitOfWork, Units

if TYPE_CHECKING:
    from gateway.coordination.recorder import Recorder
    from gateway.mapping import Packages

WITHHELD_FROM_OTHERS: Final = "withheld-from-other-providers"
"""The rule by which a label keeps something from who may see the person's care otherwise."""
FIRST = datetime(2019, 11, 1, tzinfo=UTC)
"""When R4 (4.0.1) was published: since then its definitions are what they are."""


@dataclass(frozen=True, slots=True)
class Served:
    """One version as it is served."""

    type: str
    id: str
    version_id: str
    last_updated: datetime
    body: bytes
    created: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The current version of one resource, as somebody asks for it."""

    asking: Asking
    resource_type: str
    id: str

    @property
    def key(self) -> tuple[str, str]:
        return self.resource_type, self.id


class Fetching(Protocol):
    """What fetches the files of a bulk import."""

    most_bytes: int
    """Of one file, as it comes and unpacked."""

    def check(self, url: str) -> None:
        """BadRequest unless it may be fetched."""

    def open(self, url: str) -> AbstractContextManager[IO[bytes]]:
        """The bytes behind it. Unavailable where another try may help; any other refusal is for good."""


class Replayed(Protocol):
    """What became of a message that was worked through anew."""

    @property
    def items(self) -> int: ...
    @property
    def held(self) -> int: ...


class Intake(Protocol):
    """What takes in what comes, by maps and by hand."""

    @property
    def recorder(self) -> Recorder: ...
    @property
    def message(self) -> Callable[..., Message]:
        """Makes what a source has sent a message."""

    @property
    def replay(self) -> Callable[[str], Replayed]:
        """Works a kept message through anew."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What lies behind the door, wired once by the app."""

    store: Units
    known: Known
    intake: Callable[[], Intake]
    """Loaded when it is first asked for: no read needs it."""
    packages: Packages
    sources: Mapping[str, Source]
    clock: Callable[[], datetime]
    zone: ZoneInfo
    page_size: int
    links: PageLinks
    fetcher: Fetching
    validate_on_write: Literal["structure", "invariants", "profiles"] = "structure"
    """What the resources that are written are held to."""
    require_if_match: bool = False
    """Whether who changes what is there must say which version he has seen."""
    export_kept: timedelta = timedelta(hours=24)
    """How long a bulk export can be fetched."""
    export_lines: int = 100_000
    """How many resources a file of it holds at most."""
    care_plans: Literal["asked", "orders"] = "asked"
    """Whether each order that an organisation writes comes to a plan, or those only for which it is asked."""
    task_rules: str = "default"
    """The profile of rules about Tasks that the parties have agreed."""
    own_mappings: Path | None = None
    """The installation's own folder of mapping packages; None where those that were shipped are used."""

    @property
    def definitions(self) -> Definitions:
        """The snapshot that is in use now."""
        return self.known.current

    @property
    def recorder(self) -> Recorder:
        return self.intake().recorder


class Reading:
    """read and vread: one resource at a time; and how every other part decides and records."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def read(self, asking: Asking, resource_type: str, id: str) -> Served:
        """The current version, or a definition that the server itself works by. NotFound, Gone."""
        (answer,) = self.read_all([Wanted(asking, resource_type, id)])
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    def read_all(self, wanted: Sequence[Wanted]) -> list[Served | GatewayError]:
        """Several reads, of whomever, each decided on by itself: of one snapshot, and recorded together."""
        named = [one for one in wanted if self._is_type(one.resource_type)]

        def ask(uow: UnitOfWork) -> list[tuple[Stored | None, Decision]]:
            stored = uow.resources.read_many({one.key for one in named})
            return [(found := stored.get(one.key), self.judge(uow, one.asking, found)) for one in named]

        # Whether an organisation may see it is asked beside.
        once = all(one.asking.caller.operator for one in named)
        decided = self._rooms.store.read(ask, once=once) if named else []
        events: list[Event] = []
        answers: dict[int, Served | GatewayError] = {}
        for one, (found, decision) in zip(named, decided, strict=True):
            published = None if found is not None else self._rooms.definitions.published(*one.key)
            failure = "not-found" if found is None and published is None else None
            events += self.events(one.asking, decision, *([found] if found else []), failure=failure)
            answers[id(one)] = _answer(found, decision) if published is None else _published(published)
        if events:
            self._rooms.store.record(events, now=self._rooms.clock())
        return [answers.get(id(one)) or _no_type(one.resource_type) for one in wanted]

    def vread(self, asking: Asking, resource_type: str, id: str, version_id: str) -> Served:
        """One version. NotFound, Gone."""
        self.known_type(resource_type)

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision]:
            found = uow.resources.vread(resource_type, id, version_id)
            decision = self.judge(uow, asking, found)
            if found is not None and decision.allowed and self.closed_since(uow, asking.caller, found):
                decision = Decision(False, WITHHELD_FROM_OTHERS)
            return found, decision

        found = self.known(asking, *self._rooms.store.read(ask))
        if found.deleted:
            raise Gone()
        return served(found)

    def known_type(self, resource_type: str) -> None:
        """NotFound unless R4 has a resource of this name."""
        if not self._is_type(resource_type):
            raise _no_type(resource_type)

    def _is_type(self, name: str) -> bool:
        kind = self._rooms.definitions.types.get(name)
        return kind is not None and kind.kind == "resource" and not kind.abstract

    def may_see(self, uow: UnitOfWork, asking: Asking, found: Stored) -> Decision:
        """The decision about one stored version."""
        caller = asking.caller
        if caller.operator:
            return decide(caller, found.resource_type, takes_part=True)
        takes_part = bool(found.person) and bool(set(caller.organisations) & uow.persons.parties(found.person or ""))
        shared = is_shared(found.resource_type, found.person, found.contributors)
        decision = decide(caller, found.resource_type, takes_part=takes_part, shared=shared)
        if decision.allowed and self.withheld(uow, caller, found):
            return Decision(False, WITHHELD_FROM_OTHERS)
        return decision

    def audible(self, asking: Asking, said: Iterable[Statement]) -> list[Statement]:
        """What may be heard by a caller who may see the person's care otherwise.

        Of a record that is withheld nothing is heard, not even what it says of the person by the way.
        """
        found = list(said)
        return found if asking.caller.operator else _heard(found, self.own(asking.caller))

    def own(self, caller: Caller) -> frozenset[str]:
        """The sources whose words the caller may always hear."""
        return own_sources(caller, self._rooms.sources.values())

    def withheld(self, uow: UnitOfWork, caller: Caller, found: Stored) -> bool:
        """Whether a label keeps a version from a caller who may see the person's care otherwise."""
        if found.deleted:  # What was withheld goes on being unknown when it is gone.
            before = (found.last_updated, found.rid)
            earlier = uow.resources.history(found.resource_type, found.id, before=before, limit=1)
            return bool(earlier) and not earlier[0].deleted and self.withheld(uow, caller, earlier[0])
        resource = found.resource()
        if withheld(resource, found.contributors, self.own(caller)):
            return True
        return not _is_within(uow, compartments(resource), caller.organisations)

    def closed_since(self, uow: UnitOfWork, caller: Caller, version: Stored) -> bool:
        """Whether a version from before a plan was closed is kept from who is not within it now."""
        if caller.operator or version.resource_type not in CLOSED_WITH_A_PLAN:
            return False
        now = uow.resources.read(version.resource_type, version.id)
        if now is None or now.deleted or now.version == version.version or COMPARTMENT.encode() not in now.body:
            return False
        return not _is_within(uow, compartments(now.resource()), caller.organisations)

    def outside(
        self, uow: UnitOfWork, said: Sequence[Statement], organisations: Collection[str] = (), *, whole: bool = True
    ) -> Sequence[Statement]:
        """What is said of a person, but for the plans that are not for any of these, and what is within them.

        `whole`: this is all that is said now, so that it tells whether any plan is closed.
        """
        if whole and not any(one.resource_type == "CarePlan" and may_be_closed(one.body) for one in said):
            return said
        mark = COMPARTMENT.encode()
        things = {(one.resource_type, one.resource_id) for one in said if one.resource_type in CLOSED_WITH_A_PLAN}
        stored = uow.resources.read_many(things)
        kept = {
            thing
            for thing, one in stored.items()
            if mark in one.body and not _is_within(uow, compartments(one.resource()), organisations)
        }
        return [one for one in said if (one.resource_type, one.resource_id) not in kept]

    def judge(self, uow: UnitOfWork, asking: Asking, found: Stored | None) -> Decision:
        """The decision about what was looked for, there or not."""
        return Decision(True, "nothing-there") if found is None else self.may_see(uow, asking, found)

    def known(self, asking: Asking, found: Stored | None, decision: Decision) -> Stored:
        """What was found, once the decision is recorded; the same NotFound for what is not there and not allowed."""
        if found is None:
            self.audit(asking, decision, failure="not-found")
            raise NotFound(rule="resource-unknown")
        self.audit(asking, decision, found)
        if not decision.allowed:
            raise NotFound(rule="resource-unknown")
        return found

    def audit(
        self,
        asking: Asking,
        decision: Decision,
        *found: Stored | Found,
        person: str | None = None,
        failure: str | None = None,
    ) -> None:
        """Record the decision, once for each person whom it is about; the answer waits for its commit."""
        events = self.events(asking, decision, *found, person=person, failure=failure)
        self._rooms.store.record(events, now=self._rooms.clock())

    def events(
        self,
        asking: Asking,
        decision: Decision,
        *found: Stored | Found,
        person: str | None = None,
        failure: str | None = None,
    ) -> list[Event]:
        """The decision as AuditEvents, one for each person whom it is about."""
        about: dict[str | None, list[str]] = {person: []} if person or not found else {}
        for one in found:
            about.setdefault(person or one.person, []).append(f"{one.resource_type}/{one.id}")
        return [
            (
                audit_event(
                    asking,
                    decision,
                    at=self._rooms.clock(),
                    patient=f"Patient/{subject}" if subject else None,
                    entities=entities if decision.allowed else (),
                    failure=failure,
                ),
                subject,
            )
            for subject, entities in about.items()
        ]


def _is_within(uow: UnitOfWork, names: Collection[str], organisations: Collection[str]) -> bool:
    """Whether nothing is closed, or one of these is within one of the compartments (C-34)."""
    return not names or any(set(organisations) & uow.persons.parties(name) for name in names)


def _answer(found: Stored | None, decision: Decision) -> Served | GatewayError:
    """What he who asked for it is told."""
    if found is None or not decision.allowed:
        return NotFound(rule="resource-unknown")
    return Gone() if found.deleted else served(found)


def _no_type(name: str) -> NotFound:
    return NotFound("R4 has no resource type of this name.", rule="unknown-resource-type", where=name[:64])


def _published(resource: Resource) -> Served:
    """What the server itself works by, and nobody has stored: about nobody, and so for everybody."""
    version = blake2b(dump(resource), digest_size=8).hexdigest()
    updated = FIRST if "date" not in resource else instant(str(resource["date"]))
    meta = {**resource.get("meta", {}), "versionId": version, "lastUpdated": text(updated)}
    body = dump({"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta} | resource)
    return Served(resource["resourceType"], resource["id"], version, updated, body)


def served(found: Stored) -> Served:
    return Served(found.resource_type, found.id, found.version, found.last_updated, found.body)


def heard_by_all(said: Iterable[Statement]) -> list[Statement]:
    """What is withheld from nobody who may see the person's care."""
    return _heard(list(said), frozenset())


def _heard(found: list[Statement], own: Collection[str]) -> list[Statement]:
    # The label of an older reading does not count, unless nothing took its place.
    read = last_readings(one for one in found if one.kind != "retract")
    kept = [one for one in read if withheld(one.body, {one.source}, own)]
    records = {(one.inbox_id, one.item) for one in kept if one.item is not None}
    digests = {one.digest for one in kept}
    return [one for one in found if one.digest not in digests and (one.inbox_id, one.item) not in records]
