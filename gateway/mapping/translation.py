"""ConceptMap/$translate: what ConceptMaps say of a code, with all that they say: equivalence, products, dependencies.

What maps need of a ConceptMap is compiled (`conceptmap.py`); this answers whoever asks, from the resources themselves.
Pure: the ConceptMaps are given.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.records import Resource

Coding = Mapping[str, Any]
Find = Callable[[str], Resource | None]
"""A ConceptMap by its canonical url, for `other-map`."""

DEEPEST = 8
"""How many maps may send on to one another (`other-map`)."""
MOST = 1000
"""Matches of one answer."""
NO_MATCH = frozenset(("unmatched", "disjoint"))
REVERSED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
"""What an equivalence is called when it is looked at from the other end; the others are the same from both."""
_FROM_R5 = {
    "related-to": "relatedto",
    "equivalent": "equivalent",
    "source-is-narrower-than-target": "wider",
    "source-is-broader-than-target": "narrower",
    "not-related-to": "disjoint",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be translated, and where to. With `reverse`, `source` and `target` have changed their places."""

    codings: Sequence[Coding]
    source: str | None = None
    target: str | None = None
    target_system: str | None = None
    dependencies: Mapping[str, Sequence[Coding]] = field(default_factory=dict)
    """By the element (or property) that a mapping may depend on, its codings."""
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One thing that a ConceptMap says of the code."""

    equivalence: str
    concept: Coding | None
    source: str
    """The ConceptMap's url."""
    products: tuple[tuple[str, Coding], ...] = ()


@dataclass(slots=True)
class Translation:
    """The answer: what was found, and what more would have helped."""

    matches: list[Match] = field(default_factory=list)
    needed: dict[str, None] = field(default_factory=dict)
    """Elements that a mapping depends on and that were not given, or have other values."""
    cut: bool = False

    @property
    def result(self) -> bool:
        return any(match.equivalence not in NO_MATCH for match in self.matches)

    def message(self) -> str | None:
        """What a person should know beside the matches."""
        said = []
        if not self.matches:
            said.append("No ConceptMap that was looked in names this code.")
        if self.needed:
            said.append(f"Some mappings depend on {', '.join(self.needed)}: give them as dependency for more matches.")
        if self.cut:
            said.append(f"More than {MOST} matches: the rest is left out. Name a map or a target.")
        return " ".join(said) or None


def translate(maps: Iterable[Resource], asked: Asked, find: Find = lambda url: None) -> Translation:
    """What the maps say, in their order."""
    found = Translation()
    seen: set[Any] = set()
    for one in maps:
        if not _applies(one, asked):
            continue
        for coding in asked.codings:
            for match in _matches(one, coding, asked, found, find, DEEPEST):
                key = (match.equivalence, match.source, tuple(sorted((match.concept or {}).items())), match.products)
                if repr(key) in seen:
                    continue
                if len(found.matches) == MOST:
                    found.cut = True
                    return found
                seen.add(repr(key))
                found.matches.append(match)
    return found


def _applies(one: Resource, asked: Asked) -> bool:
    """Whether the map is between these value sets, as far as it says between which it is."""
    ends = ("target", "source") if asked.reverse else ("source", "target")
    for end, wanted in zip(ends, (asked.source, asked.target), strict=True):
        said = one.get(f"{end}Uri") or one.get(f"{end}Canonical") or one.get(f"{end}Reference", {}).get("reference")
        if wanted and said and not _same_canonical(str(said), wanted):
            return False
    return True


def _same_canonical(said: str, wanted: str) -> bool:
    (url, _, version), (other, _, asked) = said.partition("|"), wanted.partition("|")
    return url == other and (not version or not asked or version == asked)


def _matches(
    one: Resource, coding: Coding, asked: Asked, found: Translation, find: Find, deepest: int
) -> Iterator[Match]:
    if asked.reverse:
        yield from _backwards(one, coding, asked, found)
        return
    url = str(one.get("url") or "")
    for group in _all(one, "group"):
        if not _is_end(group, "source", coding) or not _wanted(group.get("target"), asked):
            continue
        elements = [element for element in _all(group, "element") if element.get("code") == coding.get("code")]
        for element in elements:
            targets = _all(element, "target")
            if not targets:
                yield Match("unmatched", None, url)
            for target in targets:
                if _depends(target, asked, found):
                    concept = _coding(group.get("target"), group.get("targetVersion"), target)
                    yield Match(_equivalence(target), concept, url, tuple(_products(target)))
        if not elements:
            yield from _unmapped(group, coding, asked, found, find, deepest, url)


def _backwards(one: Resource, coding: Coding, asked: Asked, found: Translation) -> Iterator[Match]:
    url = str(one.get("url") or "")
    for group in _all(one, "group"):
        if not _is_end(group, "target", coding) or not _wanted(group.get("source"), asked):
            continue
        for element in _all(group, "element"):
            for target in _all(element, "target"):
                if target.get("code") == coding.get("code") and _depends(target, asked, found):
                    said = _equivalence(target)
                    concept = _coding(group.get("source"), group.get("sourceVersion"), element)
                    yield Match(REVERSED.get(said, said), concept, url, tuple(_products(target)))


def _unmapped(
    group: Resource, coding: Coding, asked: Asked, found: Translation, find: Find, deepest: int, url: str
) -> Iterator[Match]:
    """What becomes of a code that no element names; how it is related to what it becomes, the map does not say."""
    policy = group.get("unmapped")
    if not isinstance(policy, dict):
        return
    mode = policy.get("mode")
    if mode in ("provided", "use-source-code"):
        concept = _coding(group.get("target"), group.get("targetVersion"), coding)
        yield Match("equal", concept, url)
    elif mode == "fixed":
        yield Match("relatedto", _coding(group.get("target"), group.get("targetVersion"), policy), url)
    elif mode in ("other-map", "other") and deepest > 0:
        other = find(str(policy.get("url") or policy.get("otherMap") or ""))
        if other is not None:
            yield from _matches(other, coding, asked, found, find, deepest - 1)


def _is_end(group: Resource, end: str, coding: Coding) -> bool:
    """Whether a group's source or target is the coding's system. A group that names none takes any."""
    said, system = group.get(end), coding.get("system")
    if said and system and _bare(str(said)) != _bare(str(system)):
        return False
    version, asked = group.get(f"{end}Version"), coding.get("version")
    return not (version and asked and version != asked)


def _bare(system: str) -> str:
    """An OID is the same system with and without its prefix."""
    return system.removeprefix("urn:oid:")


def _wanted(system: Any, asked: Asked) -> bool:
    return not asked.target_system or not system or _bare(str(system)) == _bare(asked.target_system)


def _equivalence(target: Resource) -> str:
    said = target.get("equivalence")
    return str(said) if said else _FROM_R5.get(str(target.get("relationship")), "relatedto")


def _coding(system: Any, version: Any, said: Mapping[str, Any]) -> Coding | None:
    if not said.get("code"):
        return None
    found = {"system": system, "version": version, "code": said["code"], "display": said.get("display")}
    return {name: value for name, value in found.items() if value}


def _depends(target: Resource, asked: Asked, found: Translation) -> bool:
    """Whether everything that the mapping depends on was given, with the values that it depends on."""
    missing = [one for one in _all(target, "dependsOn") if not _given(one, asked)]
    found.needed.update(dict.fromkeys(str(one.get("property")) for one in missing))
    return not missing


def _given(one: Resource, asked: Asked) -> bool:
    for coding in asked.dependencies.get(str(one.get("property")), ()):
        same_system = not one.get("system") or not coding.get("system") or one["system"] == coding["system"]
        if coding.get("code") == one.get("value") and same_system:
            return True
    return False


def _products(target: Resource) -> Iterator[tuple[str, Coding]]:
    for one in _all(target, "product"):
        found = {"system": one.get("system"), "code": one.get("value"), "display": one.get("display")}
        yield str(one.get("property")), {name: value for name, value in found.items() if value}


def _all(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def parameters(found: Translation) -> Resource:
    """The answer as the operation gives it."""
    made: list[dict[str, Any]] = [{"name": "result", "valueBoolean": found.result}]
    if message := found.message():
        made.append({"name": "message", "valueString": message})
    for match in found.matches:
        parts: list[dict[str, Any]] = [{"name": "equivalence", "valueCode": match.equivalence}]
        if match.concept:
            parts.append({"name": "concept", "valueCoding": dict(match.concept)})
        for element, concept in match.products:
            inner: list[dict[str, Any]] = [{"name": "element", "valueUri": element}]
            if concept:
                inner.append({"name": "concept", "valueCoding": dict(concept)})
            parts.append({"name": "product", "part": inner})
        if match.source:
            parts.append({"name": "source", "valueUri": match.source})
        made.append({"name": "match", "part": parts})
    return {"resourceType": "Parameters", "parameter": made}
