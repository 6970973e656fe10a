"""Codes and their words: value sets that can be expanded here, and what a code is called in a language.

https://hl7.org/fhir/R4/terminologies.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.records import Resource

Code = tuple[str, str]


def from_table(_: str, row: Mapping[str, list[str]] | str) -> frozenset[Code] | str:
    """The codes of a value set, or the url of the one code system that it is the whole of."""
    if isinstance(row, str):
        return row
    return frozenset((system, code) for system, codes in row.items() for code in codes)


class Vocabulary:
    """The CodeSystem and ValueSet resources of a snapshot."""

    def __init__(self, resources: Iterable[Resource], shipped: Mapping[str, frozenset[Code] | str]) -> None:
        self._shipped = shipped
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
        if url in self._systems:
            return frozenset((url, concept["code"]) for concept in _concepts(self._systems[url]))
        shipped = self._shipped.get(url)
        return self.codes(shipped) if isinstance(shipped, str) else shipped

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
