"""Codes that no row of a ConceptMap names, over messages: by frequency, with the table and where one stands.

A code that could be a person's number, or that is a sentence, is counted and not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway import formats
from gateway.issues import Issues
from gateway.mapping.package import Package
from gateway.mapping.runtime import is_code
from gateway.mapping.unread import Message


@dataclass(frozen=True, slots=True)
class UnmappedCode:
    """A code, as often as no row of the table named it."""

    table: str
    system: str
    code: str | None
    """None where it is not to be shown."""
    count: int
    rule: str
    example: str

    def to_json(self) -> dict[str, Any]:
        found = {
            "table": self.table,
            "system": self.system or None,
            "code": self.code,
            "count": self.count,
            "rule": self.rule,
            "example": self.example,
        }
        return {key: value for key, value in found.items() if value is not None}


def unmapped(package: Package, messages: Iterable[Message]) -> list[UnmappedCode]:
    """Every code that is missing in a table, the most frequent first."""
    counts: Counter[tuple[str, str, str | None]] = Counter()
    first: dict[tuple[str, str, str | None], tuple[str, str]] = {}
    for message in messages:
        for record in formats.read(package.format, message.body, Issues()):
            result = package.apply(record, message.source, message.received, body=message.body)
            for miss in result.missed:
                key = (miss.table, miss.system or "", miss.code if is_code(miss.code) else None)
                counts[key] += 1
                if key not in first:
                    place = formats.position(package.format.kind, miss.node, message.body) if miss.node else ""
                    first[key] = miss.rule, f"{message.name}: {place or record.position}"
    return [UnmappedCode(*key, count, *first[key]) for key, count in counts.most_common()]
