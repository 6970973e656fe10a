"""Reading a search parameter that is a criterion: its definition, its modifier, its values, its chain.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import cast

from gateway.definitions import Definitions, SearchParameter
from gateway.search import values
from gateway.search.conditions import (
    AnyOf,
    Chain,
    Condition,
    Criterion,
    IdIs,
    Missing,
    Own,
    RefersTo,
    ReverseChain,
    StringIs,
    TokenIs,
    UriIs,
    Where,
)
from gateway.search.index import identifier_number, number
from gateway.search.rows import READERS
from gateway.search.values import Malformed, Reading

MAX_CHAIN = 4
MAX_WORK = 2000
"""Values and links of a search together. A chain over a parameter that leads to any type is one link for each."""
LINK = 10
"""How many values a link, or a parameter, is worth."""
MAX_RANGES = 200
"""Alternatives that are no plain values, each of which is compared by itself."""
OWN = frozenset({"_id", "_lastUpdated"})


class Refused(Exception):
    """One parameter cannot be used; `unknown` when a lenient search may leave it out."""

    def __init__(self, rule: str, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text
        self.unknown = unknown


def unknown_modifier(modifier: str, known: Sequence[str]) -> Refused:
    hint = f"There are: {', '.join(known[:20])}." if known else "It takes none."
    return Refused("unknown-modifier", f"The modifier :{modifier[:50]} is not served here. {hint}")


def served(definitions: Definitions, resource_type: str) -> dict[str, SearchParameter]:
    """The parameters of a type that a search may name: what /metadata announces."""
    known = definitions.search_parameters(resource_type)
    return {code: one for code, one in known.items() if one.type in READERS and one.expression}


class Criteria:
    """Reads criteria by a snapshot of definitions."""

    def __init__(self, definitions: Definitions, reading: Reading) -> None:
        self.definitions = definitions
        self.reading = reading
        self._work = 0

    def criterion(self, resource_type: str, name: str, value: str, depth: int = 0) -> Criterion:
        if depth > MAX_CHAIN:
            raise Refused("chain-too-long", f"A chain has at most {MAX_CHAIN} links.")
        self._spend(LINK)
        if name.startswith("_has:"):
            return self._has(resource_type, name, value, depth)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if dot:
            return self._chain(resource_type, code, modifier, rest, value, depth)
        if code in OWN:
            return self._own(resource_type, code, modifier, value)
        parameter = self.parameter(resource_type, code)
        if modifier == "missing":
            return self._missing(resource_type, parameter, value)
        return self._where(resource_type, parameter, modifier, value)

    def parameter(self, resource_type: str, code: str) -> SearchParameter:
        usable = served(self.definitions, resource_type)
        if code in usable:
            return usable[code]
        close = get_close_matches(code, usable, n=3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        known = code in self.definitions.search_parameters(resource_type)
        what = "is not served here" if known else f"is no search parameter of {resource_type}"
        text = f"This {what}.{hint} There are: {', '.join(sorted(usable))}."
        raise Refused("unknown-search-parameter", text, unknown=True)

    def _values(self, text: str, read: Callable[[str, Reading], Condition]) -> tuple[Condition, ...]:
        try:
            found = tuple(read(part, self.reading) for part in values.alternatives(text))
        except Malformed as problem:
            raise Refused("malformed-search-value", str(problem)) from None
        self._spend(len(found))
        if len(found) > MAX_RANGES and not isinstance(found[0], TokenIs | RefersTo | IdIs):
            raise Refused("too-costly", f"At most {MAX_RANGES} values of this kind can be given at once.")
        return found

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_WORK:
            text = (
                "The search asks for too much at once. Name the types that a chain leads to (item:Task), or ask twice."
            )
            raise Refused("too-costly", text)

    def _where(self, resource_type: str, parameter: SearchParameter, modifier: str, value: str) -> Criterion:
        place = number(resource_type, parameter.code)
        kind = parameter.type
        if modifier == "identifier" and kind == "reference":
            found = self._values(value, values.token)
            return Where("token", identifier_number(resource_type, parameter.code), found)
        conditions = self._values(value, values.PARSERS[kind])
        if kind == "reference":
            conditions = tuple(self._typed(cast(RefersTo, one), parameter, modifier) for one in conditions)
        elif modifier:
            change = _MODIFIERS.get((kind, modifier))
            if change is None:
                known = [name for type, name in _MODIFIERS if type == kind]
                raise unknown_modifier(modifier, [*known, "missing"])
            conditions = tuple(map(change, conditions))
        return Where(kind, place, conditions, negated=modifier == "not")

    def _typed(self, condition: RefersTo, parameter: SearchParameter, modifier: str) -> RefersTo:
        """A bare id is of the type that the modifier names, or of the only one that the parameter allows."""
        if modifier:
            if modifier not in self.targets(parameter):
                raise unknown_modifier(modifier, [*self.targets(parameter), "identifier", "missing"])
            if condition.type not in (None, modifier):
                raise Refused("malformed-search-value", f"The value does not name a {modifier}.")
            return replace(condition, type=modifier)
        if condition.type is None and len(parameter.target) == 1 and parameter.target[0] != "Resource":
            return replace(condition, type=parameter.target[0])
        return condition

    def targets(self, parameter: SearchParameter) -> tuple[str, ...]:
        """The types that a reference parameter may lead to."""
        if not parameter.target or "Resource" in parameter.target:
            return tuple(self.definitions.resource_types)
        return parameter.target

    def _own(self, resource_type: str, code: str, modifier: str, value: str) -> Criterion:
        if modifier and not (code == "_id" and modifier == "not"):
            raise unknown_modifier(modifier, ["not"] if code == "_id" else [])
        if code == "_id":
            return Own("_id", self._values(value, lambda text, _: IdIs(values.unescaped(text))), modifier == "not")
        return Own("_lastUpdated", self._values(value, values.date))

    def _missing(self, resource_type: str, parameter: SearchParameter, value: str) -> Criterion:
        if value not in ("true", "false"):
            raise Refused("malformed-search-value", "With :missing it is true or false.")
        places = [(parameter.type, number(resource_type, parameter.code))]
        if parameter.type == "reference":
            places.append(("token", identifier_number(resource_type, parameter.code)))
        return Missing(tuple(places), value == "true")

    def _chain(self, resource_type: str, code: str, modifier: str, rest: str, value: str, depth: int) -> Criterion:
        parameter = self.parameter(resource_type, code)
        if parameter.type != "reference":
            raise Refused("malformed-chain", f"{code} is no reference, nothing can be chained to it.")
        targets = self.targets(parameter)
        if modifier:
            if modifier not in targets:
                raise unknown_modifier(modifier, targets)
            targets = (modifier,)
        first = rest.partition(".")[0].partition(":")[0]
        able = [one for one in targets if first in OWN or first == "_has" or self._knows(one, first)]
        if not able:
            known = ", ".join(targets[:20])
            raise Refused("unknown-search-parameter", f"{first} is no search parameter of {known}.", unknown=True)
        place = number(resource_type, code)
        chains = tuple(Chain(place, target, (self.criterion(target, rest, value, depth + 1),)) for target in able)
        return chains[0] if len(chains) == 1 else AnyOf(chains)

    def _knows(self, resource_type: str, code: str) -> bool:
        found = self.definitions.search_parameters(resource_type).get(code)
        return found is not None and found.type in READERS and bool(found.expression)

    def _has(self, resource_type: str, name: str, value: str, depth: int) -> Criterion:
        parts = name.split(":", 3)
        if len(parts) < 4:
            raise Refused("malformed-chain", "It is written as _has:Type:reference-parameter:parameter.")
        _, source, code, rest = parts
        if source not in self.definitions.resource_types:
            raise Refused("unknown-resource-type", "R4 has no resource type of this name.")
        parameter = self.parameter(source, code)
        if parameter.type != "reference" or resource_type not in self.targets(parameter):
            raise Refused("malformed-chain", f"{source} does not refer to a {resource_type} by {code}.")
        inner = self.criterion(source, rest, value, depth + 1)
        return ReverseChain(source, number(source, code), resource_type, (inner,))


def _how(name: str) -> Callable[[Condition], Condition]:
    return lambda condition: replace(cast("StringIs | UriIs", condition), how=name)  # type: ignore[arg-type]


def _unchanged(condition: Condition) -> Condition:
    return condition


# By parameter type: what a modifier makes of each condition.
_MODIFIERS: Mapping[tuple[str, str], Callable[[Condition], Condition]] = {
    ("string", "exact"): _how("exact"),
    ("string", "contains"): _how("contains"),
    ("token", "not"): _unchanged,
    ("uri", "below"): _how("below"),
    ("uri", "above"): _how("above"),
}
