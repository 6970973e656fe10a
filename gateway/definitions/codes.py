"""Codes and their words: value sets that can be expanded here, hierarchies, and what a code is called in a language.

https://hl7.org/fhir/R4/terminologies.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.records import Resource

Code = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system that is held whole: its codes, with those right above each where it is a hierarchy."""

    url: str
    cased: bool
    """Whether the case of a code matters; where nothing says so, it does not."""
    above: Mapping[str, tuple[str, ...]]


def system_from_table(url: str, row: Mapping[str, Any]) -> CodeSystem:
    codes = row["codes"]
    above = (
        {code: tuple(found) for code, found in codes.items()} if isinstance(codes, dict) else dict.fromkeys(codes, ())
    )
    return CodeSystem(url, row.get("cased", False), above)


def system_from_resource(resource: Resource) -> CodeSystem:
    """By nesting, or by the properties that code systems use instead: https://hl7.org/fhir/R4/codesystem.html#hierarchy"""
    above: dict[str, dict[str, None]] = {}

    def walk(level: Resource, parent: str | None) -> None:
        for concept in level.get("concept", ()):
            code = concept["code"]
            found = above.setdefault(code, {})
            if parent is not None:
                found[parent] = None
            for entry in concept.get("property", ()):
                other = entry.get("valueCode")
                if entry["code"] in ("parent", "subsumedBy") and other:
                    found[other] = None
                elif entry["code"] == "child" and other:
                    above.setdefault(other, {})[code] = None
            walk(concept, code)

    walk(resource, None)
    return CodeSystem(
        str(resource.get("url", "")),
        resource.get("caseSensitive", False),
        {code: tuple(found) for code, found in above.items()},
    )


def from_table(_: str, row: Mapping[str, list[str]] | str) -> frozenset[Code] | str:
    """The codes of a value set, or the url of the one code system that it is the whole of."""
    if isinstance(row, str):
        return row
    return frozenset((system, code) for system, codes in row.items() for code in codes)


class Vocabulary:
    """The CodeSystem and ValueSet resources of a snapshot."""

    def __init__(
        self,
        resources: Iterable[Resource],
        shipped: Mapping[str, frozenset[Code] | str],
        systems: Mapping[str, CodeSystem],
    ) -> None:
        self._shipped = shipped
        self._shipped_systems = systems
        self._read: dict[str, CodeSystem] = {}
        self._value_sets: dict[str, Resource] = {}
        self._systems: dict[str, Resource] = {}
        self._words: dict[Code, list[Resource]] | None = None
        self._code_systems: list[Resource] = []
        for resource in resources:
            if resource["resourceType"] == "ValueSet":
                self._value_sets[resource["url"]] = resource
            elif resource["resourceType"] == "CodeSystem":
                self._code_systems.append(resource)
                if resource["content"] == "complete":
                    self._systems[resource["url"]] = resource

    def codes(self, url: str) -> frozenset[Code] | None:
        """The codes of a value set (or of a whole code system), or None where it cannot be expanded here."""
        url = url.partition("|")[0]
        if url in self._value_sets:
            return self._expanded(self._value_sets[url])
        if (system := self.system(url)) is not None:
            return frozenset((url, code) for code in system.above)
        shipped = self._shipped.get(url)
        return self.codes(shipped) if isinstance(shipped, str) else shipped

    def system(self, url: str) -> CodeSystem | None:
        """A code system that is held whole."""
        if url in self._read:
            return self._read[url]
        if url not in self._systems:
            return self._shipped_systems.get(url)
        found = self._read[url] = system_from_resource(self._systems[url])
        return found

    def systems(self) -> Iterator[str]:
        """The urls of the code systems that are held whole."""
        yield from self._systems
        yield from self._shipped_systems

    def _expanded(self, value_set: Resource) -> frozenset[Code] | None:
        compose = value_set.get("compose", {})
        included = [self._part(part) for part in compose.get("include", ())]
        excluded = [self._part(part) for part in compose.get("exclude", ())]
        codes: set[Code] = set()
        for found in included:
            if found is None:
                return None
            codes |= found
        for found in excluded:
            if found is None:
                return None
            codes -= found
        return frozenset(codes)

    def _part(self, part: Resource) -> frozenset[Code] | None:
        """One include or exclude: what its system gives, met with each value set that it names."""
        if "filter" in part:
            return None
        sets = [self.codes(url) for url in part.get("valueSet", ())]
        if system := part.get("system"):
            named = part.get("concept")
            sets.append(frozenset((system, entry["code"]) for entry in named) if named else self.codes(system))
        met: frozenset[Code] | None = None
        for found in sets:
            if found is None:
                return None
            met = found if met is None else met & found
        return met

    def display(self, system: str, code: str, language: str | None = None) -> str | None:
        """What the code is called: the designation in that language, or else the display."""
        if self._words is None:
            self._words = self._all_words()
        concepts = self._words.get((system, code), ())
        if language:
            for concept in concepts:
                for designation in concept.get("designation", ()):
                    if designation.get("language", "").partition("-")[0] == language.partition("-")[0]:
                        return str(designation["value"])
        return next((str(concept["display"]) for concept in concepts if "display" in concept), None)

    def _all_words(self) -> dict[Code, list[Resource]]:
        """Concepts by code; a supplement's words count for the system it supplements."""
        words: dict[Code, list[Resource]] = {}
        for system in self._code_systems:
            url = str(system.get("supplements") or system["url"]).partition("|")[0]
            for concept in _concepts(system):
                words.setdefault((url, concept["code"]), []).append(concept)
        return words


def _concepts(level: Resource) -> Iterator[Resource]:
    for concept in level.get("concept", ()):
        yield concept
        yield from _concepts(concept)
