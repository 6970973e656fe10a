"""What a `_filter` asks for: each operator by the type of the parameter that it is used on.

https://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from gateway.search import filters, values
from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Chain,
    Condition,
    Covers,
    Criterion,
    DateIs,
    IdIs,
    Missing,
    Not,
    Own,
    RefersTo,
    TextIs,
    TextOperator,
    TokenIs,
    Unlike,
    UriIs,
    Where,
)
from gateway.search.filters import Both, Comparison, Filter, Negation, Step
from gateway.search.modifiers import UNMODIFIED
from gateway.search.parameters import Parameter, Refused, Types
from gateway.search.reading import EVERYWHERE, LINK, MAX_CHAIN, OWN, Criteria
from gateway.search.text import normalised
from gateway.search.values import Reading

SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ucum": "http://unitsofmeasure.org",
}
"""The names that stand for a code system, before a bar."""

CHILDREN: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("Group", "characteristic"): {"value": "value", "code": "characteristic"},
    ("DocumentReference", "relatesTo"): {"code": "relation", "target": "relatesto"},
}
"""Names that stand for a part of a resource: in a filter on it, and behind it, other parameters have these names."""


def criterion(text: str, types: Types, criteria: Criteria) -> Criterion:
    """What the filter asks for. Refused, with the place."""
    try:
        return _Filtering(criteria).read(filters.parse(text), types)
    except filters.Malformed as problem:
        raise Refused("malformed-filter", str(problem)) from None


class _Filtering:
    def __init__(self, criteria: Criteria) -> None:
        self.criteria = criteria

    def read(self, tree: Filter, types: Types, depth: int = 0) -> Criterion:
        match tree:
            case Both(word=word, parts=parts):
                found = tuple(self.read(part, types, depth) for part in parts)
                return AllOf(found) if word == "and" else AnyOf(found)
            case Negation(part=part):
                return Not(self.read(part, types, depth))
            case Comparison():
                return self._test(tree, tree.path, types, depth)

    def _test(self, test: Comparison, path: Sequence[Step], types: Types, depth: int) -> Criterion:
        step, rest = path[0], path[1:]
        self.criteria.spend(LINK)
        try:
            if not rest:
                return self._compared(test, step.name, types)
            if (children := CHILDREN.get((types[0], step.name))) and len(types) == 1:
                return self._part(test, path, types, children, depth)
            return self._chain(test, path, types, depth)
        except Refused as problem:
            if problem.text.startswith("At character"):
                raise
            raise Refused(problem.rule, f"At character {step.position}: {problem.text}") from None

    def _chain(self, test: Comparison, path: Sequence[Step], types: Types, depth: int) -> Criterion:
        """Along a reference to what meets the filter in brackets, and the rest of the path."""
        if depth >= MAX_CHAIN:
            raise Refused("chain-too-long", f"A chain has at most {MAX_CHAIN} links.")
        step, rest = path[0], path[1:]
        code, _, of_type = step.name.partition(":")
        parameter = self.criteria.parameter(types, code)
        targets = self.criteria.chained(parameter, of_type, rest[0].name.partition(":")[0])

        def inner(target: str) -> tuple[Criterion, ...]:
            held = () if step.filter is None else (self.read(step.filter, (target,), depth + 1),)
            return (*held, self._test(test, rest, (target,), depth + 1))

        chains = tuple(Chain(parameter.numbers, target, inner(target)) for target in targets)
        return chains[0] if len(chains) == 1 else AnyOf(chains)

    def _part(
        self, test: Comparison, path: Sequence[Step], types: Types, children: Mapping[str, str], depth: int
    ) -> Criterion:
        """A part of the resource that meets the filter in brackets; its parameters are the resource's own."""
        step, rest = path[0], path[1:]
        if step.filter is None:
            raise Refused("malformed-filter", f"behind {step.name} follows a filter in brackets, a dot and a name.")
        held = self.read(_renamed(step.filter, children), types, depth)
        return AllOf((held, self._test(test, [_renamed_step(one, children) for one in rest], types, depth)))

    def _compared(self, test: Comparison, name: str, types: Types) -> Criterion:
        code, _, modifier = name.partition(":")
        if code in OWN and not modifier:
            return self._own(test, code)
        if modifier or code in EVERYWHERE:
            if test.operator != "eq":
                raise _not_here(test, ["eq"])
            return self.criteria.criterion(types, name, _escaped(test.value))
        parameter = self.criteria.parameter(types, code)
        if test.operator == "pr" and parameter.kind not in UNMODIFIED:
            return self._present(test, parameter)
        known = OPERATIONS.get(parameter.kind, _WHATEVER)
        if test.operator not in known:
            raise _not_here(test, [*known, "pr"])
        return known[test.operator](self, test, parameter)

    def _own(self, test: Comparison, code: str) -> Criterion:
        if code == "_id":
            if test.operator not in ("eq", "ne"):
                raise _not_here(test, ["eq", "ne"])
            found = Own("_id", (IdIs(test.value),))
            return found if test.operator == "eq" else Not(found)
        if test.operator == "po":
            return Own("_lastUpdated", (self._overlapping(test),))
        if test.operator not in _ORDERED:
            raise _not_here(test, [*_ORDERED, "po"])
        return Own("_lastUpdated", (self._value(values.date, test.operator + test.value),))

    def _present(self, test: Comparison, parameter: Parameter) -> Criterion:
        if test.value not in ("true", "false"):
            raise Refused("malformed-search-value", "With pr it is true or false.")
        return Missing(parameter.places, test.value == "false")

    def _value(self, read: Callable[[str, Reading], Condition], text: str) -> Condition:
        try:
            return read(text, self.criteria.reading)
        except values.Malformed as problem:
            raise Refused("malformed-search-value", str(problem)) from None

    def _overlapping(self, test: Comparison) -> DateIs:
        # Without the margin that `ap` adds to what is asked for, approximately is: they have a moment in common.
        return replace(cast(DateIs, self._value(values.date, "eq" + test.value)), prefix="ap")

    # --- operators

    def prefixed(self, test: Comparison, parameter: Parameter) -> Criterion:
        """As the prefix of the same name has it."""
        text = test.operator + _system(test.value)
        return Where(parameter.kind, parameter.numbers, (self._value(values.PARSERS[parameter.kind], text),))

    def overlaps(self, test: Comparison, parameter: Parameter) -> Criterion:
        return Where(parameter.kind, parameter.numbers, (self._overlapping(test),))

    def covers(self, test: Comparison, parameter: Parameter) -> Criterion:
        asked = cast(DateIs, self._value(values.date, "eq" + test.value))
        return Where(parameter.kind, parameter.numbers, (Covers(asked.low, asked.high),))

    def text(self, test: Comparison, parameter: Parameter) -> Criterion:
        """Without case and accents, as in other searches."""
        found = TextIs(cast(TextOperator, test.operator), normalised(test.value))
        return Where(parameter.kind, parameter.numbers, (found,))

    def equal(self, test: Comparison, parameter: Parameter) -> Criterion:
        return Where(parameter.kind, parameter.numbers, (self._asked(test, parameter),))

    def unequal(self, test: Comparison, parameter: Parameter) -> Criterion:
        """Something else than this is among the values."""
        return Where(
            parameter.kind, parameter.numbers, (Unlike(cast("TokenIs | UriIs", self._asked(test, parameter))),)
        )

    def _asked(self, test: Comparison, parameter: Parameter) -> Condition:
        return self._value(values.PARSERS[parameter.kind], _system(test.value))

    def refers(self, test: Comparison, parameter: Parameter) -> Criterion:
        found = cast(RefersTo, self._value(values.reference, test.value))
        if found.type is None and len(parameter.targets) == 1:
            found = replace(found, type=parameter.targets[0])
        return Where(parameter.kind, parameter.numbers, (found,))

    def plain(self, test: Comparison, parameter: Parameter) -> Criterion:
        return self.criteria.where(parameter, "", test.value)


Operation = Callable[[_Filtering, Comparison, Parameter], Criterion]

_ORDERED = ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb")
_RANGES: Mapping[str, Operation] = dict.fromkeys(_ORDERED, _Filtering.prefixed)


def _by(modifier: str) -> Operation:
    return lambda filtering, test, parameter: filtering.criteria.where(
        parameter, modifier, _escaped(_system(test.value))
    )


OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "string": dict.fromkeys(("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"), _Filtering.text),
    "number": _RANGES,
    "quantity": _RANGES,
    "date": {**_RANGES, "po": _Filtering.overlaps, "co": _Filtering.covers},
    "token": {
        "eq": _Filtering.equal,
        "ne": _Filtering.unequal,
        "in": _by("in"),
        "ni": _by("not-in"),
        "ss": _by("below"),
        "sb": _by("above"),
    },
    "reference": {"re": _Filtering.refers},
    "uri": {"eq": _Filtering.equal, "ne": _Filtering.unequal, "sw": _by("below")},
}
"""By parameter type, what each operator does. Every type has `pr` beside them."""
_WHATEVER: Mapping[str, Operation] = {"eq": _Filtering.plain}


def _not_here(test: Comparison, known: Sequence[str]) -> Refused:
    text = (
        f"At character {test.position}: {test.operator} says nothing of this parameter. There are: {', '.join(known)}."
    )
    return Refused("filter-operator", text)


def _system(value: str) -> str:
    """With the url in the place of a predefined name: `loinc|1234-5`, `5.4|ucum|mg`."""
    *before, last = value.split("|")
    return "|".join([*(SYSTEMS.get(one, one) for one in before), last])


def _escaped(value: str) -> str:
    """One value: a comma in it separates nothing."""
    return value.replace(",", "\\,")


def _renamed(tree: Filter, names: Mapping[str, str]) -> Filter:
    match tree:
        case Both(word=word, parts=parts):
            return Both(word, tuple(_renamed(part, names) for part in parts))
        case Negation(part=part):
            return Negation(_renamed(part, names))
        case Comparison(path=path):
            return replace(tree, path=(_renamed_step(path[0], names), *path[1:]))


def _renamed_step(step: Step, names: Mapping[str, str]) -> Step:
    return replace(step, name=names.get(step.name, step.name))
