"""Python code as trees: the few forms that compiled maps are made of.

Names that begin with `_` are the engine's; `_R` is the run.
"""

from __future__ import annotations

import ast
from typing import Any


def name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def let(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(variable, ast.Store())], value)


def const(value: Any) -> ast.Constant:
    return ast.Constant(value)


def call(function: str, *arguments: ast.expr, **named: ast.expr) -> ast.Call:
    return ast.Call(name(function), list(arguments), [ast.keyword(key, value) for key, value in named.items()])


def on_run(method: str, *arguments: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Attribute(name("_R"), method, ast.Load()), list(arguments), []))


def not_none(variable: str) -> ast.expr:
    return ast.Compare(name(variable), [ast.IsNot()], [const(None)])


def put(owner: ast.expr, key: ast.expr, value: ast.expr) -> ast.stmt:
    """`owner[key] = value`"""
    return ast.Assign([ast.Subscript(owner, key, ast.Store())], value)


def item(owner: ast.expr, key: ast.expr) -> ast.expr:
    """`owner[key]`"""
    return ast.Subscript(owner, key, ast.Load())


def attribute(owner: str, attribute_name: str) -> ast.expr:
    return ast.Attribute(name(owner), attribute_name, ast.Load())


def tuple_of(*parts: ast.expr) -> ast.expr:
    return ast.Tuple(list(parts), ast.Load())


def effect(value: ast.expr) -> ast.stmt:
    return ast.Expr(value)


def when(condition: ast.expr, body: list[ast.stmt]) -> ast.stmt:
    return ast.If(condition, body, [])
