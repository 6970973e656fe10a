"""What the structural check does with each type, compiled from the definitions when the type is first met.

https://hl7.org/fhir/R4/json.html

A test gives None or faults whose paths begin at the object that it looks at. So a good resource costs no path at all,
and a bad one gets its paths on the way back up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.fhir import elements
from gateway.fhir.elements import Fault, Faults, Object, Scope, Test
from gateway.fhir.invariants import NATIVE
from gateway.fhir.shapes import Member, Shape, Shapes
from gateway.fhir.xml.shapes import attributes_of

SAFE_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")


class Plans:
    """One plan per type of a snapshot."""

    def __init__(self, d: Definitions) -> None:
        self.d = d
        self.resource_types = frozenset(d.resource_types)
        self._plans: dict[str, Plan] = {}

    def __getitem__(self, name: str) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            plan = self._plans[name] = Plan(name, self)
        return plan

    def whole(self, resource: Object, base: str | None) -> Faults:
        """The faults of a resource that stands for itself, with the resources that it contains."""
        contained = resource.get("contained")
        if type(contained) is not list:
            return self.resource(resource, Scope(base, {}))
        types = {one["id"]: one.get("resourceType") for one in contained if type(one) is dict and _named(one)}
        return _joined(self.resource(resource, Scope(base, types)), list(_unreferenced(resource, contained)))

    def resource(self, resource: Object, scope: Scope) -> Faults:
        """The faults of a resource within a scope."""
        name = resource.get("resourceType")
        if type(name) is not str or name not in self.resource_types:
            text = "Say which R4 resource this is: resourceType is missing or none of R4's resource types."
            return [("", "unknown-resource-type", text)]
        plan = self[name]
        return None if plan.shapes.accepts(resource, scope) else plan.faults(resource, scope)


class Plan:
    """The tests of one type, made when the first value of it is met."""

    __slots__ = ("_alternatives", "_choices", "_name", "_plans", "_required", "_rules", "_tests", "shapes")

    def __init__(self, name: str, plans: Plans) -> None:
        self._name = name
        self._plans = plans
        self._tests: dict[str, Test] | None = None
        self._required: frozenset[str] = frozenset()
        self._alternatives: tuple[tuple[str, frozenset[str]], ...] = ()
        self._choices: Mapping[str, tuple[str, str]] = {}
        self._rules: tuple[tuple[str, str, Callable[[Object], bool]], ...] = ()
        self.shapes = Shapes(self._member, self._fits, lambda: [holds for _, _, holds in self._rules])

    def faults(self, value: Object, scope: Scope) -> Faults:
        """What is wrong with the members of an object of this type."""
        tests = self._tests
        if tests is None:
            tests = self._compile()
        found: Faults = None
        for name, item in value.items():
            test = tests.get(name)
            faults = test(item, value, scope) if test is not None else self._unknown(name)
            if faults is not None:
                found = _joined(found, faults)
        if self._required and not value.keys() >= self._required:
            found = _joined(found, list(self._absent(value)))
        if self._choices and (self._alternatives or len(value.keys() & self._choices.keys()) > 1):
            found = _joined(found, list(self._doubled(value)))
        for key, text, holds in self._rules:
            if not holds(value):
                found = _joined(found, [("", key, text)])
        return found

    def _compile(self) -> dict[str, Test]:
        d = self._plans.d
        definition = d.types[self._name]
        tests: dict[str, Test] = {}
        # What is an attribute in XML, or its own markup, has no place for an id or extensions.
        bare = attributes_of(d, self._name)
        for name, element in definition.elements.items():
            tests[name] = elements.test(element, self._plans, self._name)
            if d.types[element.type].kind == "primitive" and name not in bare and element.type != "xhtml":
                tests["_" + name] = elements.companion(element, self._plans)
        if definition.kind == "resource":
            tests["resourceType"] = _always
        self._choices = {
            prefix + name: (choice, name)
            for choice, names in definition.choices.items()
            for name in names.values()
            for prefix in ("", "_")
        }
        needed = [element for element in definition.elements.values() if element.min > 0]
        self._required = frozenset(element.name for element in needed if element.choice_of is None)
        self._alternatives = tuple(
            (choice, frozenset(key for key, (group, _) in self._choices.items() if group == choice))
            for choice in dict.fromkeys(element.choice_of for element in needed)
            if choice is not None
        )
        self._rules = tuple(
            (rule.key, f"{rule.human} ({rule.key})", NATIVE[rule.key])
            for rule in d.invariants[self._name]
            if rule.key in NATIVE and rule.severity == "error"
        )
        self._tests = tests
        return tests

    def _member(self, name: str) -> Member | None:
        """What a member asks, where the short way can tell."""
        definition = self._plans.d.types[self._name]
        if name == "resourceType" and definition.kind == "resource":
            return Member(False, None)
        element = definition.elements.get(name)
        return None if element is None else elements.member(element, self._plans, self._name)

    def _fits(self, shape: Shape) -> bool:
        """Whether nothing is wrong with these members by their names."""
        if self._tests is None:
            self._compile()
        return self._required <= set(shape) and shape != ("id",) and not any(self._doubled(dict.fromkeys(shape)))

    def _absent(self, value: Object) -> Iterator[Fault]:
        for name in sorted(self._required - value.keys()):
            if "_" + name not in value:
                yield f".{name}", "missing-element", "This element is required."

    def _doubled(self, value: Object) -> Iterator[Fault]:
        """Choices that are made twice, and required ones that are not made."""
        chosen: dict[str, str] = {}
        for key in value:
            if (found := self._choices.get(key)) is not None:
                choice, name = found
                if chosen.setdefault(choice, name) != name:
                    yield f".{choice}", "two-choices", f"Only one of {choice}[x] can be given: decide on one type."
        for choice, names in self._alternatives:
            if choice not in chosen:
                shown = ", ".join(sorted(name for name in names if not name.startswith("_"))[:6])
                yield f".{choice}", "missing-element", f"One of {choice}[x] is required, such as {shown}."

    def _unknown(self, name: str) -> list[Fault]:
        known = self._tests or {}
        text = f"R4's {self._name} has no element of this name."
        if typed := [key for key, (choice, _) in self._choices.items() if choice == name]:
            text += f" It is written with its type, such as {typed[0]}."
        elif close := get_close_matches(name, known, n=1, cutoff=0.75):
            text += f" Did you mean {close[0]}?"
        return [(f".{name}" if SAFE_NAME.fullmatch(name) else "", "unknown-element", text)]


def _always(item: Any, holder: Object, scope: Scope) -> Faults:
    return None


def _joined(found: Faults, more: Faults) -> Faults:
    return [*found, *more] if found and more else found or more or None


def _named(resource: Object) -> bool:
    return type(resource.get("id")) is str


def _unreferenced(resource: Object, contained: list[Any]) -> Iterator[Fault]:
    """Contained resources that nothing refers to and that do not refer to their container (dom-3)."""
    referred = _fragments(resource)
    for place, one in enumerate(contained):
        if type(one) is dict and _named(one) and f"#{one['id']}" not in referred and "#" not in _fragments(one):
            text = "Nothing refers to this contained resource: refer to it by # and its id, or leave it out (dom-3)."
            yield f".contained[{place}]", "dom-3", text


def _fragments(root: Object) -> set[str]:
    """Every text that could point into the resource itself."""
    found: set[str] = set()
    ahead: list[Any] = [root]
    while ahead:
        node = ahead.pop()
        for value in node.values() if type(node) is dict else node:
            kind = type(value)
            if kind is str:
                if value[:1] == "#":
                    found.add(value)
            elif kind is dict or kind is list:
                ahead.append(value)
    return found
