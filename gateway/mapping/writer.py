"""Values of a rule as Python: variables, constants, expressions, transforms. `emit` puts them into statements."""

from __future__ import annotations

import ast
from typing import Any

from gateway.mapping import ir
from gateway.mapping import python as py
from gateway.mapping.quick import Shortcut
from gateway.mapping.syntax import Span, Text
from gateway.mapping.transforms import TRANSFORMS


class Writer:
    """Code for one map file: `space` are the globals it runs among; statements stand where the map's text does."""

    def __init__(self, text: Text, space: dict[str, Any], *, traced: bool) -> None:
        self.text = text
        self.space = space
        self.traced = traced
        self.temporaries = 0

    def placed(self, statements: list[ast.stmt], span: Span) -> list[ast.stmt]:
        """The statements, said to stand where the map's text is; those that have a place keep it."""
        line, column = self.text.place(span.start)
        end_line, end_column = self.text.place(max(span.end, span.start + 1))
        start_byte = len(self.text.line(line)[: column - 1].encode())
        end_byte = len(self.text.line(end_line)[: end_column - 1].encode())
        for statement in statements:
            if not hasattr(statement, "lineno"):
                statement.lineno, statement.col_offset = line, start_byte
                statement.end_lineno, statement.end_col_offset = end_line, end_byte
        return statements

    def kept(self, value: Any) -> ast.expr:
        """A value of ours as a global of the generated code."""
        name = f"_k{len(self.space)}"
        self.space[name] = value
        return py.name(name)

    def temporary(self) -> str:
        self.temporaries += 1
        return f"_t{self.temporaries}"

    def condition(self, read: ir.Read, focus: str, site: int) -> ast.expr:
        """Whether an expression is true of the focus."""
        short = Shortcut(dict(read.variables), focus, self.told(focus, site)).condition(read.path)
        return short or py.call("_test", *self.asked(read, focus), py.const(site))

    def results(self, read: ir.Read, focus: str | None, site: int) -> ast.expr:
        """All values of an expression."""
        short = Shortcut(dict(read.variables), focus, self.told(focus, site)).values(read.path)
        return short or py.call("_values", *self.asked(read, focus), py.const(site))

    @staticmethod
    def told(focus: str | None, site: int) -> ast.expr:
        at = py.name(focus) if focus else py.const(None)
        return ast.Tuple([py.name("_R"), py.const(site), at], ast.Load())

    def asked(self, read: ir.Read, focus: str | None) -> list[ast.expr]:
        """Run, expression, focus and variables: what every evaluation is given."""
        bound = [ast.Tuple([py.const(name), py.name(code)], ast.Load()) for name, code in read.variables]
        return [
            py.name("_R"),
            self.kept(read.path),
            py.name(focus) if focus else py.const(None),
            ast.Tuple(list(bound), ast.Load()),
        ]

    def value(self, value: ir.Value, site: int, last: str) -> ast.expr:
        at = py.name(last) if last else py.const(None)
        match value:
            case ir.Variable(name):
                return py.name(name)
            case ir.Constant(constant):
                return self.kept(constant) if not isinstance(constant, str | int | bool | None) else py.const(constant)
            case ir.Read():
                return py.call("_one", py.name("_R"), self.results(value, last, site), py.const(site), at)
            case ir.Translate(argument, table, output):
                given = self.value(argument, site, last)
                return py.call(
                    "_translate", py.name("_R"), self.kept(table), py.const(output), given, py.const(site), at
                )
            case ir.Transform("cast", (argument, ir.Constant(type_name))):
                given = self.value(argument, site, last)
                return py.call("_cast", py.name("_R"), py.const(type_name), py.const(site), at, given)
            case ir.Transform("reference", (argument,)):
                return py.call("_reference", py.name("_R"), self.value(argument, site, last))
            case ir.Transform("uuid"):
                return py.call("_uuid", py.name("_R"), py.const(site))
            case ir.Transform("evaluate", (focus, ir.Read() as read)):
                return py.call("_one", py.name("_R"), self.evaluated(focus, read, site, last), py.const(site), at)
            case ir.Transform(name, arguments):
                values = [self.value(argument, site, last) for argument in arguments]
                return py.call("_transform", py.name("_R"), self.kept(TRANSFORMS[name]), py.const(site), at, *values)
            case ir.Make(type_name, resource):
                made = {"resourceType": type_name} if resource else {}
                return ast.Dict([py.const(k) for k in made], [py.const(v) for v in made.values()])
        raise AssertionError(value)

    def many_values(self, value: ir.Value, site: int, last: str) -> ast.expr | None:
        """For what may give several values: all of them."""
        if isinstance(value, ir.Read):
            return self.results(value, last, site)
        if isinstance(value, ir.Transform) and value.name == "evaluate":
            focus, read = value.arguments
            assert isinstance(read, ir.Read)
            return self.evaluated(focus, read, site, last)
        return None

    def evaluated(self, focus: ir.Value, read: ir.Read, site: int, last: str) -> ast.expr:
        """`evaluate(focus, expression)`."""
        run, path, _, bound = self.asked(read, last)
        return py.call("_values", run, path, self.value(focus, site, last), bound, py.const(site))
