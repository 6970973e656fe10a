"""From the parameters of a search to what it asks for, strictly by the definitions.

An unknown parameter is refused, with the known ones; a lenient search leaves it out and says so.
https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Literal, cast, get_args

from gateway.definitions import Definitions
from gateway.errors import BadRequest
from gateway.issues import Issue
from gateway.search.conditions import Criterion
from gateway.search.index import DEFAULT_ZONE, number
from gateway.search.reading import OWN, Criteria, Refused, served, unknown_modifier
from gateway.search.values import Reading

__all__ = ["Include", "Limits", "Query", "Sort", "parse", "served"]

Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]

MAX_PARAMETERS = 50
MAX_SORT = 10
_SILENT = frozenset({"_format", "_pretty"})


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


@dataclass(frozen=True, slots=True)
class Limits:
    """How many resources a page holds without `_count`, and at most."""

    count: int = 50
    most: int = 1000


def parse(
    resource_type: str,
    params: Sequence[tuple[str, str]],
    definitions: Definitions,
    *,
    now: datetime,
    lenient: bool = False,
    zone: tzinfo = DEFAULT_ZONE,
    bases: Sequence[str] = (),
    limits: Limits | None = None,
) -> Query:
    """The search that the parameters ask for; `now` is what `ap` of a date looks back from.

    Raises BadRequest with an issue for each parameter that cannot be used.
    """
    reading = Reading(zone, tuple(base.rstrip("/") + "/" for base in bases), now)
    parser = _Parser(Criteria(definitions, reading), limits or Limits())
    query = Query(resource_type, count=parser.limits.count)
    refused: list[Issue] = []
    ignored: list[Issue] = []
    used: list[tuple[str, str]] = []
    if len(params) > MAX_PARAMETERS:
        raise BadRequest(f"A search takes at most {MAX_PARAMETERS} parameters.", rule="too-many-parameters")
    for name, value in params:
        try:
            query = parser.add(query, name, value)
        except Refused as problem:
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
    """Adds one parameter after the other to a query."""

    def __init__(self, criteria: Criteria, limits: Limits) -> None:
        self.criteria = criteria
        self.definitions = criteria.definitions
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
        return replace(query, criteria=(*query.criteria, self.criteria.criterion(query.resource_type, name, value)))

    def _count(self, query: Query, modifier: str, value: str) -> Query:
        if modifier or not value.isdecimal() or len(value) > 9:
            raise Refused("malformed-search-value", "It is a whole number.")
        return replace(query, count=min(int(value), self.limits.most))

    def _sort(self, query: Query, modifier: str, value: str) -> Query:
        keys = []
        for part in value.split(","):
            code = part.removeprefix("-")
            descending = part.startswith("-")
            if code in OWN:
                keys.append(Sort(code, code, 0, descending))
                continue
            parameter = self.criteria.parameter(query.resource_type, code)
            keys.append(Sort(code, parameter.type, number(query.resource_type, code), descending))
        if modifier or query.sort:
            raise Refused("malformed-search-value", "Give one _sort, with its keys between commas.")
        if len(keys) > MAX_SORT:
            raise Refused("too-costly", f"At most {MAX_SORT} keys are sorted by.")
        return replace(query, sort=tuple(keys))

    def _include(self, query: Query, modifier: str, value: str) -> Query:
        found = self._along(modifier, value)
        if found.source != query.resource_type and not found.iterate:
            raise Refused("malformed-include", f"It starts from {query.resource_type}, the type that is searched.")
        return replace(query, includes=(*query.includes, found))

    def _revinclude(self, query: Query, modifier: str, value: str) -> Query:
        found = self._along(modifier, value)
        parameter = self.definitions.search_parameters(found.source)[found.code]
        if query.resource_type not in self.criteria.targets(parameter) and not found.iterate:
            text = f"{found.source} does not refer to a {query.resource_type} by {found.code}."
            raise Refused("malformed-include", text)
        return replace(query, revincludes=(*query.revincludes, found))

    def _along(self, modifier: str, value: str) -> Include:
        if modifier not in ("", "iterate", "recurse"):
            raise unknown_modifier(modifier, ["iterate"])
        parts = value.split(":")
        if len(parts) not in (2, 3):
            raise Refused("malformed-include", "It is written as Type:reference-parameter or Type:parameter:Target.")
        source, code, target = (*parts, None)[:3]
        if source not in self.definitions.resource_types:
            raise Refused("unknown-resource-type", "R4 has no resource type of this name.")
        parameter = self.criteria.parameter(str(source), str(code))
        if parameter.type != "reference":
            raise Refused("malformed-include", f"{code} is no reference.")
        if target is not None and target not in self.criteria.targets(parameter):
            raise Refused("malformed-include", f"{code} does not refer to a {target}.")
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
            raise Refused(
                "unknown-element", f"{query.resource_type} has no element {', '.join(wrong) or 'of no name'}."
            )
        return replace(query, elements=(*query.elements, *names))


def _one_of(value: str, modifier: str, known: Sequence[str]) -> str:
    if modifier or value not in known:
        raise Refused("malformed-search-value", f"It is one of {', '.join(known)}.")
    return value
