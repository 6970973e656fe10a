"""What definitions and vocabulary say, beyond their invariants: expressions, elements of profiles, codes, conditions.

https://hl7.org/fhir/R4/structuredefinition.html, codesystem.html, valueset.html, conceptmap.html, questionnaire.html

A table by the type of what is looked at. Codes are held to the code systems that are held here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.fhirpath import FHIRPathError, parse
from gateway.fhirpath import compile as compiled
from gateway.validation.bindings import Codes, lacking
from gateway.validation.datatypes import Told, coding
from gateway.validation.spots import Object, Spot, listed
from gateway.validation.tree import CORE, Tree, tree

STANDARD: Final = frozenset(("inactive", "deprecated", "notSelectable", "parent", "child"))
"""Properties that every code system may use: https://hl7.org/fhir/R4/codesystem.html#defined-props"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is asked of the validation around: types, codes, and profiles by their canonical."""

    d: Definitions
    codes: Codes
    profile: Callable[[str], Tree | None]


def told(spot: Spot, known: Known, *, sound: bool) -> Iterator[Told]:
    """What is wrong with what a definition says; of a profile only where it is `sound`, structurally right."""
    rule = RULES.get(spot.type)
    if rule is not None and (sound or rule is not _structure):
        yield from rule(spot.value, known)


# --- expressions -----------------------------------------------------------------------------------------------------


def _expression(text: Any, step: str, known: Known) -> Iterator[Told]:
    if type(text) is not str:
        return
    try:
        parse(text)
    except FHIRPathError as error:
        told = f"This is no FHIRPath: {error.problems[0].text}"
        yield "error", "invalid", "expression-syntax", told, step
        return
    try:
        compiled(text, None, known.d)
    except FHIRPathError as error:
        told = f"The expression cannot be used here: {error.problems[0].text}"
        yield "warning", "not-supported", "expression-unknown", told, step


def _constraint(value: Object, known: Known) -> Iterator[Told]:
    yield from _expression(value.get("expression"), "expression", known)


def _of_language(value: Object, known: Known) -> Iterator[Told]:
    if value.get("language") == "text/fhirpath":
        yield from _constraint(value, known)


def _context(value: Object, known: Known) -> Iterator[Told]:
    if value.get("type") == "fhirpath":
        yield from _constraint(value, known)


# --- profiles --------------------------------------------------------------------------------------------------------


def _structure(value: Object, known: Known) -> Iterator[Told]:
    rules = value.get("contextInvariant")
    for place, rule in enumerate(rules if type(rules) is list else ()):
        yield from _expression(rule, f"contextInvariant[{place}]", known)
    kind, parent = value.get("type"), value.get("baseDefinition")
    if value.get("derivation") != "constraint" or type(kind) is not str or kind not in known.d.types:
        return
    base = known.profile(parent) if type(parent) is str else None
    below = base.type if base is not None else parent.removeprefix(CORE) if type(parent) is str else kind
    if below != kind and below in known.d.types:
        text = f"A profile is of the type of its base, which is one of {below}."
        yield "error", "value", "profile-base-type", text, "type"
        return
    for view in ("differential", "snapshot"):
        held = value.get(view)
        elements = held.get("element") if type(held) is dict else None
        if type(elements) is list:
            yield from _elements(value, elements, f"{view}.element", base, known)


def _elements(structure: Object, elements: list[Any], at: str, base: Tree | None, known: Known) -> Iterator[Told]:
    faults = set(tree(structure, listed(elements), base, known.d).faults)
    for place, element in enumerate(elements):
        if type(element) is not dict:
            continue
        path = element.get("path")
        if path in faults:
            text = "The type, or the base, has no element of this path."
            yield "error", "not-found", "profile-element-unknown", text, f"{at}[{place}].path"
            continue
        allowed = _types(element, str(path), known.d)
        for name in element:
            written = next((name[len(stem) :] for stem in ("fixed", "pattern") if name.startswith(stem)), None)
            if written and allowed and written.lower() not in {one.lower() for one in allowed}:
                text = f"The value is of another type than the element, which is {' or '.join(sorted(allowed))}."
                stem = name.removesuffix(written)
                yield "error", "value", "profile-value-type", text, f"{at}[{place}].{stem}"


def _types(element: Object, path: str, d: Definitions) -> frozenset[str]:
    """The types that an element has by itself, else by R4; none where that is not told."""
    given = [str(one.get("code")) for one in listed(element.get("type"))]
    if given:
        return frozenset() if any(":" in one for one in given) else frozenset(given)
    first, *names = path.split(".")
    kinds = {first} & set(d.types)
    for name in names:
        short = name.removesuffix("[x]")
        kinds = {
            one.type for kind in kinds for one in d.types[kind].elements.values() if short in (one.name, one.choice_of)
        }
    return frozenset(kinds)


# --- vocabulary ------------------------------------------------------------------------------------------------------


def _code(system: Any, holder: Object, version: Any, step: str, known: Known) -> Iterator[Told]:
    code = holder.get("code")
    if type(system) is str and type(code) is str:
        severity = lacking(system, code, version, known.codes)
        if severity is not None:
            text = f"The code system {system} does not have this code."
            yield severity, "code-invalid", "code-unknown", text, f"{step}.code"


def _group(value: Object, known: Known) -> Iterator[Told]:
    """Of a ConceptMap: its codes are of the systems that it leads from and to."""
    for place, element in enumerate(listed(value.get("element"))):
        at = f"element[{place}]"
        yield from _code(value.get("source"), element, value.get("sourceVersion"), at, known)
        for number, target in enumerate(listed(element.get("target"))):
            yield from _code(value.get("target"), target, value.get("targetVersion"), f"{at}.target[{number}]", known)


def _include(value: Object, known: Known) -> Iterator[Told]:
    """Of a ValueSet: the system is named by its uri, one that is contained too."""
    yield from coding({"system": value.get("system")})
    for place, concept in enumerate(listed(value.get("concept"))):
        yield from _code(value.get("system"), concept, value.get("version"), f"concept[{place}]", known)


def _code_system(value: Object, known: Known) -> Iterator[Told]:
    """What the concepts say is by the properties that the code system defines."""
    defined = {str(one.get("code")): str(one.get("type")) for one in listed(value.get("property"))}
    ahead = [("", value)]
    while ahead:
        at, holder = ahead.pop()
        for place, concept in enumerate(listed(holder.get("concept"))):
            where = f"{at}concept[{place}]"
            ahead.append((where + ".", concept))
            for number, one in enumerate(listed(concept.get("property"))):
                yield from _property(one, defined, f"{where}.property[{number}]")


def _property(value: Object, defined: Mapping[str, str], at: str) -> Iterator[Told]:
    code = value.get("code")
    if type(code) is not str or (code not in defined and code in STANDARD):
        return
    if code not in defined:
        text = "The code system defines no property of this code: add it to CodeSystem.property."
        yield "error", "not-found", "code-system-property", text, f"{at}.code"
        return
    kind = defined[code]
    wanted = "value" + kind[:1].upper() + kind[1:]
    if any(name.startswith("value") and name != wanted for name in value):
        yield "error", "value", "code-system-property", f"By its definition the property is of the type {kind}.", at


# --- conditions ------------------------------------------------------------------------------------------------------


def _questionnaire(value: Object, known: Known) -> Iterator[Told]:
    """Each condition asks for the answer to a question that is there, and is another one."""
    items = list(_items(value, ""))
    links = {link for _, item in items if type(link := item.get("linkId")) is str}
    for at, item in items:
        for place, one in enumerate(listed(item.get("enableWhen"))):
            asked = one.get("question")
            if type(asked) is str and (asked not in links or asked == item.get("linkId")):
                text = "A condition names another question of this questionnaire by its linkId."
                yield "error", "not-found", "enable-when-question", text, f"{at}.enableWhen[{place}].question"


def _items(holder: Object, at: str) -> Iterator[tuple[str, Object]]:
    for place, item in enumerate(listed(holder.get("item"))):
        where = f"{at}item[{place}]"
        yield where, item
        yield from _items(item, where + ".")


RULES: Final[Mapping[str, Callable[[Object, Known], Iterator[Told]]]] = {
    "StructureDefinition": _structure,
    "StructureDefinition.context": _context,
    "ElementDefinition.constraint": _constraint,
    "SearchParameter": _constraint,
    "Expression": _of_language,
    "ConceptMap.group": _group,
    "ValueSet.compose.include": _include,
    "CodeSystem": _code_system,
    "Questionnaire": _questionnaire,
}
