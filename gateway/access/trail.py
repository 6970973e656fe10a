"""The audit trail through the door: the operator reads it and proves that nobody has altered it."""

from __future__ import annotations

from typing import Any

from gateway.access.caller import Asking
from gateway.access.messages import Messages
from gateway.store import Break


class Trail(Messages):
    """audit_list and audit_verify."""

    def audit_list(self, asking: Asking, *, person: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """The latest AuditEvents first; of one person's data (a Patient id) where one is named."""
        self._operator(asking)
        return [row.event for row in self._rooms.store.read(lambda uow: uow.audit.latest(person=person, limit=limit))]

    def audit_verify(self, asking: Asking) -> list[Break]:
        """Where a chain does not hold; empty when nothing was changed, added or removed."""
        self._operator(asking)
        return self._rooms.store.read(lambda uow: uow.audit.verify())
