"""CodeSystem's operations: what a code is called and means, how two codes lie to one another, whether a code is right.

https://hl7.org/fhir/R4/codesystem-operations.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.records import Resource
from gateway.terminology.terminology import System, Terminology

Coding = Mapping[str, Any]
Parameter = dict[str, Any]

ABSTRACT = frozenset({"abstract", "notSelectable"})
"""Properties of a concept that is there to group others: https://hl7.org/fhir/R4/codesystem-concept-properties.html"""
_ALWAYS = ("definition", "designation", "parent", "child")


def subsumes(system: System, a: str, b: str) -> str | None:
    """The outcome code of $subsumes; None where the system does not have both codes."""
    if a not in system.codes or b not in system.codes:
        return None
    if a == b:
        return "equivalent"
    if a in system.above(b):
        return "subsumes"
    return "subsumed-by" if b in system.above(a) else "not-subsumed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What $lookup is to tell: `properties` by code (none given: all), the display in a language."""

    properties: Sequence[str] = ()
    language: str | None = None

    def has(self, name: str) -> bool:
        return not self.properties or name in self.properties


def lookup(terminology: Terminology, system: System, url: str, code: str, wanted: Wanted) -> list[Parameter] | None:
    """The parameters of $lookup's answer; None where the system does not have the code."""
    if code not in system.codes:
        return None
    concept = system.concepts.get(code, {})
    head = system.head
    version = [_of("version", "String", head["version"])] if "version" in head else []
    called = named(terminology, url, code, wanted.language)
    return [
        _of("name", "String", str(head.get("title") or head.get("name") or url)),
        *version,
        _of("display", "String", called),
        *(_designation(one) for one in concept.get("designation", ()) if _told(one, wanted)),
        *_properties(system, code, concept, wanted),
    ]


def named(terminology: Terminology, url: str, code: str, language: str | None) -> str:
    """What a code is called, in a language where there are words of it; the code itself where it has no name."""
    system = terminology.system(url)
    concept = system.concepts.get(code, {}) if system is not None else {}
    spoken = [one["value"] for one in concept.get("designation", ()) if language and _same(one, language)]
    return str(spoken[0]) if spoken else terminology.display(url, code) or code


def _told(designation: Resource, wanted: Wanted) -> bool:
    """`lang.sv` asks for the designations of a language only."""
    return wanted.has("designation") or f"lang.{designation.get('language')}" in wanted.properties


def _same(designation: Resource, language: str) -> bool:
    return str(designation.get("language", "")).partition("-")[0] == language.partition("-")[0]


def _designation(one: Resource) -> Parameter:
    language = [_of("language", "Code", one["language"])] if "language" in one else []
    use = [_of("use", "Coding", one["use"])] if "use" in one else []
    return {"name": "designation", "part": [*language, *use, _of("value", "String", one["value"])]}


def _properties(system: System, code: str, concept: Resource, wanted: Wanted) -> Iterator[Parameter]:
    if "definition" in concept and wanted.has("definition"):
        yield _property("definition", "String", concept["definition"])
    for name, found in (("parent", system.right_above(code)), ("child", system.right_below(code))):
        if wanted.has(name):
            yield from (_property(name, "Code", one) for one in found)
    for one in concept.get("property", ()):
        if wanted.has(one["code"]) and one["code"] not in _ALWAYS:
            for key, value in one.items():
                if key.startswith("value"):
                    yield _property(one["code"], key.removeprefix("value"), value)


def _property(code: str, kind: str, value: Any) -> Parameter:
    return {"name": "property", "part": [_of("code", "Code", code), _of("value", kind, value)]}


def _of(name: str, kind: str, value: Any) -> Parameter:
    return {"name": name, f"value{kind}": value}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What $validate-code says of one coding."""

    good: bool
    message: str | None = None
    display: str | None = None

    def parameters(self) -> list[Parameter]:
        told = [_of("result", "Boolean", self.good)]
        told += [_of("message", "String", self.message)] if self.message else []
        return told + ([_of("display", "String", self.display)] if self.display else [])


def validated(
    terminology: Terminology, url: str, coding: Coding, *, abstract: bool = True, language: str | None = None
) -> Verdict:
    """Whether a code system that is held has the code, may be used by itself, and calls it so."""
    system = terminology.system(url)
    code = str(coding.get("code", ""))
    if system is None or code not in system.codes:
        return Verdict(False, f"{url} has no code {code[:64]!r}.{_near(code, system)}")
    called = named(terminology, url, code, language)
    if not abstract and _grouping(system.concepts.get(code, {})):
        return Verdict(False, "This code groups others and is not to be used by itself.", called)
    given = coding.get("display")
    if given is not None and _plain(str(given)) not in map(_plain, names(terminology, system, url, code)):
        return Verdict(False, f"The code is right and has another display: {called!r}.", called)
    return Verdict(True, None, called)


def best(verdicts: Iterable[Verdict]) -> Verdict:
    """Of a CodeableConcept: one right coding is enough; else the first that says why not."""
    told = list(verdicts)
    return next((one for one in told if one.good), told[0])


def _near(code: str, system: System | None) -> str:
    """Codes differ in case more often than in anything else."""
    other = [one for one in system.codes if one.casefold() == code.casefold()] if system is not None else []
    return f" Did you mean {other[0]!r}?" if other else ""


def _grouping(concept: Resource) -> bool:
    return any(one["code"] in ABSTRACT and one.get("valueBoolean") is True for one in concept.get("property", ()))


def names(terminology: Terminology, system: System, url: str, code: str) -> Iterator[str]:
    yield terminology.display(url, code) or code
    for one in system.concepts.get(code, {}).get("designation", ()):
        yield str(one["value"])


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
