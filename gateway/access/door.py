"""The one door: what is asked of resources passes here, is decided, narrowed, answered and audited from one decision.

Reads; `access/write.py` has the commands, `access/ask.py` the answers. What a caller may not know of does not exist
for him: the refusal is the same NotFound as for what was never there, and is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.access.audit import audit_event
from gateway.access.caller import Asking
from gateway.access.decision import Decision, decide, restricted
from gateway.coordination.recorder import Recorder
from gateway.definitions import Definitions
from gateway.errors import Gone, NotFound
from gateway.records import Source
from gateway.store import Store, Stored, UnitOfWork


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
class Rooms:
    """What lies behind the door, wired once by the app."""

    store: Store
    definitions: Definitions
    recorder: Recorder
    sources: Sequence[Source]
    clock: Callable[[], datetime]
    zone: ZoneInfo


class Reading:
    """read, vread, history-instance: one resource at a time."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def read(self, asking: Asking, resource_type: str, id: str) -> Served:
        """The current version. NotFound, Gone."""
        self.known_type(resource_type)
        found = self._rooms.store.read(lambda uow: uow.resources.read(resource_type, id))
        return self._answer(asking, resource_type, found)

    def vread(self, asking: Asking, resource_type: str, id: str, version_id: str) -> Served:
        """One version. NotFound, Gone."""
        self.known_type(resource_type)
        found = self._rooms.store.read(lambda uow: uow.resources.vread(resource_type, id, version_id))
        return self._answer(asking, resource_type, found)

    def known_type(self, resource_type: str) -> None:
        """NotFound unless R4 has a resource of this name."""
        kind = self._rooms.definitions.types.get(resource_type)
        if kind is None or kind.kind != "resource" or kind.abstract:
            raise NotFound(
                "R4 has no resource type of this name.", rule="unknown-resource-type", where=resource_type[:64]
            )

    def may_see(self, uow: UnitOfWork, asking: Asking, found: Stored) -> Decision:
        """The decision about one stored version."""
        caller = asking.caller
        if caller.operator:
            return decide(caller, found.resource_type, takes_part=True)
        takes_part = bool(found.person) and bool(set(caller.organisations) & uow.persons.parties(found.person or ""))
        decision = decide(caller, found.resource_type, takes_part=takes_part)
        if decision.allowed and not found.deleted and restricted(found.resource(), caller, self._controllers(found)):
            return Decision(False, "withheld-from-other-providers")
        return decision

    def _controllers(self, found: Stored) -> set[str]:
        by_id = {source.id: source for source in self._rooms.sources}
        return {by_id[one].controller for one in found.contributors if one in by_id}

    def _answer(self, asking: Asking, resource_type: str, found: Stored | None) -> Served:
        if found is None:
            self.audit(asking, Decision(True, "nothing-there"), failure="not-found")
            raise NotFound(rule="resource-unknown")
        decision = self._rooms.store.read(lambda uow: self.may_see(uow, asking, found))
        self.audit(asking, decision, found)
        if not decision.allowed:
            raise NotFound(rule="resource-unknown")
        if found.deleted:
            raise Gone()
        return served(found)

    def audit(
        self, asking: Asking, decision: Decision, *found: Stored, person: str | None = None, failure: str | None = None
    ) -> None:
        """Record the decision; the answer waits for its commit."""
        subject = person or next((one.person for one in found if one.person), None)
        event = audit_event(
            asking,
            decision,
            at=self._rooms.clock(),
            patient=f"Patient/{subject}" if subject else None,
            entities=[f"{one.resource_type}/{one.id}" for one in found] if decision.allowed else (),
            failure=failure,
        )
        self._rooms.store.write(lambda uow: uow.audit.add([event], person=subject), now=self._rooms.clock())


def served(found: Stored) -> Served:
    return Served(found.resource_type, found.id, found.version, found.last_updated, found.body)
