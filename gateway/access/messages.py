"""The inbox through the door: who sends as which source, and showing the operator what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.errors import NotFound
from gateway.records import Incoming, Source
from gateway.store import Entry, Item


class Messages(Reading):
    """send, list and show."""

    def may_send_as(self, caller: Caller, source_id: str) -> Source | None:
        """A source instance that the caller may send as: the operator as any, an organisation as its own."""
        found = self._rooms.sources.get(source_id)
        return found if found is not None and self._is_own(caller, found) else None

    def source(self, asking: Asking, source_id: str) -> Source:
        """A source instance that the caller may send as; NotFound, which is recorded, where he may not."""
        caller = asking.caller
        if found := self.may_send_as(caller, source_id):
            return found
        unknown = source_id not in self._rooms.sources
        self.audit(asking, Decision(False, "unknown-source" if unknown else "not-its-own-source"))
        text = "No source instance of yours has this id."
        if caller.operator:
            text = f"No source instance has this id. Configured: {', '.join(self._rooms.sources)}."
        raise NotFound(text, rule="unknown-source", where=source_id[:64])

    def sent(
        self, asking: Asking, source: Source, body: bytes, media_type: str, *, as_of: datetime | None = None
    ) -> Incoming:
        """What was sent as a source that the caller may send as: to be kept, with the record of that."""
        message = self._rooms.intake().message(source, body, media_type, as_of=as_of)
        return Incoming(message, self.events(asking, self._allowed_to(asking.caller)))

    def inbox_list(
        self, asking: Asking, *, state: str | None = None, source: str | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """The latest messages first; `state` is received, done or held (as a whole, or an item of it)."""
        self._operator(asking)
        held = state == "held"
        found = self._rooms.store.read(lambda uow: uow.inbox.entries(source=source, held=held, limit=limit))
        shown = [message_row(one) for one in found]
        return [one for one in shown if state is None or held or one["state"] == state]

    def inbox_show(self, asking: Asking, id: str, source: str | None = None) -> dict[str, Any]:
        """One message with its items and their issues. A sender sees its own sources' messages."""
        caller = asking.caller
        if source is not None and not caller.operator:
            self.source(asking, source)
        entry = self._rooms.store.read(lambda uow: uow.inbox.entry(id))
        if entry is not None and source not in (None, entry.source):
            entry = None
        origin = self._rooms.sources.get(entry.source) if entry else None
        if entry is None or not (caller.operator or (origin and self._is_own(caller, origin))):
            rule = "nothing-there" if entry is None else "not-its-own-source"
            self.audit(asking, Decision(entry is None, rule), failure="not-found")
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown")
        self.audit(asking, self._allowed_to(caller))
        items = self._rooms.store.read(lambda uow: uow.inbox.items(id))
        return message_row(entry) | {
            "issues": [one.to_json() for one in entry.issues],
            "items": [_item(i) for i in items],
        }

    def _operator(self, asking: Asking) -> None:
        allowed = asking.caller.operator
        self.audit(asking, Decision(allowed, "operator" if allowed else "operator-only"))
        if not allowed:
            raise NotFound()

    @staticmethod
    def _is_own(caller: Caller, source: Source) -> bool:
        return caller.operator or bool({source.hsa_id, source.controller} & set(caller.organisations))

    @staticmethod
    def _allowed_to(caller: Caller) -> Decision:
        return Decision(True, "operator" if caller.operator else "own-source")


STATES = {"waiting": "received", "working": "received"}


def message_row(one: Entry) -> dict[str, Any]:
    """A message as it is listed."""
    return {
        "id": one.id,
        "source": one.source,
        "received": one.received.isoformat(),
        "state": STATES.get(one.state, one.state),
        "size": one.size,
        "sha256": one.hash,
        "mediaType": one.media_type,
        "transport": one.transport,
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
