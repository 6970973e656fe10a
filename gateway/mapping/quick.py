"""Short ways through FHIRPath: the conditions that most rules have, as Python in the rule's own line.

Maps ask over and over whether something is there, is a given code or one of a few, and put a constant before a value.
On source nodes that is a dictionary look-up and a comparison; calling a compiled path for it costs ten times as much.
What is not on this list goes to `gateway.fhirpath`, and tests hold both ways to the same answers.

https://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from gateway import fhirpath
from gateway.fhirpath import syntax
from gateway.mapping import python as py
from gateway.mapping.quickly import HELPERS, PARTS


class _Long(Exception):
    """This expression needs the whole of FHIRPath."""


class Shortcut:
    """Expressions over variables of the code: `variables` by FML name, `focus` the one that paths begin at.

    `told` is the code for whom to tell what goes wrong; without it, nothing may that has a short way. `nodes` are the
    variables that can hold source nodes only.
    """

    def __init__(
        self, variables: Mapping[str, str], focus: str | None, told: ast.expr | None, nodes: Collection[str] = ()
    ) -> None:
        self.variables = variables
        self.focus = focus
        self._told = told
        self.nodes = nodes

    @property
    def told(self) -> ast.expr:
        if self._told is None:
            raise _Long
        return self._told

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
            case syntax.Call(target, name, (syntax.Literal(str(part)),)) if target is not None and name in PARTS:
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
            case syntax.Special("this") if self.focus is not None:
                return py.name(self.focus)
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
            case syntax.Binary("&"):
                return self._joined(_operands(node))
            case syntax.Call(target, "replace" | "trim" as name, arguments) if target is not None:
                return py.call("_altered", self._items(target), py.const(name), _texts(name, arguments), self.told)
            case syntax.Call(target, "first", ()) if target is not None:
                return py.call("_first", self._before(target))
        raise _Long

    def _joined(self, operands: Sequence[syntax.Syntax]) -> ast.expr:
        """`&`: plainly where each operand can have one value at most."""
        try:
            return py.call("_text", self.told, *map(self._one, operands))
        except _Long:
            return py.call("_joined", self.told, *map(self._items, operands))

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
                return self._child(owner, name) if owner is not None else self._down(target, name)
            case syntax.Binary("&") | syntax.Call(_, "replace" | "trim"):
                return py.call("_single", self._one(node))
            case syntax.Call(target, "first", ()) if target is not None:
                return py.item(self._before(target), ast.Slice(None, py.const(1)))
            case syntax.Call(target, "where", (criterion,)) if target is not None:
                return self._those(self._items(target), criterion)
            case syntax.Call(None, "iif", (condition, *branches)) if len(branches) in (1, 2):
                # A condition that cannot be told is no false one: neither branch holds.
                asked = Shortcut(self.variables, self.focus, None, self.nodes)._true(condition)
                chosen = [self._items(branch) for branch in branches]
                return ast.IfExp(asked, chosen[0], chosen[1] if chosen[1:] else py.name("_E"))
        raise _Long

    def _those(self, items: ast.expr, criterion: syntax.Syntax) -> ast.expr:
        """`where`: its criterion asks of each item, which `$this` is too."""
        inner = Shortcut(self.variables, "_this", self._told, self.nodes)
        return py.comprehension(py.name("_this"), py.clause("_this", items, inner._true(criterion)))

    def _down(self, node: syntax.Syntax, name: str) -> ast.expr:
        """A step below what a path leads to, and all those before it that can be taken at once."""
        names = [name]
        while (
            isinstance(node, syntax.Member)
            and not isinstance(node.target, syntax.Variable | None)
            and self._variable(node.target) is None
        ):
            names.insert(0, node.name)
            node = node.target
        return py.call("_down", self._items(node), _tuple(tuple(names)))

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


def _operands(node: syntax.Syntax) -> list[syntax.Syntax]:
    """All that `&` joins."""
    match node:
        case syntax.Binary("&", left, right):
            return [*_operands(left), *_operands(right)]
    return [node]


def _texts(name: str, arguments: Sequence[syntax.Syntax]) -> ast.expr:
    """The arguments of `replace` or `trim`, which are written out."""
    found = [one.value for one in arguments if isinstance(one, syntax.Literal) and one.value.__class__ is str]
    if len(found) != len(arguments) or len(found) != (2 if name == "replace" else 0):
        raise _Long
    return _tuple(tuple(found))


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


class Known(Protocol):
    """What an expression may know beside its focus."""

    variables: Any


def function(path: fhirpath.Path) -> Callable[[Any, Known], Sequence[Any]]:
    """The values of a path as a function of the node and of whoever knows the variables."""
    told = py.tuple_of(py.name("_silent"), py.const(0), py.const(None))
    body = Shortcut({}, "node", told, {"node"}).values(path)
    if body is None:
        return lambda node, known: path(node, fhirpath.Environment(variables=known.variables))
    arguments = ast.arguments([], [ast.arg("node"), ast.arg("_R")], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    space = {"__builtins__": {}, "_silent": _Silent(), **HELPERS}
    made: Callable[[Any, Known], Sequence[Any]] = eval(compile(tree, "<map.yaml>", "eval"), space)  # noqa: S307  built above, from forms of ours
    return made
