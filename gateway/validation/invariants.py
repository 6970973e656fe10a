"""R4's own invariants, in FHIRPath, for each value that they are about.

https://hl7.org/fhir/R4/conformance-rules.html#constraints

Those that the structural check decides natively are passed over (`gateway.fhir.invariants`). An expression that gives
nothing is kept: several of R4's rely on it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.definitions.model import Invariant
from gateway.fhir.invariants import NATIVE
from gateway.fhirpath import Element, Environment, FHIRPathError, Path
from gateway.fhirpath import compile as compiled
from gateway.issues import Severity
from gateway.validation.findings import Findings
from gateway.validation.spots import Primitive, Spot, members_of

WALKED: Final = frozenset(("ele-1", "dom-2", "dom-3", "ref-1", "txt-1", "txt-2"))
"""Rules that the structural check decides by its walk."""
SAME: Final[Mapping[str, str]] = {
    # R4 looks for the name anywhere in the text, and means the whole of it.
    "matches('[A-Z]([A-Za-z0-9_]){0,254}')": "matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
    # FHIR's boolean is not FHIRPath's: the rule as it stands is true of nothing.
    "(answer is Boolean)": "(answer is boolean)",
    # A category is a concept, which no text is equal to.
    "category.select($this='problem-list-item').empty()": "category.coding.where(code='problem-list-item').empty()",
    # What `select` gives is there whatever it says; and what is made of string and uri is bound as they are.
    "type.select((code = 'code')": "type.where((code in ('url' | 'canonical' | 'id' | 'markdown' | 'code'))",
}
"""Parts of R4's expressions that cannot mean what they say, and what they mean."""
UNFIT: Final = frozenset(("cid-0",))
"""Rules of R4 about elements that their type does not have."""

INNER: Final = re.compile(r"'(?:[^'\\\\]|\\\\.)*'|\([^()']*\)")
"""Texts and brackets without others in them."""

Rule = tuple[Invariant, Path]


class Invariants:
    """The rules of a snapshot's types, compiled when the type is first met."""

    def __init__(self, d: Definitions) -> None:
        self._d = d
        self._members = members_of(d)
        self._made: dict[str, tuple[Sequence[Rule], Mapping[str, Sequence[Invariant]]]] = {}

    def _of(self, type: str) -> tuple[Sequence[Rule], Mapping[str, Sequence[Invariant]]]:
        """The rules about values of a type, and those about its elements by their name in the definition."""
        found = self._made.get(type)
        if found is None:
            whole: list[Rule] = []
            parts: dict[str, list[Invariant]] = defaultdict(list)
            for rule in self._d.invariants[type]:
                if rule.key in WALKED or rule.key in UNFIT or (rule.key in NATIVE and rule.severity == "error"):
                    continue
                if rule.path in self._d.types:
                    whole.append((rule, compiled(meant(rule.expression), type, self._d)))
                else:
                    parts[rule.path.rpartition(".")[2]].append(rule)
            found = self._made[type] = whole, dict(parts)
        return found

    def broken(self, spot: Spot, env: Environment) -> Iterator[tuple[Invariant, Spot, str | None]]:
        """The rules that do not hold for a value or its elements, each with where; and why one could not be decided."""
        whole, parts = self._of(spot.type)
        for rule, path in whole:
            good, why = verdict(path, spot.value, env, empty=not alternatives(rule.expression))
            if not good:
                yield rule, spot, why
        if parts:
            for child in self._members.children(spot):
                name = child.element.path.rpartition(".")[2] if child.element is not None else ""
                for rule in parts.get(name, ()):
                    # Without a type: the rule may be about one choice only, and the element is another.
                    path = compiled(meant(rule.expression), None, self._d)
                    good, why = verdict(path, focus_of(child), env, empty=not alternatives(rule.expression))
                    if not good:
                        yield rule, child, why


@lru_cache(maxsize=4)
def invariants_of(d: Definitions) -> Invariants:
    return Invariants(d)


def focus_of(spot: Spot) -> Element:
    """A value as an expression is about it."""
    value = spot.value
    if type(value) is Primitive:
        return Element(value.value, spot.type, value.beside)
    return Element(value, spot.type)


def meant(expression: str) -> str:
    for said, means in SAME.items():
        expression = expression.replace(said, means)
    return expression


@lru_cache(maxsize=4096)
def alternatives(expression: str) -> bool:
    """Whether a rule names several ways to keep it: then one of them holds, and what is absent (`{} or false`) is none.

    Of other rules an empty result is no breach: they speak of an element that is not there.
    """
    outer = INNER.sub("", expression)
    while outer != expression:
        expression, outer = outer, INNER.sub("", outer)
    return " or " in outer and " and " not in outer and " implies " not in outer


def verdict(path: Path, focus: Any, env: Environment, *, empty: bool = True) -> tuple[bool, str | None]:
    """Whether an expression holds, and why that cannot be decided. `empty` is what an empty result counts as."""
    try:
        found = path(focus, env)
    except FHIRPathError as error:
        return False, error.problems[0].text
    return (found != [False], None) if found else (empty, None)


def tell(findings: Findings, rule: Invariant, spot: Spot, why: str | None) -> None:
    """Add the issue of a rule that does not hold, or could not be decided."""
    if why is None:
        severity: Severity = "error" if rule.severity == "error" else "warning"
        findings.add(severity, "invariant", rule.key, f"{rule.human} ({rule.key})", spot.path)
    else:
        text = f"The rule {rule.key} could not be decided here: {why}"
        findings.add("warning", "incomplete", "invariant-undecided", text, spot.path)
