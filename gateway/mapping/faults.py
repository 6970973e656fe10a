"""What a map found wrong in a record, as facts: rule, map line, place in the source, target path, severity.

The value stays where it is unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway import formats
from gateway.formats import Node
from gateway.issues import Severity
from gateway.mapping.ir import RuleId
from gateway.mapping.package import MapResult, Package
from gateway.records import Position


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a rule could not do."""

    severity: Severity
    rule: str
    text: str
    by: RuleId | None
    """The map's rule; None where the map as a whole failed."""
    target: str
    """The element that was to be filled, or the clause that did not hold."""
    position: Position | None
    value: Any = None
    """What stands there, where it was asked for."""

    def to_json(self) -> dict[str, Any]:
        place = self.position
        found: dict[str, Any] = {
            "severity": self.severity,
            "rule": self.rule,
            "text": self.text,
            "map": self.by.map if self.by else None,
            "line": f"{self.by.file}:{self.by.line}:{self.by.column}" if self.by else None,
            "by": self.by.label if self.by else None,
            "target": self.target or None,
            "where": str(place) if place else None,
            "span": [place.start, place.end] if place and place.start is not None else None,
            "value": self.value,
        }
        return {key: value for key, value in found.items() if value is not None}


def faults(package: Package, result: MapResult, body: bytes, *, values: bool = False) -> Iterator[Fault]:
    """Those of a traced result, in the order they were found."""
    if result.trace is None:
        return
    program = result.trace.compiled.program
    severities = {(issue.rule, issue.text): issue.severity for issue in result.issues}
    for found in result.trace.found:
        site = program.sites[found.site] if found.site >= 0 else None
        by = program.rules[site.rule] if site else None
        told = f"{found.text} [{by}]" if by else found.text
        node = found.at if isinstance(found.at, Node) else None
        yield Fault(
            severities.get((found.rule, told), found.severity),
            found.rule,
            found.text,
            by,
            site.path if site else "",
            formats.position(package.format.kind, node, body) if node is not None and body else None,
            node.value if values and node is not None else None,
        )
