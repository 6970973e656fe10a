"""Writing Python: statements into blocks, each with its place in the expression, and what a piece of code gives."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.errors import Problem
from gateway.fhirpath.model import PRIMITIVES, Model
from gateway.fhirpath.syntax import Syntax


class Form(Enum):
    RAW = "JSON values, all of one known FHIR type"
    SYS = "system values"
    ANY = "items that know their type: Element, node, system value"
    NODE = "nodes of a source tree"


@dataclass(frozen=True, slots=True)
class Value:
    """A piece of code and what it gives: with `many` a list, else one item or None (`known`: never None)."""

    code: ast.expr
    form: Form
    type: str | None = None
    """RAW: the FHIR type. SYS: the System type where it is known."""
    many: bool = False
    known: bool = False
    nothing: bool = False
    """Certainly empty."""

    @property
    def plain(self) -> str | None:
        """The System type of items whose Python value is the system value."""
        if self.form is Form.SYS:
            return self.type if self.type in ("Boolean", "String", "Integer") else None
        if self.form is Form.RAW and self.type is not None and self.type[0].islower():  # Primitives are, no others.
            kind = PRIMITIVES.get(self.type, "String")
            return kind if kind in ("Boolean", "String", "Integer") else None
        return None


NOTHING = Value(py.NONE, Form.SYS, nothing=True)


@dataclass(frozen=True, slots=True)
class Scope:
    """What `$this`, `$index` and `$total` are."""

    this: Value
    index: Value | None = None
    total: Value | None = None


_MAX_LOOPS = 16


class Writer:
    """The Python code of one expression, growing."""

    def __init__(
        self, model: Model, source: str, *, boxed: bool, checked: bool, strict: bool, names: frozenset[str]
    ) -> None:
        self.model = model
        self.source = source
        self.boxed = boxed
        self.checked = checked
        """Whether an element that the type does not have is a mistake; else it is not there."""
        self.strict = strict
        self.names = names
        self.problems: list[Problem] = []
        self.constants: dict[str, Any] = {}
        self.block: list[ast.stmt] = []
        self.count = 0
        self.loops = 0
        self.stop: tuple[str, int] | None = None
        """The variable that, once set, ends the loops of the current pipe, and the depth where the pipe began."""
        self.uses_run = False
        self.lossy = False
        """A primitive was boxed without its `_name` object."""
        self.needs_boxes = False
        self.here: Syntax | None = None
        self.defined: dict[str, Value] = {}
        """What `defineVariable()` has named, where the code stands."""
        self.counted = False
        """Whether each turn of a loop counts towards the most that an evaluation may take."""

    # --- writing Python

    def variable(self, hint: str = "v") -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def add(self, statement: ast.stmt) -> None:
        if self.here is not None:
            self.locate(statement)
        self.block.append(statement)

    def locate(self, part: ast.AST) -> None:
        """Give a new piece of code the place in the expression that it comes from."""
        assert self.here is not None
        at = self.here.at
        line = self.source.count("\n", 0, at) + 1
        column = at - (self.source.rfind("\n", 0, at) + 1)
        fresh = [part]
        while fresh:
            part = fresh.pop()
            if isinstance(part, ast.expr | ast.stmt | ast.arg):
                if hasattr(part, "lineno"):
                    continue
                part.lineno = part.end_lineno = line
                part.col_offset, part.end_col_offset = column, column + 1
            fresh.extend(ast.iter_child_nodes(part))

    def let(self, code: ast.expr, hint: str = "v") -> ast.Name:
        if isinstance(code, ast.Name):
            return code
        target = self.variable(hint)
        self.add(py.assign(target, code))
        return py.name(target)

    def constant(self, value: Any) -> ast.expr:
        if value is None or isinstance(value, bool | str | int):
            return py.const(value)
        title = f"k{len(self.constants)}"
        self.constants[title] = value
        return py.name(title)

    def run(self) -> ast.expr:
        self.uses_run = True
        return py.name("run")

    @contextmanager
    def into(self, block: list[ast.stmt]) -> Iterator[None]:
        before, self.block = self.block, block
        try:
            yield
        finally:
            self.block = before

    @contextmanager
    def at(self, node: Syntax) -> Iterator[None]:
        before, self.here = self.here, node
        try:
            yield
        finally:
            self.here = before

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Variables that are defined inside are not known outside."""
        before, self.defined = self.defined, dict(self.defined)
        try:
            yield
        finally:
            self.defined = before

    @contextmanager
    def stopping(self, variable: str | None) -> Iterator[None]:
        before = self.stop
        self.stop = None if variable is None else (variable, self.loops)
        try:
            yield
        finally:
            self.stop = before

    def when(self, test: ast.expr, body: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        yes: list[ast.stmt] = []
        no: list[ast.stmt] = []
        with self.into(yes):
            body()
        if otherwise is not None:
            with self.into(no):
                otherwise()
        if yes or no:
            self.add(py.when(test, yes, no))

    def loop(self, source: ast.expr, body: Callable[[ast.Name], None]) -> None:
        if self.loops >= _MAX_LOOPS:
            self.problem("The expression has too many criteria within one another.")
            return
        target = self.variable("i")
        inner: list[ast.stmt] = []
        self.loops += 1
        with self.into(inner):
            if self.counted:
                self.add(py.effect(py.method(self.run(), "tick")))
            body(py.name(target))
        self.loops -= 1
        self.add(py.loop(target, source, inner))
        if self.stop is not None and self.loops > self.stop[1]:
            self.add(py.when(py.name(self.stop[0]), [py.leave()]))

    def problem(self, text: str, hint: str = "") -> None:
        self.problems.append(Problem(text, 0 if self.here is None else self.here.at, hint))
