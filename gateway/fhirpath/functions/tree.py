"""Tree navigation, trace, the clock, and the functions that FHIR adds.

https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.fhirpath import navigate, values
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import Run, listed
from gateway.fhirpath.temporal import Date, DateTime, Time
from gateway.fhirpath.values import SYSTEM, Element, Items, TypeInfo, system

CORE = "http://hl7.org/fhir/StructureDefinition/"


@listed("children", run=True)
def children(run: Run, items: Items) -> Items:
    return [child for item in items for child in navigate.children(item, run.model)]


@listed("descendants", run=True)
def descendants(run: Run, items: Items) -> Items:
    found = navigate.descendants(items, run.model)
    run.spend(len(found))
    return found


@listed("trace", "value", "each", required=1, run=True)
def trace(run: Run, items: Items, name: Any, project: Callable[[Any, int], Items] | None = None) -> Items:
    if run.env.trace is not None:
        shown = items if project is None else [x for i, item in enumerate(items) for x in project(item, i)]
        run.env.trace(str(name), values.raw_all(shown))
    return items


@listed("now", result="DateTime", run=True)
def now(run: Run, _: Items) -> DateTime:
    return DateTime.of(run.env.moment())


@listed("today", result="Date", run=True)
def today(run: Run, _: Items) -> Date:
    moment = run.env.moment()
    return Date((moment.year, moment.month, moment.day))


@listed("timeOfDay", result="Time", run=True)
def time_of_day(run: Run, _: Items) -> Time:
    moment = run.env.moment()
    return Time((moment.hour, moment.minute, moment.second), f"{moment.microsecond // 1000:03d}")


@listed("type")
def type_of(items: Items) -> Items:
    return [TypeInfo(*values.type_name(item)) for item in items]


@listed("extension", "value", run=True)
def extension(run: Run, items: Items, url: Any) -> Items:
    return [
        found
        for item in items
        for found in navigate.step(item, "extension", run.model)
        if any(system(value) == url for value in navigate.step(found, "url", run.model))
    ]


@listed("hasExtension", "value", result="Boolean", run=True)
def has_extension(run: Run, items: Items, url: Any) -> bool:
    """Of no specification, but the R4 search parameter QuestionnaireResponse item-subject asks for it."""
    return bool(extension(run, items, url))


@listed("hasValue", result="Boolean")
def has_value(items: Items) -> bool:
    return len(items) == 1 and get_value(items) != []


@listed("getValue")
def get_value(items: Items) -> Items:
    if len(items) != 1:
        return []
    value = system(items[0])
    return [value] if type(value) in SYSTEM or isinstance(value, str) else []


def reference_text(item: Any, run: Run) -> str | None:
    """The text of a Reference, or the item itself where it is a canonical or uri."""
    value = system(item)
    if isinstance(value, str):
        return value
    for found in navigate.step(item, "reference", run.model) if not isinstance(item, tuple(SYSTEM)) else ():
        text = system(found)
        if isinstance(text, str):
            return text
    return None


@listed("resolve", run=True)
def resolve(run: Run, items: Items) -> Items:
    """The resources that are referred to, as far as the caller's environment finds them."""
    found = []
    for item in items:
        text = reference_text(item, run)
        target = None if text is None else _target(run, text)
        if target is not None:
            found.append(Element(target, target.get("resourceType")) if isinstance(target, dict) else target)
    return found


def _target(run: Run, text: str) -> Any:
    """A resource as JSON, or as the node that a source holds."""
    root = run.root.value if isinstance(run.root, Element) else run.root
    if text == "#":
        return root
    if text.startswith("#") and isinstance(root, dict):
        return next((part for part in root.get("contained", ()) if part.get("id") == text[1:]), None)
    return None if run.env.resolve is None else run.env.resolve(text)


def refers_to(item: Any, type: str, run: Run) -> bool:
    """Whether `resolve() is Type`: answered from the reference itself, so that an index needs no database."""
    value = item.value if isinstance(item, Element) else item
    if not isinstance(value, dict):
        return any(run.model.is_a(target.type, type) for target in resolve(run, [item]))
    text = value.get("reference")
    named = value.get("type")
    if named is None and isinstance(text, str) and not text.startswith("#"):
        named = next((part for part in reversed(text.split("/_history/")[0].split("/")[:-1]) if part), None)
    if named in run.model.types:
        return run.model.is_a(named, type)
    return any(run.model.is_a(target.type, type) for target in resolve(run, [Element(value, "Reference")]))


@listed("memberOf", "value", run=True)
def member_of(run: Run, items: Items, url: Any) -> Items:
    item = values.one(items)
    if item is None or url is None:
        return []
    if run.env.member_of is None:
        raise EvaluationError("There is no terminology here.", "The caller passes Environment(member_of=…).")
    answer = run.env.member_of(values.raw(item), str(url))
    return [] if answer is None else [answer]


def _codings(item: Any, run: Run) -> tuple[list[tuple[Any, Any]], bool]:
    """System and code of a Coding, or of each in a CodeableConcept; and whether it is one of those."""
    if isinstance(item, tuple(SYSTEM)):
        raise EvaluationError("A Coding or a CodeableConcept is needed here.")
    within = navigate.step(item, "coding", run.model)
    return [(_text(coding, "system", run), _text(coding, "code", run)) for coding in within or (item,)], bool(within)


def _text(item: Any, name: str, run: Run) -> Any:
    return next((system(value) for value in navigate.step(item, name, run.model)), None)


def _subsumes(run: Run, upper: Any, lower: Any) -> Items:
    """Whether one of the upper codes is a lower one or stands above it; nothing where that is not known."""
    (above, many), (below, more) = _codings(upper, run), _codings(lower, run)
    unknown = False
    for system_above, code_above in above:
        for system_below, code_below in below:
            if None in (code_above, code_below):
                continue
            if system_above != system_below:
                if not many and not more:
                    raise EvaluationError("The codes are of two systems: how those relate is not known here.")
            elif code_above == code_below:
                return [True]
            else:
                answer = None if run.env.subsumes is None else run.env.subsumes(system_above, code_above, code_below)
                if answer:
                    return [True]
                unknown = unknown or answer is None
    return [] if unknown else [False]


@listed("subsumes", "list", run=True)
def subsumes(run: Run, items: Items, other: Items) -> Items:
    item, given = values.one(items), values.one(other)
    return [] if item is None or given is None else _subsumes(run, item, given)


@listed("subsumedBy", "list", run=True)
def subsumed_by(run: Run, items: Items, other: Items) -> Items:
    item, given = values.one(items), values.one(other)
    return [] if item is None or given is None else _subsumes(run, given, item)


@listed("conformsTo", "value", run=True)
def conforms_to(run: Run, items: Items, url: Any) -> Items:
    item = values.one(items)
    if item is None or url is None:
        return []
    name = str(url).removeprefix(CORE)
    if name in run.model.types:
        kind = values.type_name(item)[1].rpartition("}")[2]  # a source's node says its type by itself
        return [kind in run.model.types and run.model.is_a(kind, name)]
    answer = None if run.env.conforms_to is None else run.env.conforms_to(values.raw(item), str(url))
    if answer is None:
        raise EvaluationError("This profile is not known here.")
    return [answer]


@listed("htmlChecks", result="Boolean")
def html_checks(items: Items) -> bool:
    """The narrative's markup is checked where it is read; here it is enough that there is one."""
    return bool(items)
