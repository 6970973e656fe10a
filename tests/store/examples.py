"""The least data that shows a point. Names and ids are made up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.records import Message, Statement
from gateway.store import SavedResource, Store, UnitOfWork

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def message(id: str = "message-1", body: bytes = b"<hello/>", **fields: Any) -> Message:
    return Message(**{"id": id, "source": "maeva", "body": body, "media_type": "text/xml", "received": NOON} | fields)


def statement(digest: str, **fields: Any) -> Statement:
    default = {
        "digest": digest,
        "source": "maeva",
        "party": "SE2321000131-E000000000211",
        "provider": "SE2321000131",
        "resource_type": "Encounter",
        "resource_id": "encounter-1",
        "person": "person-1",
        "record_key": "record-1",
        "effective": NOON,
        "version": "1",
        "recorded": NOON,
        "kind": "assert",
        "body": {"resourceType": "Encounter", "status": "in-progress"},
    }
    return Statement(**default | fields)


def task(id: str = "task-1", *, resource_type: str = "Task", person: str | None = "person-1", **elements: Any) -> Any:
    """What to save: a resource with these elements."""
    about = {
        name: elements.pop(name) for name in ("contributors", "contradictions", "organisation") if name in elements
    }
    body = {"resourceType": resource_type, "status": "requested", **elements}
    return SavedResource(resource_type=resource_type, id=id, resource=body, person=person, **about)


def deleted(id: str = "task-1", person: str | None = "person-1") -> SavedResource:
    return SavedResource(resource_type="Task", id=id, resource=None, person=person)


def save(store: Store, *given: SavedResource, now: datetime | None = None) -> list[Any]:
    return store.write(lambda unit: unit.resources.save(given), now=now)


def changes(store: Store) -> list[Any]:
    store.number_changes()
    return store.read(lambda unit: unit.changes.after(0))


def fail(work: Callable[[UnitOfWork], Any]) -> Callable[[UnitOfWork], None]:
    """A work that does all that, and then cannot be finished."""

    def failing(unit: UnitOfWork) -> None:
        work(unit)
        raise LookupError("on purpose")

    return failing
