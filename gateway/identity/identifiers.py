"""Every identifier and logical reference of a draft, in its one spelling, with what is wrong and where.

https://hl7.org/fhir/R4/references.html#logical
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.identity.numbers import Reading, read
from gateway.issues import Issues
from gateway.records import Resource

_REFERENCE = frozenset({"reference", "type", "identifier", "display", "id", "extension"})


def normalise(resource: Resource, own_system: str, issues: Issues) -> tuple[Resource, list[Reading]]:
    """A copy with every identifier read by its register's rules, and the readings of the resource's own identifiers.

    A placeholder is dropped, and the reference with it when nothing else says what it refers to. The issues'
    expressions are FHIRPaths within the draft.
    """
    walk = _Walk(own_system, issues)
    return walk.element(resource, resource["resourceType"], root=True) or {}, walk.own


def is_logical(value: dict[str, Any]) -> bool:
    """True for a Reference that says by identifier what it refers to."""
    return isinstance(value.get("identifier"), dict) and value.keys() <= _REFERENCE


class _Walk:
    def __init__(self, own_system: str, issues: Issues) -> None:
        self.own_system = own_system
        self.issues = issues
        self.own: list[Reading] = []

    def element(self, value: dict[str, Any], path: str, *, root: bool = False) -> dict[str, Any] | None:
        """A copy of the element; None where nothing is left of a reference."""
        made: dict[str, Any] = {}
        for name, child in value.items():
            where = f"{path}.{name}"
            if isinstance(child, dict):
                new = self.child(name, child, where, root)
                if new is not None:
                    made[name] = new
            elif isinstance(child, list):
                items = [
                    self.child(name, item, f"{where}[{index}]", root) if isinstance(item, dict) else item
                    for index, item in enumerate(child)
                ]
                kept = [item for item, before in zip(items, child, strict=True) if item is not None or before is None]
                if kept:
                    made[name] = kept
            else:
                made[name] = child
        if not root and made.keys() <= {"type", "id"} and is_logical(value):
            return None
        return made

    def child(self, name: str, value: dict[str, Any], path: str, root: bool) -> dict[str, Any] | None:
        if name in ("identifier", "groupIdentifier", "masterIdentifier"):
            return self.identifier(value, path, own=root and name == "identifier")
        return self.element(value, path)

    def identifier(self, value: dict[str, Any], path: str, *, own: bool) -> dict[str, Any] | None:
        system, number = value.get("system"), value.get("value")
        if not isinstance(system, str) or not isinstance(number, str):
            return value
        reading = read(system, number, self.own_system)
        if reading is None:
            text = "A placeholder stands where a number should be: left out. Send the number, or nothing."
            self.issues.information("value", "identifier-placeholder", text, expression=path)
            return None
        for issue in reading.issues:
            self.issues.add(replace(issue, expression=path))
        if own:
            self.own.append(reading)
        return {**value, "system": reading.system, "value": reading.value}
