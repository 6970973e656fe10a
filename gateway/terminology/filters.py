"""The filters of a value set: which codes of a system one keeps.

https://hl7.org/fhir/R4/valueset.html#filters
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from gateway.records import Resource


class Hierarchy(Protocol):
    @property
    def codes(self) -> Iterable[str]: ...
    @property
    def concepts(self) -> Mapping[str, Resource]: ...
    def above(self, code: str) -> frozenset[str]: ...
    def below(self, code: str) -> frozenset[str]: ...


def kept(system: Hierarchy, rule: Resource) -> frozenset[str] | None:
    """The codes that a filter keeps; None where it cannot be told."""
    op, value, name = rule["op"], rule["value"], rule["property"]
    if op in _BY_HIERARCHY:
        return _BY_HIERARCHY[op](system, value)
    test = _BY_PROPERTY.get(op)
    if test is None or (name not in ("code", "concept") and not system.concepts):
        return None
    return frozenset(code for code in system.codes if test(_values(system, code, name), value))


_BY_HIERARCHY: Mapping[str, Callable[[Hierarchy, str], frozenset[str]]] = {
    "is-a": lambda system, value: system.below(value),
    "descendent-of": lambda system, value: system.below(value) - {value},
    "is-not-a": lambda system, value: frozenset(system.codes) - system.below(value),
    "generalizes": lambda system, value: system.above(value),
}


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}


_BY_PROPERTY: Mapping[str, Callable[[list[str], str], bool]] = {
    "=": lambda found, value: value in found,
    "in": lambda found, value: not _listed(value).isdisjoint(found),
    "not-in": lambda found, value: _listed(value).isdisjoint(found),
    "exists": lambda found, value: bool(found) == (value == "true"),
}


def _values(system: Hierarchy, code: str, name: str) -> list[str]:
    if name in ("code", "concept"):
        return [code]
    concept = system.concepts.get(code, {})
    if name == "display":
        return [concept["display"]] if "display" in concept else []
    return [_text(entry) for entry in concept.get("property", ()) if entry["code"] == name]


def _text(entry: Resource) -> str:
    value: Any = next((content for key, content in entry.items() if key.startswith("value")), "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.get("code", "")) if isinstance(value, dict) else str(value)
