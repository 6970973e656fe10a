"""The shape of a search: what it asks for with a place for each value, so that its SQL is made once for all alike.

What depends on how a value reads (a piece of text to be contained, an arc around a point, words) has no shape: such a
search is written out each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Text, bindparam

from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Chain,
    Condition,
    Covers,
    Criterion,
    DateIs,
    IdIs,
    Itself,
    Missing,
    Not,
    NumberIs,
    OfType,
    Own,
    QuantityIs,
    RefersTo,
    RefersToAny,
    ReverseChain,
    StringIs,
    Together,
    TokenIs,
    Unlike,
    UriIs,
    Where,
)
from gateway.search.cursor import Cursor
from gateway.search.query import Query

MOST = 64
"""Values of one criterion; of more, the statement is written out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value goes: a parameter of the statement, of this number."""

    number: int

    @property
    def name(self) -> str:
        return f"place_{self.number}"

    def __clause_element__(self) -> BindParameter[Any]:
        return bindparam(self.name, required=False)

    def __add__(self, text: str) -> ColumnElement[str]:
        return bindparam(self.name, type_=Text, required=False) + text


@dataclass(frozen=True, slots=True)
class Shape:
    """A query and the cursor to go on from, both without their values."""

    query: Query
    after: Cursor


def shape(query: Query, after: Cursor) -> tuple[Shape, dict[str, Any]] | None:
    """The shape of a page, and the values by the names of their places; None where it has none."""
    outline = _Outline()
    try:
        criteria = outline.all(query.criteria)
    except _Shapeless:
        return None
    keys = tuple(map(outline.place, after.keys))
    rid = after.rid if after.rid is None else outline.place(after.rid)
    plain = Query(query.types, criteria, query.sort, query.count)
    return Shape(plain, replace(after, keys=keys, rid=rid)), outline.values


class _Shapeless(Exception):
    """The statement depends on more than how many values there are."""


VALUES: Mapping[type[Any], tuple[str, ...]] = {
    TokenIs: ("code", "exact"),
    RefersTo: ("id",),
    RefersToAny: (),
    DateIs: ("low", "high"),
    StringIs: ("value", "exact"),
    UriIs: ("value",),
    NumberIs: ("value", "low", "high"),
    QuantityIs: ("code",),
    IdIs: ("id",),
    Covers: ("low", "high"),
    Unlike: (),
    Itself: ("id",),
    OfType: (),
    Missing: (),
    Own: (),
    Where: (),
    Chain: (),
    ReverseChain: (),
    Together: (),
    AnyOf: (),
    AllOf: (),
    Not: (),
}
"""What in a condition or a criterion is a value; the rest decides on the statement. What is not named has no shape."""


@dataclass(slots=True)
class _Outline:
    """Takes the values out, one after the other."""

    values: dict[str, Any] = field(default_factory=dict)
    _systems: dict[str, Place] = field(default_factory=dict)

    def all(self, criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
        return tuple(map(self.criterion, criteria))

    def place(self, value: Any) -> Any:
        """A place for the value. Whether there is one decides on the statement."""
        if value is None or value == "":
            return value
        place = Place(len(self.values))
        self.values[place.name] = value
        return place

    def criterion(self, one: Criterion) -> Any:
        match one:
            case Where() | Own():
                return replace(one, conditions=self.conditions(one.conditions))
            case Chain() | ReverseChain():
                return replace(one, inner=self.all(one.inner))
            case Together():
                parts = tuple((kind, numbers, self.conditions(given)) for kind, numbers, given in one.parts)
                return replace(one, parts=parts)
            case AnyOf() | AllOf():
                return replace(one, criteria=self.all(one.criteria))
            case Not():
                return replace(one, criterion=self.criterion(one.criterion))
        return self._without_values(one)

    def conditions(self, given: Sequence[Condition]) -> tuple[Any, ...]:
        """The last one fills up to the next power of two: not each number of values is a shape of its own."""
        if len(given) > MOST:
            raise _Shapeless
        wanted = 1 << max(0, len(given) - 1).bit_length()
        return tuple(map(self.condition, [*given, *[given[-1]] * (wanted - len(given))])) if given else ()

    def condition(self, one: Condition) -> Any:
        match one:
            case StringIs(how="contains") | UriIs(how="above"):
                raise _Shapeless
            case TokenIs():
                return replace(self._without_values(one), system=self._system(one.system))
            case QuantityIs():
                number: Any = self._without_values(one.number)
                return replace(self._without_values(one), number=number, system=self._system(one.system))
            case Unlike():
                return Unlike(self.condition(one.condition))
        return self._without_values(one)

    def _system(self, system: str | None) -> Any:
        """One place for one system: codes of the same are looked up together."""
        if not system:
            return system
        if system not in self._systems:
            self._systems[system] = self.place(system)
        return self._systems[system]

    def _without_values(self, one: Any) -> Any:
        names = VALUES.get(type(one))
        if names is None:
            raise _Shapeless
        return replace(one, **{name: self.place(getattr(one, name)) for name in names})
