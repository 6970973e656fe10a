"""A short way through the structural check: what is good, and of a shape that was met before, is seen to be so.

The shape of an object is the names of its members in their order. What a type asks of the names alone is decided once
for each shape; what is left to ask of the values is written as one Python function. It says that nothing is wrong, or
that it does not know: then the whole check looks, and tells. So both ways have the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.fhir.primitives import LONGEST, Test

Object = dict[str, Any]
Shape = tuple[str, ...]
Accepts = Callable[[Object, Any], bool]
"""Whether nothing is wrong with an object, within a scope; False where that is not known."""
Asked = Callable[[Object, Any], Any]
"""What an element asks of each of its objects besides their type: None, or faults."""

USES: Final = 8
"""How often a shape is met before it is worth its code."""
MOST: Final = 256
"""Shapes of one type that are remembered: sources have few, and senders may make up any number."""

_TEXT = f"type({{0}}) is str and 0 < len({{0}}) <= {LONGEST} and {{0}}.isprintable()"
_NAME = "type({0}) is str and {0} and ' ' not in {0} and {0}.isprintable()"
_QUICKLY: Final = {
    "string": _TEXT,
    "markdown": _TEXT,
    "uri": _NAME,
    "url": _NAME,
    "canonical": _NAME,
    "code": "type({0}) is str and {0}.isalnum()",
}
"""What most values of a type are, in the line itself; any other is asked of the type's form."""


@dataclass(frozen=True, slots=True)
class Member:
    """What an element asks: of primitives their `form`, of objects that they are of the type, and what is `asked`."""

    is_list: bool
    most: int | None
    form: Test | None = None
    quick: str = ""
    """The name of the primitive type, where its form is all that is asked."""
    type: Shapes | None = None
    asked: Sequence[Asked] = ()


class Shapes:
    """The shapes of one type that have been met."""

    __slots__ = ("_fits", "_member", "_met", "_rules", "known")

    def __init__(
        self,
        member: Callable[[str], Member | None],
        fits: Callable[[Shape], bool],
        rules: Callable[[], Iterable[Callable[[Object], bool]]],
    ) -> None:
        """`member` by name, None where only the whole check can tell; `fits`: whether nothing is wrong with names."""
        self._member = member
        self._fits = fits
        self._rules = rules
        self._met: dict[Shape, int] = {}
        self.known: dict[Shape, Accepts] = {}

    def accepts(self, value: Object, scope: Any) -> bool:
        return self.known.get(tuple(value), self.unmet)(value, scope)

    def unmet(self, value: Object, scope: Any) -> bool:
        """Of a shape without code: it is counted, and gets its code when it comes often."""
        shape = tuple(value)
        count = self._met.get(shape, 0) + 1
        if len(self._met) < MOST or shape in self._met:
            self._met[shape] = count
        if count == USES:
            self.known[shape] = self._code(shape)
        return False

    def _code(self, shape: Shape) -> Accepts:
        members = [self._member(name) for name in shape]
        if not shape or None in members or not self._fits(shape):
            return _never
        space: dict[str, Any] = {}
        lines = []
        for place, one in enumerate(members):
            if one is not None and (asked := _line(f"a{place}", one, place, space)):
                lines.append(f"({asked})")
        for place, rule in enumerate(self._rules()):
            space[f"rule{place}"] = rule
            lines.append(f"rule{place}(v)")
        names = ", ".join(f"a{place}" for place in range(len(shape)))
        text = f"def accepts(v, s):\n    {names}, = v.values()\n    return {' and '.join(lines) or 'True'}\n"
        exec(compile(text, "<shape>", "exec"), space)  # noqa: S102  names are numbers, and forms are of the table above
        made: Accepts = space["accepts"]
        return made


def _never(value: Object, scope: Any) -> bool:
    return False


def _line(name: str, one: Member, place: int, space: dict[str, Any]) -> str:
    """The condition that a member's value is good."""
    if one.form is not None:
        form = f"form{place}"
        space[form] = one.form
        if one.is_list:
            most = f" and len({name}) <= {one.most}" if one.most is not None else ""
            return f"type({name}) is list and {name} and all(map({form}, {name})){most}"
        quick = _QUICKLY.get(one.quick)
        return f"{quick.format(name)} or {form}({name})" if quick else f"{form}({name})"
    if one.type is None:
        return ""
    space[f"known{place}"], space[f"unmet{place}"] = one.type.known, one.type.unmet
    asked = []
    for number, more in enumerate(one.asked):
        space[f"asked{place}_{number}"] = more
        asked.append(f" and asked{place}_{number}({{0}}, s) is None")
    each = f"type({{0}}) is dict and known{place}.get(tuple({{0}}), unmet{place})({{0}}, s){''.join(asked)}"
    if not one.is_list:
        return each.format(name)
    space[f"several{place}"] = _several(one.type, one.asked, one.most)
    first = f"type({name}) is list and len({name}) == 1 and type(b := {name}[0]) is dict"
    return f"{first} and {each.format('b')} or several{place}({name}, s)"


def _several(kind: Shapes, asked: Sequence[Asked], most: int | None) -> Callable[[Any, Any], bool]:
    """Of a list of more than one object: each is good."""

    def several(items: Any, scope: Any) -> bool:
        if type(items) is not list or len(items) < 2 or (most is not None and len(items) > most):
            return False
        for one in items:
            if type(one) is not dict or not kind.accepts(one, scope):
                return False
            for more in asked:
                if more(one, scope) is not None:
                    return False
        return True

    return several
