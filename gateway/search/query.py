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
from gateway.search import bound, filtering
from gateway.search.conditions import AllOf, AnyOf, Criterion, Numbers, OfType, Together, Where
from gateway.search.index import DEFAULT_ZONE
from gateway.search.numbers import contained_number
from gateway.search.parameters import Parameter, Refused, Types, served, unknown_modifier
from gateway.search.reading import OWN, Criteria
from gateway.search.values import Reading
from gateway.terminology import Terminology

__all__ = ["CONTROLS", "Compartment", "Include", "Limits", "Query", "Sort", "parse", "served"]

Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]

MAX_PARAMETERS = 50
MAX_SORT = 10
TYPES, FILTER = "_type", "_filter"
SORTED = frozenset({"token", "reference", "date", "string", "uri", "number", "quantity"})
"""The types of parameters whose values have an order."""
CONTROLS: Mapping[str, str] = {
    "_contained": "token",
    "_containedType": "token",
    "_count": "number",
    "_filter": "special",
    "_has": "string",
    "_include": "string",
    "_list": "string",
    "_revinclude": "string",
    "_sort": "string",
    "_total": "token",
    "_type": "token",
}
"""What every search takes beside the parameters that are defined as such, with what it is written as."""
_SILENT = frozenset({"_format", "_pretty"})


@dataclass(frozen=True, slots=True)
class Sort:
    """By a parameter's smallest value, or `descending` by its largest; `kind` is `_id` or `_lastUpdated` for those."""

    code: str
    kind: str
    numbers: Numbers
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """Along references of `source` resources (None: of any), to or from `target` resources (None: any).

    `numbers` are the parameters' that lead there, none: whichever. `iterate`: also from what was included. `urls` are
    the numbers of the urls that canonicals lead to.
    """

    source: str | None
    numbers: Numbers
    target: str | None
    iterate: bool = False
    urls: Numbers = ()


@dataclass(frozen=True, slots=True)
class Compartment:
    """What is searched within: what belongs to one resource. https://hl7.org/fhir/R4/compartmentdefinition.html"""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Query:
    """A search over these resource types; without any, over all.

    `used` are the parameters that it was made from, `ignored` what was left out.
    """

    types: Types
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
    within: Compartment | None = None,
    progress: Mapping[str, int] | None = None,
    lenient: bool = False,
    zone: tzinfo = DEFAULT_ZONE,
    bases: Sequence[str] = (),
    limits: Limits | None = None,
    terminology: Terminology | None = None,
) -> Query:
    """The search that the parameters ask for; `now` is what `ap` of a date looks back from.

    An empty `resource_type` searches all types, or those of `_type`. `terminology` knows kept value sets too,
    `progress` how many percent are indexed of what is being prepared. Raises BadRequest with an issue for each
    parameter that cannot be used.
    """
    if len(params) > MAX_PARAMETERS:
        raise BadRequest(f"A search takes at most {MAX_PARAMETERS} parameters.", rule="too-many-parameters")
    reading = Reading(zone, tuple(base.rstrip("/") + "/" for base in bases), now)
    criteria = Criteria(definitions, reading, terminology, progress)
    parser = _Parser(criteria, limits or Limits(), resource_type, within)
    refused: list[Issue] = []
    ignored: list[Issue] = []
    used: list[tuple[str, str]] = []

    def each(params: Sequence[tuple[str, str]], add: Callable[[str, str], None]) -> None:
        for name, value in params:
            if not value:
                # https://hl7.org/fhir/R4/search.html#errors: empty parameters are no error, they are ignored.
                continue
            try:
                add(name, value)
            except Refused as problem:
                keep = ignored if lenient and problem.unknown else refused
                severity: Literal["warning", "error"] = "warning" if keep is ignored else "error"
                code = "not-supported" if problem.unknown else "invalid"
                keep.append(Issue(severity, code, problem.rule, f"{name[:100]}: {problem.text}", where=name[:100]))
            else:
                if name not in _SILENT:
                    used.append((name, parser.said.get(name, value)))

    # The types first: they say what the others mean.
    typed = [one for one in params if one[0] == TYPES and not resource_type]
    each(typed, parser.limit_types)
    if not refused:
        parser.enter()
        each([one for one in params if one not in typed], parser.add)
    if refused:
        raise BadRequest(refused[0].text, issues=refused)
    try:
        query = parser.finished()
    except Refused as problem:
        raise BadRequest(problem.text, rule=problem.rule, where="_contained") from None
    return replace(query, used=tuple(used), ignored=(*ignored, *parser.told))


class _Parser:
    """Adds one parameter after the other to a query."""

    def __init__(
        self, criteria: Criteria, limits: Limits, resource_type: str, within: Compartment | None = None
    ) -> None:
        self.criteria = criteria
        self.definitions = criteria.definitions
        self.limits = limits
        self.within = within
        self.types: Types = (resource_type,) if resource_type else self._all()
        self.query = Query((resource_type,) if resource_type else (), count=limits.count)
        self.told: list[Issue] = []
        """What was taken otherwise than it says."""
        self.contained = "false"
        self.asked: list[tuple[str, str]] = []
        """The criteria as they were given."""
        self.said: dict[str, str] = {}
        """What a parameter was taken for, where that is not what it says."""
        self.results: Mapping[str, Callable[[Query, str, str], Query]] = {
            "_count": self._count,
            "_sort": self._sort,
            "_include": self._include,
            "_revinclude": self._revinclude,
            "_total": self._total,
            "_summary": self._summary,
            "_elements": self._elements,
            FILTER: self._filter,
            "_contained": self._contained,
            "_containedType": self._contained_type,
        }

    def _all(self) -> Types:
        if self.within is None:
            return tuple(self.definitions.resource_types)
        return tuple(self.definitions.compartments[self.within.type])

    def limit_types(self, name: str, value: str) -> None:
        """`_type`: https://hl7.org/fhir/R4/search.html#type"""
        wanted = tuple(dict.fromkeys(value.split(",")))
        unknown = [one for one in wanted if one not in self.definitions.resource_types]
        if unknown or self.query.types:
            text = "Name R4's resource types, once, with commas between them."
            raise Refused("unknown-resource-type" if unknown else "malformed-search-value", text)
        outside = [one for one in wanted if one not in self._all()]
        if outside:
            raise _outside(outside[0], self._all())
        self.types = wanted
        self.query = replace(self.query, types=wanted)

    def enter(self) -> None:
        """Narrow the search to the compartment that it is made in. BadRequest where the type is in none."""
        if self.within is None:
            return
        try:
            found = self.criteria.within(self.types, self.within.type, self.within.id)
        except Refused as problem:
            raise BadRequest(problem.text, rule=problem.rule) from None
        self.query = replace(self.query, types=self.types, criteria=(found,))

    def add(self, name: str, value: str) -> None:
        code, _, modifier = name.partition(":")
        if name in _SILENT:
            return
        if "\0" in value:  # PostgreSQL keeps no text with it, and SQLite would look.
            raise Refused("malformed-search-value", "It has the character NUL, which no value has.")
        if code in self.results:
            self.query = self.results[code](self.query, modifier, value)
        else:
            found = self.criteria.criterion(self.types, name, value)
            self.asked.append((name, value))
            if isinstance(found, Where) and found.kind == "token" and modifier in ("", "not") and "." not in name:
                self._tell_unknown(name, code, found)
            if "/_history/" in value and isinstance(found, Where) and found.kind == "reference":
                text = f"{name[:100]}: the version that the reference names is not looked at."
                self.told.append(Issue("warning", "informational", "version-not-searched", text, where=name[:100]))
            self.query = replace(self.query, criteria=(*self.query.criteria, found))

    def _tell_unknown(self, name: str, code: str, found: Where) -> None:
        """Say that a code is none: https://hl7.org/fhir/R4/search.html#errors has it looked for, in vain."""
        text = bound.unknown(self.types, code, found.conditions, self.definitions)
        if text is not None:
            self.told.append(Issue("warning", "code-invalid", "code-never-found", f"{name}: {text}", where=name))

    def _contained(self, query: Query, modifier: str, value: str) -> Query:
        """Whether what others contain is looked at too, or alone: https://hl7.org/fhir/R4/search.html#contained"""
        self.contained = _one_of(value, modifier, ("false", "true", "both"))
        return query

    def _contained_type(self, query: Query, modifier: str, value: str) -> Query:
        """What contains the matches comes. They have no identity of their own by which they could come alone."""
        if _one_of(value, modifier, ("container", "contained")) == "contained":
            text = "What contains them is given, as _containedType=container says: contained resources come in it only."
            raise Refused("contained-type", text, unknown=True)
        return query

    def finished(self) -> Query:
        """The query, when all parameters are there; they are asked of what others contain, where that is wanted."""
        if self.contained == "false":
            return self.query
        if self.within is not None or len(self.types) != 1:
            text = "Contained resources are looked for in one type, and not within a compartment."
            raise Refused("contained-in-one-type", text)
        if any(one.kind not in OWN for one in self.query.sort):
            raise Refused("contained-not-sorted", "What contains others is sorted by _id and _lastUpdated only.")
        (kind,) = self.types
        parts = [self.criteria.contained(kind, name, value) for name, value in self.asked]
        wrong = next((name for (name, _), part in zip(self.asked, parts, strict=True) if part is None), None)
        if wrong is not None:
            text = f"{wrong[:100]} is not asked of contained resources: no chain, filter, :not or :missing is."
            raise Refused("contained-criterion", text)
        places = ("token", (contained_number(kind, "_id"),), ())
        inside: Criterion = Together((places, *((one.kind, one.numbers, one.conditions) for one in parts if one)))
        if self.contained == "both":
            inside = AnyOf((inside, AllOf((OfType(kind), *self.query.criteria))))
        return replace(self.query, types=(), criteria=(inside,))

    def _filter(self, query: Query, modifier: str, value: str) -> Query:
        if modifier:
            raise unknown_modifier(modifier, [])
        self.asked.append((FILTER, value))
        return replace(query, criteria=(*query.criteria, filtering.criterion(value, self.types, self.criteria)))

    def _count(self, query: Query, modifier: str, value: str) -> Query:
        if modifier or not value.isdecimal() or len(value) > 9:
            raise Refused("malformed-search-value", "It is a whole number.")
        count = min(int(value), self.limits.most)
        self.said["_count"] = str(count)
        return replace(query, count=count)

    def _sort(self, query: Query, modifier: str, value: str) -> Query:
        if modifier or query.sort:
            raise Refused("malformed-search-value", "Give one _sort, with its keys between commas, and - before a key.")
        keys = [self._sort_key(part.removeprefix("-"), part.startswith("-")) for part in value.split(",")]
        if len(keys) > MAX_SORT:
            raise Refused("too-costly", f"At most {MAX_SORT} keys are sorted by.")
        return replace(query, sort=tuple(keys))

    def _sort_key(self, code: str, descending: bool) -> Sort:
        if code in OWN:
            return Sort(code, code, (), descending)
        parameter = self.criteria.parameter(self.types, code)
        if parameter.kind not in SORTED:
            text = f"{code} has no order. Sort by a parameter of another type than {parameter.kind}."
            raise Refused("not-sortable", text)
        return Sort(code, parameter.kind, parameter.numbers, descending)

    def _include(self, query: Query, modifier: str, value: str) -> Query:
        source, code, target, iterate = self._along(modifier, value)
        if source is None:
            urls = self.criteria.urls(tuple(self.definitions.resource_types))
            return replace(query, includes=(*query.includes, Include(None, (), None, iterate, urls)))
        if source not in self.types and not iterate:
            text = (
                f"It starts from {', '.join(self.types[:20])}, which is searched; from what is included with :iterate."
            )
            raise Refused("malformed-include", text)
        numbers: Numbers = ()
        targets = tuple(self.definitions.resource_types)
        if code is not None:
            parameter = self.criteria.parameter((source,), code)
            numbers, targets = parameter.numbers, self.criteria.targets(parameter)
        urls = self.criteria.urls(targets if target is None else (target,))
        return replace(query, includes=(*query.includes, Include(source, numbers, target, iterate, urls)))

    def _revinclude(self, query: Query, modifier: str, value: str) -> Query:
        source, code, target, iterate = self._along(modifier, value)
        wanted = self.types if target is None else (target,)
        sources = (source,) if source else tuple(self.definitions.resource_types)
        found = [
            (one, parameter)
            for one in sources
            for parameter in self._references(one, code)
            if iterate or not parameter.targets or set(parameter.targets) & set(wanted)
        ]
        if not found:
            text = f"{source} does not refer to a {', '.join(wanted[:20])}" + (f" by {code}." if code else ".")
            raise Refused("malformed-include", text)
        numbers = tuple(number for _, parameter in found for number in parameter.numbers)
        return replace(query, revincludes=(*query.revincludes, Include(source, numbers, target, iterate)))

    def _references(self, source: str, code: str | None) -> Sequence[Parameter]:
        """The reference parameter of this code, or all of the type's."""
        if code is not None:
            return (self.criteria.parameter((source,), code),)
        known = served(self.definitions, source).values()
        return [self.criteria.parameter((source,), one.code) for one in known if one.type == "reference"]

    def _along(self, modifier: str, value: str) -> tuple[str | None, str | None, str | None, bool]:
        """Source, parameter and target of an include, None for any; and whether it goes on from what is included."""
        if modifier not in ("", "iterate", "recurse"):
            raise unknown_modifier(modifier, ["iterate"])
        if value == "*":
            return None, None, None, bool(modifier)
        parts = value.split(":")
        if len(parts) not in (2, 3):
            text = "It is written as Type:reference-parameter, Type:parameter:Target, Type:* or *."
            raise Refused("malformed-include", text)
        source, code, target = (*parts, None)[:3]
        if source not in self.definitions.resource_types:
            raise Refused("unknown-resource-type", "R4 has no resource type of this name.")
        if target is not None and target not in self.definitions.resource_types:
            raise Refused("unknown-resource-type", "R4 has no resource type of the target's name.")
        if code == "*":
            return source, None, target, bool(modifier)
        parameter = self.criteria.parameter((str(source),), str(code))
        if parameter.kind != "reference":
            raise Refused("malformed-include", f"{code} is no reference.")
        if target is not None and target not in self.criteria.targets(parameter):
            raise Refused("malformed-include", f"{code} does not refer to a {target}.")
        return source, code, target, bool(modifier)

    def _total(self, query: Query, modifier: str, value: str) -> Query:
        return replace(query, total=cast(Total, _one_of(value, modifier, get_args(Total))))

    def _summary(self, query: Query, modifier: str, value: str) -> Query:
        return replace(query, summary=cast(Summary, _one_of(value, modifier, get_args(Summary))))

    def _elements(self, query: Query, modifier: str, value: str) -> Query:
        names = tuple(part.partition(".")[0] for part in value.split(",") if part)
        known = [self.definitions.types[one] for one in self.types]
        wrong = [name for name in names if not any(name in one.elements or name in one.choices for one in known)]
        if wrong or not names or modifier:
            of = ", ".join(self.types[:20])
            raise Refused("unknown-element", f"{of} has no element {', '.join(wrong) or 'of no name'}.")
        return replace(query, elements=(*query.elements, *names))


def _outside(resource_type: str, known: Sequence[str]) -> Refused:
    text = f"This compartment holds no {resource_type}. It holds: {', '.join(known)}."
    return Refused("not-in-compartment", text)


def _one_of(value: str, modifier: str, known: Sequence[str]) -> str:
    if modifier or value not in known:
        raise Refused("malformed-search-value", f"It is one of {', '.join(known)}.")
    return value
