"""What became of a message, as counts: for the one who waits for it, and for the log."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from gateway.ingest.range import Done


@dataclass(slots=True)
class Outcome:
    """Counts of a message's items, of new statements, and of the resources that they changed."""

    inbox_id: str
    source: str
    state: str = "received"
    items: int = 0
    held: int = 0
    statements: int = 0
    resources: int = 0
    issues: int = 0

    def to_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def add(self, done: Done) -> None:
        self.items += done.items
        self.held += done.held
        self.statements += done.statements
        self.resources += done.resources
        self.issues += done.issues
        self.state = done.state or self.state
