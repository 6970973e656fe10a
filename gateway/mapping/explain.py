"""Where each value of a draft comes from: rule, map line, source position, ConceptMap row.

Runs the traced variant of the map on the record; the values themselves are withheld unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway import formats
from gateway.formats import Node, Record
from gateway.mapping.conceptmap import Row
from gateway.mapping.ir import RuleId
from gateway.mapping.package import Package, Trace
from gateway.records import Position, Resource, Source


@dataclass(frozen=True, slots=True)
class Explained:
    """One value of a draft: `path` within the draft number `draft`, what wrote it, and from where in the message."""

    draft: int
    path: str
    rule: RuleId
    position: Position | None
    node: str
    """The name of the source's node; empty where the rule looks at the whole record."""
    row: Row | None = None
    value: Any = None
    """What was written; None unless it was asked for."""
    step: int = 0
    """The number of the trace's entry that wrote it."""

    @property
    def map_line(self) -> str:
        return f"{self.rule.file}:{self.rule.line}"

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "draft": self.draft,
            "path": self.path,
            "map": self.rule.map,
            "line": self.map_line,
            "rule": self.rule.label,
            "source": self.node,
            "where": str(self.position) if self.position else None,
            "span": [self.position.start, self.position.end] if self.position else None,
            "conceptMap": f"{self.row.table} row {self.row.number}" if self.row else None,
            "value": self.value,
        }
        return {key: value for key, value in found.items() if value is not None}


def explain(
    package: Package, record: Record, source: Source, received: datetime, *, body: bytes, values: bool = False
) -> list[Explained]:
    """Every value that the package makes of the record, in the order of the rules."""
    result = package.apply(record, source, received, body=body, traced=True)
    if result.trace is None:
        return []
    drafts = [draft.resource for draft in result.drafts]
    return list(of_trace(result.trace, drafts, package, body, values=values))


def of_trace(
    trace: Trace, drafts: list[Resource], package: Package, body: bytes, *, values: bool = False
) -> Iterator[Explained]:
    """A trace told in the words of people: paths instead of objects, places instead of nodes."""
    places = places_of(drafts)
    rules = trace.compiled.program.rules
    last = {
        (id(owner), key): index for index, (_, _, owner, key, _, _) in enumerate(trace.entries) if owner is not None
    }
    taken: dict[tuple[int, str], int] = {}
    for index, (rule, node, owner, key, row, item) in enumerate(trace.entries):
        if owner is None or key is None or id(owner) not in places:
            continue
        number, path = places[id(owner)]
        held = owner.get(key)
        here = f"{path}.{key}"
        if isinstance(held, list):
            position = _position(held, item, taken, (id(owner), key))
            if position is None:
                continue
            here = f"{here}[{position}]"
        elif last[(id(owner), key)] != index:  # Another rule wrote it again.
            continue
        known = isinstance(node, Node)
        yield Explained(
            number,
            here,
            rules[rule],
            formats.position(package.format.kind, node, body) if known and body else None,
            node.name if known else "",
            row,
            item if values else None,
            index,
        )


def places_of(drafts: list[Resource]) -> dict[int, tuple[int, str]]:
    """Of each object in the drafts, by its id(): the draft's number and the path to it."""
    places: dict[int, tuple[int, str]] = {}
    for number, draft in enumerate(drafts):
        _walk(draft, number, str(draft["resourceType"]), places)
    return places


def _position(held: list[Any], item: Any, taken: dict[tuple[int, str], int], key: tuple[int, str]) -> int | None:
    """The place of an item in its list; equal simple values are taken in their order."""
    start = 0 if isinstance(item, dict) else taken.get(key, 0)
    for index in range(start, len(held)):
        if held[index] is item or (not isinstance(item, dict) and held[index] == item):
            taken[key] = index + 1
            return index
    return None


def _walk(value: Any, number: int, path: str, places: dict[int, tuple[int, str]]) -> None:
    if isinstance(value, dict):
        places[id(value)] = (number, path)
        for key, item in value.items():
            _walk(item, number, f"{path}.{key}", places)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, number, f"{path}[{index}]", places)
