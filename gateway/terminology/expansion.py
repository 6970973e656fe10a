"""ValueSet's operations: the codes of a value set as a list with their names, and whether a code is among them.

https://hl7.org/fhir/R4/valueset-operations.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from gateway.definitions.codes import Code
from gateway.records import Resource
from gateway.terminology.concepts import ABSTRACT, Coding, Verdict, named, validated
from gateway.terminology.terminology import Terminology

INACTIVE = frozenset({"retired", "inactive", "deprecated"})
"""Values of a concept's `status`; its property `inactive` says the same."""
_LEFT_OUT = ("compose", "text", "expansion", "contained")


@dataclass(frozen=True, slots=True)
class Page:
    """What $expand is to give: codes by a text, `count` of them from the `offset`-th (None: all), and what of each."""

    filter: str = ""
    offset: int = 0
    count: int | None = None
    language: str | None = None
    designations: bool = False
    languages: tuple[str, ...] = ()
    """Of which languages designations are given, or of which uses (system|code); none: all."""
    definition: bool = False
    active: bool = False
    excluded: frozenset[str] = frozenset()
    """Code systems that are left out, as canonicals."""


def expand(
    terminology: Terminology, value_set: Resource, codes: frozenset[Code], page: Page, now: datetime
) -> Resource:
    """The value set with its expansion, in the order of its code systems; what it is made of only where asked for."""
    entries = list(_matching(terminology, value_set, codes, page))
    end = None if page.count is None else page.offset + page.count
    head = {name: value for name, value in value_set.items() if page.definition or name not in _LEFT_OUT}
    asked: list[dict[str, Any]] = [{"name": "offset", "valueInteger": page.offset}]
    asked += [] if page.count is None else [{"name": "count", "valueInteger": page.count}]
    asked += [{"name": "filter", "valueString": page.filter}] if page.filter else []
    asked += [{"name": "displayLanguage", "valueCode": page.language}] if page.language else []
    asked += [{"name": "activeOnly", "valueBoolean": True}] if page.active else []
    asked += [{"name": "exclude-system", "valueUri": one} for one in sorted(page.excluded)]
    asked += [{"name": "version", "valueUri": one} for one in _versions(terminology, codes, page)]
    expansion: Resource = {
        "identifier": f"urn:uuid:{uuid4()}",
        "timestamp": now.isoformat(timespec="milliseconds"),
        "total": len(entries),
        "offset": page.offset,
        "parameter": asked,
    }
    shown = entries[page.offset : end]
    if shown:
        expansion["contains"] = shown
    return {**head, "expansion": expansion}


def _matching(terminology: Terminology, value_set: Resource, codes: frozenset[Code], page: Page) -> Iterator[Resource]:
    words = page.filter.casefold().split()
    own = _own_names(value_set)
    for url, code in _ordered(terminology, codes):
        if url in page.excluded:
            continue
        system = terminology.system(url)
        concept = system.concepts.get(code, {}) if system is not None else {}
        if page.active and _inactive(concept):
            continue
        display = own.get((url, code)) if not page.language else None
        display = display or named(terminology, url, code, page.language)
        text = f"{code} {display}".casefold()
        if all(word in text for word in words):
            yield _entry(url, code, display, concept, page)


def _entry(url: str, code: str, display: str, concept: Resource, page: Page) -> Resource:
    entry: Resource = {"system": url}
    if any(one["code"] in ABSTRACT and one.get("valueBoolean") is True for one in concept.get("property", ())):
        entry["abstract"] = True
    if _inactive(concept):
        entry["inactive"] = True
    entry |= {"code": code, "display": display}
    found = [one for one in concept.get("designation", ()) if _is_wanted(one, page.languages)]
    if page.designations and found:
        entry["designation"] = found
    return entry


def _is_wanted(designation: Resource, languages: tuple[str, ...]) -> bool:
    use = designation.get("use", {})
    of = (str(designation.get("language", "")).partition("-")[0], f"{use.get('system', '')}|{use.get('code', '')}")
    plain = [one.removeprefix("urn:ietf:bcp:47|") for one in languages]
    return not plain or any(one in of or one.partition("-")[0] == of[0] for one in plain)


def _versions(terminology: Terminology, codes: frozenset[Code], page: Page) -> Iterator[str]:
    """By which versions of its code systems the value set is expanded, as far as they have one."""
    for url in sorted({url for url, _ in codes} - page.excluded):
        system = terminology.system(url)
        if system is not None and (version := system.head.get("version")):
            yield f"{url}|{version}"


def _ordered(terminology: Terminology, codes: frozenset[Code]) -> Iterator[Code]:
    """By code system, and within each as it lists them; codes of systems that are not held by themselves."""
    for url in sorted({system for system, _ in codes}):
        system = terminology.system(url)
        known = list(system.codes) if system is not None else []
        yield from ((url, code) for code in known if (url, code) in codes)
        yield from sorted(codes.intersection(_rest(codes, url, frozenset(known))))


def _rest(codes: frozenset[Code], url: str, known: frozenset[str]) -> Iterator[Code]:
    return ((system, code) for system, code in codes if system == url and code not in known)


def _own_names(value_set: Resource) -> dict[Code, str]:
    """What the value set itself calls its codes."""
    return {
        (part["system"], one["code"]): str(one["display"])
        for part in value_set.get("compose", {}).get("include", ())
        for one in part.get("concept", ())
        if "system" in part and "display" in one
    }


def _inactive(concept: Resource) -> bool:
    return any(
        (one["code"] == "inactive" and one.get("valueBoolean") is True)
        or (one["code"] == "status" and one.get("valueCode") in INACTIVE)
        for one in concept.get("property", ())
    )


def among(
    terminology: Terminology,
    codes: frozenset[Code],
    coding: Coding,
    *,
    abstract: bool = True,
    language: str | None = None,
) -> Verdict:
    """Whether a coding is one of a value set's codes, and is called as it is given."""
    url, code = str(coding.get("system", "")), str(coding.get("code", ""))
    if (url, code) not in codes:
        others = [one for one in codes if one[1] == code]
        hint = f" It has this code of {others[0][0]}." if len(others) == 1 else ""
        return Verdict(False, f"The value set does not have code {code[:64]!r} of {url[:200] or 'no system'}.{hint}")
    if terminology.system(url) is None:
        return Verdict(True, None, None)
    return validated(terminology, url, coding, abstract=abstract, language=language)
