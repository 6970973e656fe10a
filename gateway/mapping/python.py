"""Python code as trees: the few forms that compiled maps are made of.

Names that begin with `_` are the engine's; `_R` is the run.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

LOAD, STORE = ast.Load(), ast.Store()

Place = Mapping[str, int]
"""Where a node of a tree stands: its attributes."""


def name(text: str) -> ast.Name:
    return ast.Name(text, LOAD)


def let(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(variable, STORE)], value)


def const(value: Any) -> ast.Constant:
    return ast.Constant(value)


def call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(name(function), list(arguments), [])


def method(owner: ast.expr, attribute_name: str, *arguments: ast.expr) -> ast.Call:
    """`owner.attribute_name(arguments)`"""
    return ast.Call(ast.Attribute(owner, attribute_name, LOAD), list(arguments), [])


def is_none(variable: str) -> ast.expr:
    return ast.Compare(name(variable), [ast.Is()], [const(None)])


def not_none(variable: str) -> ast.expr:
    return ast.Compare(name(variable), [ast.IsNot()], [const(None)])


def put(owner: ast.expr, key: ast.expr, value: ast.expr) -> ast.stmt:
    """`owner[key] = value`"""
    return ast.Assign([ast.Subscript(owner, key, STORE)], value)


def item(owner: ast.expr, key: ast.expr) -> ast.expr:
    """`owner[key]`"""
    return ast.Subscript(owner, key, LOAD)


def attribute(owner: str, attribute_name: str) -> ast.expr:
    return ast.Attribute(name(owner), attribute_name, LOAD)


def tuple_of(*parts: ast.expr) -> ast.expr:
    return ast.Tuple(list(parts), LOAD)


def literal(value: Any) -> ast.expr:
    """A value of JSON, made anew each time."""
    match value:
        case dict():
            return ast.Dict([const(key) for key in value], [literal(item) for item in value.values()])
        case list():
            return ast.List([literal(item) for item in value], LOAD)
    return const(value)


def effect(value: ast.expr) -> ast.stmt:
    return ast.Expr(value)


def when(condition: ast.expr, body: list[ast.stmt]) -> ast.stmt:
    return ast.If(condition, body, [])


def comprehension(element: ast.expr, *clauses: ast.comprehension) -> ast.expr:
    return ast.ListComp(element, list(clauses))


def clause(variable: str, items: ast.expr, *conditions: ast.expr) -> ast.comprehension:
    """`for variable in items if conditions`"""
    return ast.comprehension(ast.Name(variable, STORE), items, list(conditions), 0)


def stand(nodes: Sequence[ast.AST], place: Place) -> None:
    """Say of these nodes, and of all below them that have none yet, that this is their place."""
    ahead = list(nodes)
    while ahead:
        parts = ahead.pop().__dict__
        if "lineno" in parts:
            continue
        for part in parts.values():
            if part.__class__ is list:
                ahead += part
            elif isinstance(part, _LOCATED):
                ahead.append(part)
        parts.update(place)


_LOCATED = (ast.expr, ast.arg, ast.arguments)
