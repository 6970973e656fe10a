"""The few kinds of Python syntax that compiled expressions consist of, as short constructors.

Expressions become these nodes, never source text. https://docs.python.org/3/library/ast.html
"""

from __future__ import annotations

import ast
from typing import Any

# Shared by all code: what place they name does not matter, nothing goes wrong in them.
NONE = ast.Constant(None)
TRUE = ast.Constant(True)
FALSE = ast.Constant(False)


def name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def const(value: Any) -> ast.Constant:
    return ast.Constant(value)


def assign(target: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(target, ast.Store())], value)


def increase(target: str) -> ast.stmt:
    return ast.AugAssign(ast.Name(target, ast.Store()), ast.Add(), const(1))


def call(function: str, *args: ast.expr) -> ast.expr:
    return ast.Call(name(function), list(args), [])


def method(target: ast.expr, attribute: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(target, attribute, ast.Load()), list(args), [])


def attribute(target: ast.expr, attribute: str) -> ast.expr:
    return ast.Attribute(target, attribute, ast.Load())


def effect(value: ast.expr) -> ast.stmt:
    return ast.Expr(value)


def is_none(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.Is()], [NONE])


def is_some(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.IsNot()], [NONE])


def same(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [ast.Is()], [right])


def equal(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [ast.Eq()], [right])


def unequal(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [ast.NotEq()], [right])


def within(key: ast.expr, container: ast.expr) -> ast.expr:
    return ast.Compare(key, [ast.In()], [container])


def both(*values: ast.expr) -> ast.expr:
    return ast.BoolOp(ast.And(), list(values)) if len(values) > 1 else values[0]


def either(*values: ast.expr) -> ast.expr:
    return ast.BoolOp(ast.Or(), list(values)) if len(values) > 1 else values[0]


def negated(value: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), value)


def plus(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.BinOp(left, ast.Add(), right)


def choose(test: ast.expr, yes: ast.expr, no: ast.expr) -> ast.expr:
    return ast.IfExp(test, yes, no)


def items(*values: ast.expr) -> ast.expr:
    return ast.List(list(values), ast.Load())


def pair(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Tuple([left, right], ast.Load())


def item(target: ast.expr, index: int) -> ast.expr:
    return ast.Subscript(target, const(index), ast.Load())


def when(test: ast.expr, body: list[ast.stmt], otherwise: list[ast.stmt] | None = None) -> ast.stmt:
    return ast.If(test, body or [ast.Pass()], otherwise or [])


def loop(target: str, source: ast.expr, body: list[ast.stmt]) -> ast.stmt:
    return ast.For(ast.Name(target, ast.Store()), source, body or [ast.Pass()], [])


def leave() -> ast.stmt:
    return ast.Break()


def give(value: ast.expr) -> ast.stmt:
    return ast.Return(value)


def function(title: str, args: list[str], body: list[ast.stmt]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.arg(arg) for arg in args], None, [], [], None, [])
    return ast.FunctionDef(title, arguments, body, [])
