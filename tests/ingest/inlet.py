"""The way of a message without a server: store and pipeline, clocks to set, and short words for what tests ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from gateway import definitions
from gateway.ingest.pipeline import Ingest
from gateway.ingest.rebuild import Rebuilt, rebuild, store_anew
from gateway.ingest.sources import Sources, defaults
from gateway.issues import Issue
from gateway.mapping import Packages
from gateway.search.index import Indexer
from gateway.store import Entry, Item, Store, UnitOfWork

T = TypeVar("T")

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message."""

    entry: Entry
    items: tuple[Item, ...]

    @property
    def id(self) -> str:
        return self.entry.id

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


class Inlet:
    """Messages in, and what is there afterwards. `now` is what is recorded, `wall` what leases go by."""

    def __init__(self, store: Store, maps: Packages, sources: Sources) -> None:
        self.store = store
        self.sources = sources
        self.now = NOW
        self.ingest = Ingest(store, maps, sources, lambda: self.now)

    @classmethod
    def open(cls, url: str, *, maps: Packages | None = None, sources: Sources | None = None) -> Self:
        maps = maps or Packages.shipped()
        index = Indexer(definitions.load(), zone=ZoneInfo("Europe/Stockholm"), bases=())
        wall = [NOW]
        inlet = cls(Store.open(url, index=index, clock=lambda: wall[0]), maps, sources or defaults(maps.instances))
        inlet.wall = wall
        return inlet

    wall: list[datetime]

    def close(self) -> None:
        self.store.close()

    def keep(self, source: str, body: bytes, **how: Any) -> str:
        return self.ingest.keep(self.sources.get(source), body, "application/octet-stream", **how)

    def send(self, source: str, body: bytes, **how: Any) -> Sent:
        kept = self.keep(source, body, **how)
        self.ingest.process(kept)
        return self.sent(kept)

    def replay(self, inbox_id: str) -> Sent:
        self.ingest.replay(inbox_id)
        return self.sent(inbox_id)

    def sent(self, inbox_id: str) -> Sent:
        entry = self.read(lambda uow: uow.inbox.entry(inbox_id))
        assert entry is not None
        return Sent(entry, tuple(self.read(lambda uow: uow.inbox.items(inbox_id))))

    def drain(self) -> None:
        """Work until nothing waits."""
        while self.ingest.process_waiting():
            pass

    def read(self, ask: Callable[[UnitOfWork], T]) -> T:
        return self.store.read(ask)

    def rebuilt(self) -> Rebuilt:
        return rebuild(self.store, self.ingest.recorder, lambda *_: None)

    def rebuilt_and_stored(self, progress: Callable[[int, int], None] = lambda *_: None) -> Rebuilt:
        found = self.rebuilt()
        store_anew(self.store, self.ingest.recorder, found, lambda: self.now, progress)
        return found

    def resources(self, kind: str) -> list[dict[str, Any]]:
        """What is agreed of a type."""
        found = self.read(lambda uow: [one.resource() for one in uow.resources.all() if not one.deleted])
        return [one for one in found if one["resourceType"] == kind]

    def statuses(self) -> dict[str, str]:
        """Each Task's status by the value of its first identifier."""
        return {task["identifier"][0]["value"]: task["status"] for task in self.resources("Task")}
