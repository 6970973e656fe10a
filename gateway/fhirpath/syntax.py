"""The syntax tree of a FHIRPath expression; `at` is the offset of the token that a problem would point to.

https://hl7.org/fhirpath/N1/#expressions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written out; `{}` is the literal None."""

    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """An element by name, of `target` or, without one, of `$this`."""

    target: Syntax | None
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function, on `target` or, without one, on `$this`."""

    target: Syntax | None
    name: str
    args: tuple[Syntax, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Special:
    """`$this`, `$index` or `$total`."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`: a value of the environment."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Indexer:
    target: Syntax
    index: Syntax
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    operand: Syntax
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Syntax
    right: Syntax
    at: int


@dataclass(frozen=True, slots=True)
class TypeOperation:
    """`is` and `as` with a type specifier such as `Patient`, `FHIR.Patient`, `System.String`."""

    op: str
    operand: Syntax
    type: str
    at: int


Syntax = Literal | Member | Call | Special | Variable | Indexer | Unary | Binary | TypeOperation


def children(node: Syntax) -> Iterator[Syntax]:
    match node:
        case Member(target=target) if target is not None:
            yield target
        case Call(target=target, args=args):
            if target is not None:
                yield target
            yield from args
        case Indexer(target=target, index=index):
            yield target
            yield index
        case Unary(operand=operand) | TypeOperation(operand=operand):
            yield operand
        case Binary(left=left, right=right):
            yield left
            yield right
        case _:
            return


def walk(node: Syntax) -> Iterator[Syntax]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(list(children(found))))


CRITERIA = frozenset({"where", "select", "all", "exists", "repeat", "aggregate", "sort", "trace", "iif"})
"""Functions whose arguments are evaluated anew for each item."""
_FAR = frozenset({"resolve", "descendants", "repeat", "children", "combine", "union", "split", "toChars"})


def may_multiply(node: Syntax, within: int = 0) -> bool:
    """Whether evaluating may take more turns than the input has parts: criteria within one another, or one that looks
    beyond its item.
    """
    if isinstance(node, Call):
        if within and node.name in _FAR:
            return True
        if node.target is not None and may_multiply(node.target, within):
            return True
        deeper = within + (node.name in CRITERIA and bool(node.args))
        return deeper > 1 or any(may_multiply(arg, deeper) for arg in node.args)
    if within and isinstance(node, Variable):
        return True
    return any(may_multiply(child, within) for child in children(node))


def specifier(node: Syntax) -> str | None:
    """A type specifier written as an expression (`ofType(FHIR.Patient)`), or None when it is not one."""
    match node:
        case Member(target=None, name=name):
            return name
        case Member(target=Member(target=None, name=namespace), name=name):
            return f"{namespace}.{name}"
        case _:
            return None
