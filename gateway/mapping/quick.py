"""Short ways through FHIRPath: the conditions that most rules have, as Python in the rule's own line.

Maps ask over and over whether something is there, is a given code or one of a few, and put a constant before a value.
On source nodes that is a dictionary look-up and a comparison; calling a compiled path for it costs ten times as much.
What is not on this list goes to `gateway.fhirpath`, and tests hold both ways to the same answers.

https://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from gateway import fhirpath
from gateway.fhirpath import regex, syntax
from gateway.fhirpath.navigate import own_value
from gateway.formats import Node
from gateway.mapping import python as py

_NOTHING: tuple[Any, ...] = ()
_PARTS = {"startsWith": str.startswith, "endsWith": str.endswith, "contains": str.__contains__}
Told = tuple[Any, int, Any]
"""The run, the site and the node: whom to tell that an operator was given what it cannot take."""


class _Long(Exception):
    """This expression needs the whole of FHIRPath."""


class Shortcut:
    """Expressions over variables of the code: `variables` by FML name, `focus` the one that paths begin at.

    `told` is the code for whom to tell what goes wrong, `nodes` are the variables that can hold source nodes only.
    """

    def __init__(
        self, variables: Mapping[str, str], focus: str | None, told: ast.expr, nodes: Collection[str] = ()
    ) -> None:
        self.variables = variables
        self.focus = focus
        self.told = told
        self.nodes = nodes

    def condition(self, path: fhirpath.Path) -> ast.expr | None:
        """Python that is true exactly where the expression is; None where there is no short way."""
        try:
            return self._true(path.syntax)
        except _Long:
            return None

    def values(self, path: fhirpath.Path) -> ast.expr | None:
        """Python for the sequence of the expression's values; None where there is no short way."""
        try:
            return self._items(path.syntax)
        except _Long:
            return None

    def value(self, path: fhirpath.Path) -> ast.expr | None:
        """Python for the one value of an expression that can have no more, or None; None where there is no such way."""
        try:
            return self._one(path.syntax)
        except _Long:
            return None

    # Logic: each expression is asked whether it is true, or whether it is false; empty is neither.

    def _true(self, node: syntax.Syntax) -> ast.expr:
        match node:
            case syntax.Binary("and", left, right):
                return ast.BoolOp(ast.And(), [self._true(left), self._true(right)])
            case syntax.Binary("or", left, right):
                return ast.BoolOp(ast.Or(), [self._true(left), self._true(right)])
            case syntax.Binary("implies", left, right):
                return ast.BoolOp(ast.Or(), [self._false(left), self._true(right)])
            case syntax.Call(target, "not", ()) if target is not None:
                return self._false(target)
        return self._asked(node, wanted=True)

    def _false(self, node: syntax.Syntax) -> ast.expr:
        match node:
            case syntax.Binary("and", left, right):
                return ast.BoolOp(ast.Or(), [self._false(left), self._false(right)])
            case syntax.Binary("or", left, right):
                return ast.BoolOp(ast.And(), [self._false(left), self._false(right)])
            case syntax.Binary("implies", left, right):
                return ast.BoolOp(ast.And(), [self._true(left), self._false(right)])
            case syntax.Call(target, "not", ()) if target is not None:
                return self._true(target)
        return self._asked(node, wanted=False)

    def _asked(self, node: syntax.Syntax, *, wanted: bool) -> ast.expr:
        match node:
            case syntax.Call(target, "exists", ()) if target is not None:
                return self._there(target, wanted=wanted)
            case syntax.Call(target, "empty", ()) if target is not None:
                return self._there(target, wanted=not wanted)
            case syntax.Binary("=" | "!=" as op, left, syntax.Literal(constant)) if _simple(constant):
                same = wanted == (op == "=")
                one = self._variable(left)
                if self._is_node(one) and isinstance(constant, str):
                    return ast.Compare(_held(one), [ast.Eq() if same else ast.NotEq()], [py.const(constant)])
                if one is not None:
                    return py.call("_is" if same else "_is_not", one, py.const(constant))
                return py.call("_equal" if same else "_unequal", self._items(left), py.const(constant))
            case syntax.Binary("in", left, right):
                options = _tuple(_options(right))
                one = self._variable(left)
                if self._is_node(one):
                    return ast.Compare(_held(one), [ast.In() if wanted else ast.NotIn()], [options])
                return py.call("_among" if wanted else "_not_among", self._items(left), options, self.told)
            case syntax.Call(target, "matches", (syntax.Literal(str(pattern)),)) if target is not None:
                return py.call(
                    "_matches" if wanted else "_not_matches", self._items(target), py.const(pattern), self.told
                )
            case syntax.Call(target, name, (syntax.Literal(str(part)),)) if target is not None and name in _PARTS:
                asked = (py.const(name), py.const(part), py.const(wanted))
                return py.call("_has_part", self._items(target), *asked, self.told)
        raise _Long

    def _there(self, node: syntax.Syntax, *, wanted: bool) -> ast.expr:
        one = self._variable(node)
        if one is not None:
            return ast.Compare(one, [ast.IsNot() if wanted else ast.Is()], [py.const(None)])
        items = self._items(node)
        return items if wanted else ast.UnaryOp(ast.Not(), items)

    # Values

    def _variable(self, node: syntax.Syntax) -> ast.Name | None:
        match node:
            case syntax.Variable(name) | syntax.Member(None, name) if name in self.variables:
                return py.name(self.variables[name])
        return None

    def _is_node(self, variable: ast.Name | None) -> TypeGuard[ast.Name]:
        return variable is not None and variable.id in self.nodes

    def _one(self, node: syntax.Syntax) -> ast.expr:
        one = self._variable(node)
        if self._is_node(one):
            return one
        match node:
            case syntax.Literal(value) if one is None and _simple(value):
                return py.const(value)
            case syntax.Member(syntax.Variable("source" | "record" as which), name) if which not in self.variables:
                known = py.item(py.attribute("_R", "variables"), py.const(which))
                return py.method(known, "get", py.const(name))
            case syntax.Binary("&", left, right):
                return py.call("_text", self._one(left), self._one(right), self.told)
        raise _Long

    def _items(self, node: syntax.Syntax) -> ast.expr:
        one = self._variable(node)
        if one is not None:
            return py.tuple_of(one) if self._is_node(one) else py.call("_single", one)
        match node:
            case syntax.Literal(value) if _simple(value):
                return _tuple((value,))
            case syntax.Member(None, name) if self.focus is not None and (
                self.focus in self.nodes or not name[0].isupper()
            ):  # A node of a source has no type of ours, so that no name begins with one.
                return self._child(py.name(self.focus), name)
            case syntax.Member(syntax.Variable("source" | "record" as which), name) if which not in self.variables:
                return py.call("_known", py.attribute("_R", "variables"), py.const(which), py.const(name))
            case syntax.Member(target, name) if target is not None:
                owner = self._variable(target)
                if owner is not None:
                    return self._child(owner, name)
                return py.call("_children", self._items(target), py.const(name))
            case syntax.Binary("&", left, right):
                return py.call("_joined", self._items(left), self._items(right), self.told)
            case syntax.Call(target, "first", ()) if target is not None:
                return py.item(self._before(target), ast.Slice(None, py.const(1)))
        raise _Long

    def _before(self, node: syntax.Syntax) -> ast.expr:
        """What the first is taken of: where that is a union, its left side unless that is empty."""
        match node:
            case syntax.Binary("|", left, right):
                return ast.BoolOp(ast.Or(), [self._before(left), self._before(right)])
        return self._items(node)

    def _child(self, owner: ast.Name, name: str) -> ast.expr:
        if self._is_node(owner) and name != "value":
            return child_of_node(owner, name)
        return py.call("_child", owner, py.const(name))


def child_of_node(owner: ast.expr, name: str) -> ast.expr:
    """`owner.kids.get(name, ())`: what is most often asked, of what is most often there, is not worth a call."""
    return py.method(ast.Attribute(owner, "kids", py.LOAD), "get", py.const(name), py.name("_E"))


def _held(node: ast.Name) -> ast.expr:
    return ast.Attribute(node, "value", py.LOAD)


def _tuple(values: tuple[Any, ...]) -> ast.expr:
    return py.tuple_of(*map(py.const, values))


def _simple(value: Any) -> bool:
    return value.__class__ in (str, bool, int)


def _options(node: syntax.Syntax) -> tuple[Any, ...]:
    """The constants of `('a' | 'b')`."""
    match node:
        case syntax.Literal(value) if value.__class__ is str:
            return (value,)
        case syntax.Binary("|", left, right):
            return (*_options(left), *_options(right))
    raise _Long


class _Silent:
    """Whom to tell where nobody listens."""

    def refused(self, site: int, at: Any) -> None:
        """A path of the manifest that meets what it cannot take gives nothing."""


def function(path: fhirpath.Path) -> Callable[[Any, Mapping[str, Any]], Sequence[Any]]:
    """The values of a path as a function of the node and the environment's variables."""
    told = py.tuple_of(py.name("_silent"), py.const(0), py.const(None))
    body = Shortcut({}, "node", told, {"node"}).values(path)
    if body is None:
        return lambda node, variables: path(node, fhirpath.Environment(variables=variables))
    arguments = ast.arguments([], [ast.arg("node"), ast.arg("_R")], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    space = {"__builtins__": {}, "_silent": _Silent(), **HELPERS}
    made = eval(compile(tree, "<map.yaml>", "eval"), space)  # noqa: S307  built above, from forms of ours
    return lambda node, variables: made(node, _Variables(variables))


class _Variables:
    """The environment under the name that generated code asks for."""

    __slots__ = ("variables",)

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables


# What the code above calls


@lru_cache(maxsize=1024)
def _member(name: str) -> fhirpath.Path:
    return fhirpath.compile(f"`{name}`")


def child(item: Any, name: str) -> Sequence[Any]:
    """One step: on a source's node a look-up; a part of a resource knows choices and types."""
    try:
        found: Sequence[Any] = own_value(item) if name == "value" else item.kids.get(name, _NOTHING)
    except AttributeError:
        found = _member(name)(item) if item.__class__ is dict else _NOTHING
    return found


def children(items: Sequence[Any], name: str) -> Sequence[Any]:
    if len(items) == 1:
        return child(items[0], name)
    return [found for item in items for found in child(item, name)]


def single(value: Any) -> Sequence[Any]:
    return _NOTHING if value is None else value if value.__class__ is list else (value,)


def known(variables: Mapping[str, Any], which: str, name: str) -> Sequence[Any]:
    """A fact of the source or the record."""
    value = variables[which].get(name)
    return _NOTHING if value is None else (value,)


def same(value: Any, constant: Any) -> bool:
    if isinstance(value, Node):
        value = value.value
    if value.__class__ is bool or constant.__class__ is bool:
        return value is constant
    return bool(value == constant)


def other(value: Any, constant: Any) -> bool:
    return value is not None and not same(value, constant)


def equal(items: Sequence[Any], constant: Any) -> bool:
    return len(items) == 1 and same(items[0], constant)


def unequal(items: Sequence[Any], constant: Any) -> bool:
    return len(items) > 1 or (len(items) == 1 and not same(items[0], constant))


def among(items: Sequence[Any], options: tuple[str, ...], told: Told) -> bool:
    if len(items) > 1:
        told[0].refused(told[1], told[2])
        return False
    return len(items) == 1 and any(same(items[0], option) for option in options)


def not_among(items: Sequence[Any], options: tuple[str, ...], told: Told) -> bool:
    if len(items) > 1:
        told[0].refused(told[1], told[2])
        return False
    return len(items) == 1 and not any(same(items[0], option) for option in options)


def matches(items: Sequence[Any], pattern: str, told: Told) -> bool:
    return _searched(items, pattern, told) is True


def not_matches(items: Sequence[Any], pattern: str, told: Told) -> bool:
    return _searched(items, pattern, told) is False


def has_part(items: Sequence[Any], name: str, part: str, wanted: bool, told: Told) -> bool:
    """Whether a text begins with another, ends with it or holds it, is as wanted."""
    if not items:
        return False
    value = items[0].value if isinstance(items[0], Node) else items[0]
    if len(items) > 1 or not isinstance(value, str):
        told[0].refused(told[1], told[2])
        return False
    return _PARTS[name](value, part) is wanted


def _searched(items: Sequence[Any], pattern: str, told: Told) -> bool | None:
    if not items:
        return None
    value = items[0].value if isinstance(items[0], Node) else items[0]
    if len(items) > 1 or not isinstance(value, str):
        told[0].refused(told[1], told[2])
        return None
    return regex.search(pattern, value)


def joined(left: Sequence[Any], right: Sequence[Any], told: Told) -> Sequence[Any]:
    """`&`: what is not there is an empty string."""
    text = ""
    for items in (left, right):
        if len(items) > 1:
            told[0].refused(told[1], told[2])
            return _NOTHING
        if items:
            value = items[0].value if isinstance(items[0], Node) else items[0]
            if not isinstance(value, str):
                told[0].refused(told[1], told[2])
                return _NOTHING
            text += value
    return (text,)


def text(left: Any, right: Any, told: Told) -> str | None:
    """`&` of what can have one value at most."""
    if left.__class__ is str and right.__class__ is Node and right.value.__class__ is str:  # As it mostly is.
        both: str = left + right.value
        return both
    found = joined(single(left), single(right), told)
    return found[0] if found else None


HELPERS: dict[str, Any] = {
    "_child": child,
    "_children": children,
    "_single": single,
    "_known": known,
    "_is": same,
    "_is_not": other,
    "_equal": equal,
    "_unequal": unequal,
    "_among": among,
    "_not_among": not_among,
    "_matches": matches,
    "_not_matches": not_matches,
    "_has_part": has_part,
    "_joined": joined,
    "_text": text,
    "_E": _NOTHING,
}
