"""What value sets and code systems say: those of the definitions, and those that are kept and that the caller finds.

https://hl7.org/fhir/R4/valueset.html#compose
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from gateway.definitions import CodeSystem, Definitions
from gateway.definitions.codes import Code, system_from_resource
from gateway.records import Resource
from gateway.terminology import filters

Find = Callable[[str, str], Resource | None]
"""A kept ValueSet or CodeSystem: its type, and its url (with a version after a bar) or its id."""

MAX_CODES = 10_000
MAX_DEPTH = 10
MAX_STEPS = 3_000_000
"""Codes that one Terminology looks at to tell what value sets have: it bounds the time that a question takes."""
FETCH = 5_000
"""A value set or code system that is looked up counts as so many codes."""

# https://hl7.org/fhir/R4/snomedct.html#implicit
_IMPLICIT = re.compile(r"(http://snomed\.info/sct)\?fhir_vs(?:=isa/(\d{1,18}))?")


class TooLarge(Exception):
    """A value set has more codes than are looked at, or refers to too many others, or to itself by way of others."""


def nothing(_kind: str, _url: str) -> Resource | None:
    return None


class Terminology:
    """Questions about codes. What is kept goes before what is shipped; None is the answer where it cannot be told."""

    def __init__(self, definitions: Definitions, find: Find = nothing) -> None:
        self._definitions = definitions
        self._find = find
        self._systems: dict[str, System | None] = {}
        self._sets: dict[str, frozenset[Code] | None] = {}
        self._under_way: set[str] = set()
        self._steps = 0

    def codes(self, url: str) -> frozenset[Code] | None:
        """The codes of a value set."""
        return self._codes(url, MAX_DEPTH)

    def codes_of(self, value_set: Resource) -> frozenset[Code] | None:
        """The codes of a value set that is at hand."""
        return self._expanded(value_set, MAX_DEPTH)

    def value_set(self, url: str) -> Resource | None:
        """A value set by its url: as it is kept or shipped; the head of one that is shipped as codes only."""
        kept = self._find("ValueSet", url)
        if kept is not None:
            return kept
        resource = self._definitions.resources.get(url.partition("|")[0])
        if resource is not None and resource["resourceType"] == "ValueSet":
            return resource
        known = _IMPLICIT.fullmatch(url) or self._definitions.codes(url) is not None
        if not known:
            return None
        version = self._definitions.shipped_version(url)
        return {"resourceType": "ValueSet", "url": url.partition("|")[0], "version": version, "status": "unknown"}

    def display(self, system: str, code: str) -> str | None:
        """What a code is called; None where nothing says so."""
        found = self.system(system)
        concept = found.concepts.get(code) if found is not None else None
        if concept is not None and "display" in concept:
            return str(concept["display"])
        return self._definitions.shipped_display(system, code)

    def below(self, system: str, code: str) -> frozenset[str] | None:
        """A code of a system and everything that it subsumes."""
        found = self.system(system)
        return None if found is None else found.below(code)

    def above(self, system: str, code: str) -> frozenset[str] | None:
        """A code of a system and everything that subsumes it."""
        found = self.system(system)
        return None if found is None else found.above(code)

    def systems_with(self, code: str) -> Iterator[str]:
        """The shipped code systems that have a code."""
        for url in self._definitions.code_systems():
            known = self._definitions.code_system(url)
            if known is not None and code in known.above:
                yield url

    def system(self, url: str) -> System | None:
        if url not in self._systems:
            self._systems[url] = self._read(url)
        return self._systems[url]

    def _read(self, url: str) -> System | None:
        kept = self._find("CodeSystem", url)
        if kept is not None and kept.get("content") == "complete":
            return System(system_from_resource(kept), kept)
        shipped = self._definitions.code_system(url)
        resource = self._definitions.resources.get(url.partition("|")[0])
        if shipped is None:
            return None
        return System(shipped, resource, self._definitions.shipped_version(url))

    def _codes(self, url: str, depth: int) -> frozenset[Code] | None:
        """The codes of a value set, found out once: others may refer to it by many ways."""
        if url not in self._sets:
            if depth == 0 or url in self._under_way:
                raise TooLarge
            self._under_way.add(url)
            try:
                self._sets[url] = self._told(url, depth)
            finally:
                self._under_way.remove(url)
        return self._sets[url]

    def _told(self, url: str, depth: int) -> frozenset[Code] | None:
        self._step(FETCH)
        kept = self._find("ValueSet", url)
        if kept is not None:
            return self._expanded(kept, depth)
        resource = self._definitions.resources.get(url.partition("|")[0])
        if resource is not None and resource["resourceType"] == "ValueSet":
            return self._expanded(resource, depth)
        if implicit := _IMPLICIT.fullmatch(url):
            return self._implicit(implicit[1], implicit[2])
        return self._definitions.codes(url)

    def _step(self, codes: int) -> None:
        self._steps += codes
        if self._steps > MAX_STEPS:
            raise TooLarge

    def _implicit(self, url: str, code: str | None) -> frozenset[Code] | None:
        system = self.system(url)
        if system is None:
            return None
        return frozenset((url, one) for one in (system.below(code) if code else system.codes))

    def _expanded(self, value_set: Resource, depth: int) -> frozenset[Code] | None:
        compose = value_set.get("compose")
        if compose is None:
            return _contained(value_set.get("expansion", {}).get("contains", ()))
        included = self._union(compose.get("include", ()), depth)
        excluded = self._union(compose.get("exclude", ()), depth)
        return None if included is None or excluded is None else included - excluded

    def _union(self, parts: Iterable[Resource], depth: int) -> frozenset[Code] | None:
        codes: set[Code] = set()
        for part in parts:
            found = self._part(part, depth)
            if found is None:
                return None
            self._step(len(found))
            codes |= found
            if len(codes) > MAX_CODES:
                raise TooLarge
        return frozenset(codes)

    def _part(self, part: Resource, depth: int) -> frozenset[Code] | None:
        """One include or exclude: what its system gives, met with each value set that it names."""
        met = self._of_system(part) if "system" in part else None
        if met is None and "system" in part:
            return None
        for url in part.get("valueSet", ()):
            found = self._codes(url, depth - 1)
            if found is None:
                return None
            self._step(len(found))
            met = found if met is None else met & found
        return met

    def _of_system(self, part: Resource) -> frozenset[Code] | None:
        url = part["system"]
        if "concept" in part:
            return frozenset((url, entry["code"]) for entry in part["concept"])
        system = self.system(f"{url}|{part['version']}" if "version" in part else url) or self.system(url)
        if system is None:
            return None
        self._step(len(system.codes) + FETCH)
        codes = set(system.codes)
        for rule in part.get("filter", ()):
            self._step(len(system.codes))
            kept = filters.kept(system, rule)
            if kept is None:
                return None
            codes &= kept
        return frozenset((url, code) for code in codes)


def _contained(level: Sequence[Resource]) -> frozenset[Code] | None:
    """The codes of an expansion that came with the value set."""
    codes = {(entry["system"], entry["code"]) for entry in level if "code" in entry and "system" in entry}
    for entry in level:
        codes |= _contained(entry.get("contains", ())) or frozenset()
    return frozenset(codes) or None


class System:
    """A code system as a hierarchy, with what its concepts say where the resource is at hand."""

    def __init__(self, table: CodeSystem, resource: Resource | None, version: str | None = None) -> None:
        self._table = table
        self._resource = resource
        self._version = version

    @property
    def head(self) -> Resource:
        """What the code system says of itself, where the resource is at hand; else what is known of it."""
        return self._resource or {"url": self._table.url} | ({"version": self._version} if self._version else {})

    @property
    def at_hand(self) -> bool:
        """Whether the resource itself is here, not its codes alone."""
        return self._resource is not None

    @property
    def cased(self) -> bool:
        return self._table.cased

    @property
    def codes(self) -> Collection[str]:
        return self._table.above.keys()

    def right_above(self, code: str) -> Sequence[str]:
        return self._table.above.get(code, ())

    def right_below(self, code: str) -> Sequence[str]:
        return self._right_below.get(code, ())

    def above(self, code: str) -> frozenset[str]:
        return _reached(self._table.above, code)

    def below(self, code: str) -> frozenset[str]:
        return _reached(self._right_below, code)

    @cached_property
    def _right_below(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for code, parents in self._table.above.items():
            for parent in parents:
                found.setdefault(parent, []).append(code)
        return found

    @cached_property
    def concepts(self) -> Mapping[str, Resource]:
        """The concepts by code; none of a system that is shipped as a hierarchy only."""
        return {concept["code"]: concept for concept in _concepts(self._resource or {})}


def _reached(steps: Mapping[str, Sequence[str]], start: str) -> frozenset[str]:
    found, fresh = {start}, [start]
    while fresh:
        fresh = [code for one in fresh for code in steps.get(one, ()) if code not in found]
        found.update(fresh)
    return frozenset(found)


def _concepts(level: Resource) -> Iterator[Resource]:
    for concept in level.get("concept", ()):
        yield concept
        yield from _concepts(concept)
