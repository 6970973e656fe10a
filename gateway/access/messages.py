"""The inbox through the door: keeping what a source sends, and showing the operator what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.errors import NotFound
from gateway.records import Source
from gateway.store import Entry, Item


class Messages(Reading):
    """keep, list and show."""

    def source(self, asking: Asking, source_id: str) -> Source:
        """A source instance that the caller may send as: the operator as any, an organisation as its own."""
        found = self._rooms.sources.get(source_id)
        if found is None:
            known = ", ".join(self._rooms.sources) if asking.caller.operator else "ask the operator"
            raise NotFound(
                f"No source instance has this id. Configured: {known}.", rule="unknown-source", where=source_id[:64]
            )
        caller = asking.caller
        if not caller.operator and not {found.hsa_id, found.controller} & set(caller.organisations):
            self.audit(asking, Decision(False, "not-its-own-source"))
            raise NotFound("No source instance of yours has this id.", rule="unknown-source", where=source_id[:64])
        return found

    def keep(
        self, asking: Asking, source_id: str, body: bytes, media_type: str, *, as_of: datetime | None = None
    ) -> str:
        """Commit a message to the inbox; its id. NotFound for a source that is not configured."""
        return self._rooms.keep(self.source(asking, source_id), body, media_type, as_of=as_of)

    def inbox_list(
        self, asking: Asking, *, state: str | None = None, source: str | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """The latest messages first; `state` is received, done or held (as a whole, or an item of it)."""
        self._operator(asking)
        held = state == "held"
        found = self._rooms.store.read(lambda uow: uow.inbox.entries(source=source, held=held, limit=limit))
        shown = [_entry(one) for one in found]
        return [one for one in shown if state is None or held or one["state"] == state]

    def inbox_show(self, asking: Asking, id: str, source: str | None = None) -> dict[str, Any]:
        """One message with its items and their issues. A sender sees its own sources' messages."""
        entry = self._rooms.store.read(lambda uow: uow.inbox.entry(id))
        if entry is None or (source is not None and entry.source != source):
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown")
        if not asking.caller.operator:
            self.source(asking, entry.source)
        items = self._rooms.store.read(lambda uow: uow.inbox.items(id))
        return _entry(entry) | {"issues": [one.to_json() for one in entry.issues], "items": [_item(i) for i in items]}

    def _operator(self, asking: Asking) -> None:
        if not asking.caller.operator:
            self.audit(asking, Decision(False, "operator-only"))
            raise NotFound()


STATES = {"waiting": "received", "working": "received"}


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source,
        "received": one.received.isoformat(),
        "state": STATES.get(one.state, one.state),
        "size": one.size,
        "sha256": one.hash,
        "mediaType": one.media_type,
        "items": sum(one.items.values()),
        "held": one.items.get("held", 0),
        "issues": len(one.issues),
    }


def _item(one: Item) -> dict[str, Any]:
    start, end = one.span or (None, None)
    return {
        "seq": one.seq,
        "kind": one.kind,
        "key": one.key,
        "state": one.state,
        "start": start,
        "end": end,
        "statements": one.statements,
        "issues": [issue.to_json() for issue in one.issues],
    }
