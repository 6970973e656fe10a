"""A wired gateway without a server, and short words for what these tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.app import Gateway
from gateway.issues import Issue
from gateway.store import Entry, Item

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message."""

    entry: Entry
    items: tuple[Item, ...]

    @property
    def state(self) -> str:
        return self.entry.state

    @property
    def states(self) -> list[str]:
        return [item.state for item in self.items]

    @property
    def issues(self) -> list[Issue]:
        return [*self.entry.issues, *(issue for item in self.items for issue in item.issues)]

    @property
    def rules(self) -> list[str]:
        return [issue.rule for issue in self.issues]


@dataclass(slots=True)
class Inlet:
    """Messages in, and what is there afterwards."""

    gateway: Gateway
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    def keep(self, source: str, body: bytes, **how: Any) -> str:
        return self.gateway.ingest.keep(self.gateway.sources.get(source), body, "application/octet-stream", **how)

    def send(self, source: str, body: bytes, **how: Any) -> Sent:
        kept = self.keep(source, body, **how)
        self.gateway.ingest.process(kept)
        return self.sent(kept)

    def replay(self, inbox_id: str) -> Sent:
        self.gateway.ingest.replay(inbox_id)
        return self.sent(inbox_id)

    def sent(self, inbox_id: str) -> Sent:
        entry = self.gateway.store.read(lambda uow: uow.inbox.entry(inbox_id))
        assert entry is not None
        return Sent(entry, tuple(self.gateway.store.read(lambda uow: uow.inbox.items(inbox_id))))

    def drain(self) -> None:
        """Work until nothing waits."""
        while self.gateway.ingest.process_waiting():
            pass

    def read(self, ask: Callable[..., Any]) -> Any:
        return self.gateway.store.read(ask)

    def resources(self, kind: str) -> list[dict[str, Any]]:
        """What is agreed of a type, without ids and what differs with the time of recording."""
        found = self.read(lambda uow: [one.resource() for one in uow.resources.all() if not one.deleted])
        return [one for one in found if one["resourceType"] == kind]

    def statuses(self) -> dict[str, str]:
        """Each Task's status by the value of its first identifier."""
        return {task["identifier"][0]["value"]: task["status"] for task in self.resources("Task")}
