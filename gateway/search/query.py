"""From the parameters of a search to what it asks for, strictly by the definitions.

An unknown parameter is refused, with the known ones; a lenient search leaves it out and says so.
https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Literal, cast, get_args

from gateway.definitions import Definitions, SearchParameter
from gateway.errors import BadRequest
from gateway.issues import Issue
from gateway.search import values
from gateway.search.conditions import (
    AnyOf,
    Chain,
    Condition,
    Criterion,
    DateIs,
    IdIs,
    Missing,
    Own,
    RefersTo,
    ReverseChain,
    StringIs,
    UriIs,
    Where,
)
from gateway.search.index import DEFAULT_ZONE, identifier_number, number
from gateway.search.rows import READERS
from gateway.search.values import Malformed, Reading

Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]

MAX_CHAIN = 4
MAX_PARAMETERS = 100
_SILENT = frozenset({"_format", "_pretty"})
_OWN = frozenset({"_id", "_lastUpdated"})


@dataclass(frozen=True, slots=True)
class Sort:
    """By a parameter's smallest value, or `descending` by its largest; `kind` is `_id` or `_lastUpdated` for those."""

    code: str
    kind: str
    number: int
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """Along references of `source` resources; `target` None: to any type. `iterate`: also from what was included."""

    source: str
    code: str
    number: int
    target: str | None
    iterate: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A search over one resource type. `used` are the parameters it was made from, `ignored` what was left out."""

    resource_type: str
    criteria: tuple[Criterion, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = 50
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    total: Total | None = None
    summary: Summary | None = None
    elements: tuple[str, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    ignored: tuple[Issue, ...] = ()


class _Refused(Exception):
    """One parameter cannot be used; `unknown` when a lenient search may leave it out."""

    def __init__(self, rule: str, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class Limits:
    """How many resources a page holds without `_count`, and at most."""

    count: int = 50
    most: int = 1000


def served(definitions: Definitions, resource_type: str) -> dict[str, SearchParameter]:
    """The parameters of a type that a search may name: what /metadata announces."""
    known = definitions.search_parameters(resource_type)
    return {code: one for code, one in known.items() if one.type in READERS and one.expression}


def parse(
    resource_type: str,
    params: Sequence[tuple[str, str]],
    definitions: Definitions,
    *,
    lenient: bool = False,
    zone: tzinfo = DEFAULT_ZONE,
    bases: Sequence[str] = (),
    now: datetime | None = None,
    limits: Limits | None = None,
) -> Query:
    """The search that the parameters ask for. Raises BadRequest with an issue for each that cannot be used."""
    reading = Reading(zone, tuple(base.rstrip("/") + "/" for base in bases), now or datetime.now(UTC))
    parser = _Parser(definitions, reading, limits or Limits())
    query = Query(resource_type, count=parser.limits.count)
    refused: list[Issue] = []
    ignored: list[Issue] = []
    used: list[tuple[str, str]] = []
    if len(params) > MAX_PARAMETERS:
        raise BadRequest(f"A search takes at most {MAX_PARAMETERS} parameters.", rule="too-many-parameters")
    for name, value in params:
        try:
            query = parser.add(query, name, value)
        except _Refused as problem:
            keep = ignored if lenient and problem.unknown else refused
            severity: Literal["warning", "error"] = "warning" if keep is ignored else "error"
            code = "not-supported" if problem.unknown else "invalid"
            keep.append(Issue(severity, code, problem.rule, f"{name[:100]}: {problem.text}", where=name[:100]))
        else:
            if name not in _SILENT:
                used.append((name, value))
    if refused:
        raise BadRequest(refused[0].text, issues=refused)
    return replace(query, used=tuple(used), ignored=tuple(ignored))


class _Parser:
    def __init__(self, definitions: Definitions, reading: Reading, limits: Limits) -> None:
        self.definitions = definitions
        self.reading = reading
        self.limits = limits
        self.results: Mapping[str, Callable[[Query, str, str], Query]] = {
            "_count": self._count,
            "_sort": self._sort,
            "_include": self._include,
            "_revinclude": self._revinclude,
            "_total": self._total,
            "_summary": self._summary,
            "_elements": self._elements,
        }

    def add(self, query: Query, name: str, value: str) -> Query:
        code, _, modifier = name.partition(":")
        if name in _SILENT:
            return query
        if code in self.results:
            return self.results[code](query, modifier, value)
        return replace(query, criteria=(*query.criteria, self.criterion(query.resource_type, name, value)))

    # --- criteria

    def criterion(self, resource_type: str, name: str, value: str, depth: int = 0) -> Criterion:
        if depth > MAX_CHAIN:
            raise _Refused("chain-too-long", f"A chain has at most {MAX_CHAIN} links.")
        if name.startswith("_has:"):
            return self._has(resource_type, name, value, depth)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if dot:
            return self._chain(resource_type, code, modifier, rest, value, depth)
        if code in _OWN:
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
        raise _Refused("unknown-search-parameter", text, unknown=True)

    def _values(self, text: str, read: Callable[[str, Reading], Condition]) -> tuple[Condition, ...]:
        try:
            return tuple(read(part, self.reading) for part in values.alternatives(text))
        except Malformed as problem:
            raise _Refused("malformed-search-value", str(problem)) from None

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
                raise _unknown_modifier(modifier, [*known, "missing"])
            conditions = tuple(map(change, conditions))
        return Where(kind, place, conditions, negated=modifier == "not")

    def _typed(self, condition: RefersTo, parameter: SearchParameter, modifier: str) -> RefersTo:
        """A bare id is of the type that the modifier names, or of the only one that the parameter allows."""
        if modifier:
            if modifier not in self._targets(parameter):
                raise _unknown_modifier(modifier, [*self._targets(parameter), "identifier", "missing"])
            if condition.type not in (None, modifier):
                raise _Refused("malformed-search-value", f"The value does not name a {modifier}.")
            return replace(condition, type=modifier)
        if condition.type is None and len(parameter.target) == 1 and parameter.target[0] != "Resource":
            return replace(condition, type=parameter.target[0])
        return condition

    def _targets(self, parameter: SearchParameter) -> tuple[str, ...]:
        """The types that a reference parameter may lead to."""
        if not parameter.target or "Resource" in parameter.target:
            return tuple(self.definitions.resource_types)
        return parameter.target

    def _own(self, resource_type: str, code: str, modifier: str, value: str) -> Criterion:
        if modifier and not (code == "_id" and modifier == "not"):
            raise _unknown_modifier(modifier, ["not"] if code == "_id" else [])
        if code == "_id":
            return Own("_id", self._values(value, lambda text, _: IdIs(values.unescaped(text))), modifier == "not")
        return Own("_lastUpdated", self._values(value, values.date))

    def _missing(self, resource_type: str, parameter: SearchParameter, value: str) -> Criterion:
        if value not in ("true", "false"):
            raise _Refused("malformed-search-value", "With :missing it is true or false.")
        places = [(parameter.type, number(resource_type, parameter.code))]
        if parameter.type == "reference":
            places.append(("token", identifier_number(resource_type, parameter.code)))
        return Missing(tuple(places), value == "true")

    def _chain(self, resource_type: str, code: str, modifier: str, rest: str, value: str, depth: int) -> Criterion:
        parameter = self.parameter(resource_type, code)
        if parameter.type != "reference":
            raise _Refused("malformed-chain", f"{code} is no reference, nothing can be chained to it.")
        targets = self._targets(parameter)
        if modifier:
            if modifier not in targets:
                raise _unknown_modifier(modifier, targets)
            targets = (modifier,)
        first = rest.partition(".")[0].partition(":")[0]
        able = [one for one in targets if first in _OWN or first == "_has" or self._knows(one, first)]
        if not able:
            known = ", ".join(targets[:20])
            raise _Refused("unknown-search-parameter", f"{first} is no search parameter of {known}.", unknown=True)
        place = number(resource_type, code)
        chains = tuple(Chain(place, target, (self.criterion(target, rest, value, depth + 1),)) for target in able)
        return chains[0] if len(chains) == 1 else AnyOf(chains)

    def _knows(self, resource_type: str, code: str) -> bool:
        found = self.definitions.search_parameters(resource_type).get(code)
        return found is not None and found.type in READERS and bool(found.expression)

    def _has(self, resource_type: str, name: str, value: str, depth: int) -> Criterion:
        parts = name.split(":", 3)
        if len(parts) < 4:
            raise _Refused("malformed-chain", "It is written as _has:Type:reference-parameter:parameter.")
        _, source, code, rest = parts
        if source not in self.definitions.resource_types:
            raise _Refused("unknown-resource-type", "R4 has no resource type of this name.")
        parameter = self.parameter(source, code)
        if parameter.type != "reference" or resource_type not in self._targets(parameter):
            raise _Refused("malformed-chain", f"{source} does not refer to a {resource_type} by {code}.")
        inner = self.criterion(source, rest, value, depth + 1)
        return ReverseChain(source, number(source, code), resource_type, (inner,))

    # --- what the result looks like

    def _count(self, query: Query, modifier: str, value: str) -> Query:
        if modifier or not value.isdecimal() or len(value) > 9:
            raise _Refused("malformed-search-value", "It is a whole number.")
        return replace(query, count=min(int(value), self.limits.most))

    def _sort(self, query: Query, modifier: str, value: str) -> Query:
        keys = []
        for part in value.split(","):
            code = part.removeprefix("-")
            descending = part.startswith("-")
            if code in _OWN:
                keys.append(Sort(code, code, 0, descending))
                continue
            parameter = self.parameter(query.resource_type, code)
            keys.append(Sort(code, parameter.type, number(query.resource_type, code), descending))
        if modifier or query.sort:
            raise _Refused("malformed-search-value", "Give one _sort, with its keys between commas.")
        return replace(query, sort=tuple(keys))

    def _include(self, query: Query, modifier: str, value: str) -> Query:
        found = self._along(modifier, value)
        if found.source != query.resource_type and not found.iterate:
            raise _Refused("malformed-include", f"It starts from {query.resource_type}, the type that is searched.")
        return replace(query, includes=(*query.includes, found))

    def _revinclude(self, query: Query, modifier: str, value: str) -> Query:
        found = self._along(modifier, value)
        parameter = self.definitions.search_parameters(found.source)[found.code]
        if query.resource_type not in self._targets(parameter) and not found.iterate:
            text = f"{found.source} does not refer to a {query.resource_type} by {found.code}."
            raise _Refused("malformed-include", text)
        return replace(query, revincludes=(*query.revincludes, found))

    def _along(self, modifier: str, value: str) -> Include:
        if modifier not in ("", "iterate", "recurse"):
            raise _unknown_modifier(modifier, ["iterate"])
        parts = value.split(":")
        if len(parts) not in (2, 3):
            raise _Refused("malformed-include", "It is written as Type:reference-parameter or Type:parameter:Target.")
        source, code, target = (*parts, None)[:3]
        if source not in self.definitions.resource_types:
            raise _Refused("unknown-resource-type", "R4 has no resource type of this name.")
        parameter = self.parameter(str(source), str(code))
        if parameter.type != "reference":
            raise _Refused("malformed-include", f"{code} is no reference.")
        if target is not None and target not in self._targets(parameter):
            raise _Refused("malformed-include", f"{code} does not refer to a {target}.")
        return Include(str(source), str(code), number(str(source), str(code)), target, iterate=bool(modifier))

    def _total(self, query: Query, modifier: str, value: str) -> Query:
        return replace(query, total=cast(Total, _one_of(value, modifier, get_args(Total))))

    def _summary(self, query: Query, modifier: str, value: str) -> Query:
        return replace(query, summary=cast(Summary, _one_of(value, modifier, get_args(Summary))))

    def _elements(self, query: Query, modifier: str, value: str) -> Query:
        names = tuple(part.partition(".")[0] for part in value.split(",") if part)
        known = self.definitions.types[query.resource_type]
        wrong = [name for name in names if name not in known.elements and name not in known.choices]
        if wrong or not names or modifier:
            raise _Refused(
                "unknown-element", f"{query.resource_type} has no element {', '.join(wrong) or 'of no name'}."
            )
        return replace(query, elements=(*query.elements, *names))


def _one_of(value: str, modifier: str, known: Sequence[str]) -> str:
    if modifier or value not in known:
        raise _Refused("malformed-search-value", f"It is one of {', '.join(known)}.")
    return value


def _unknown_modifier(modifier: str, known: Sequence[str]) -> _Refused:
    hint = f"There are: {', '.join(known[:20])}." if known else "It takes none."
    return _Refused("unknown-modifier", f"The modifier :{modifier[:50]} is not served here. {hint}")


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

__all__ = ["DateIs", "Include", "Limits", "Query", "Sort", "parse"]
