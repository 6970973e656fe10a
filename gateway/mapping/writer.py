"""Values of a rule as Python: variables, constants, expressions, transforms. `emit` puts them into statements."""

from __future__ import annotations

import ast
from typing import Any

from gateway.mapping import ir, runtime
from gateway.mapping import python as py
from gateway.mapping.primitives import as_text
from gateway.mapping.quick import Shortcut
from gateway.mapping.syntax import Span, Text
from gateway.mapping.transforms import FIXED, TRANSFORMS


class Writer:
    """Code for one map file: `space` are the globals it runs among; statements stand where the map's text does.

    `nodes` are the variables of the routine at hand that can hold nodes of the source only.
    """

    def __init__(self, text: Text, space: dict[str, Any], *, traced: bool) -> None:
        self.text = text
        self.space = space
        self.traced = traced
        self.nodes: set[str] = set()
        self.temporaries = 0
        self._places: dict[Span, py.Place] = {}

    def placed(self, statements: list[ast.stmt], span: Span) -> list[ast.stmt]:
        """The statements, said to stand where the map's text is; those that have a place keep it."""
        place = self._places.get(span)
        if place is None:
            line, start = self._column(span.start)
            end_line, end = self._column(max(span.end, span.start + 1))
            place = {"lineno": line, "col_offset": start, "end_lineno": end_line, "end_col_offset": end}
            self._places[span] = place
        py.stand(statements, place)
        return statements

    def _column(self, offset: int) -> tuple[int, int]:
        """Line and, as Python counts, bytes before the offset on it."""
        line, column = self.text.place(offset)
        return line, len(self.text.content[offset - column + 1 : offset].encode())

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
        short = self.shortcut(read, focus, site).condition(read.path)
        return short or py.call("_test", *self.asked(read, focus), py.const(site))

    def results(self, read: ir.Read, focus: str | None, site: int) -> ast.expr:
        """All values of an expression."""
        short = self.shortcut(read, focus, site).values(read.path)
        return short or py.call("_values", *self.asked(read, focus), py.const(site))

    def shortcut(self, read: ir.Read, focus: str | None, site: int) -> Shortcut:
        told = py.tuple_of(py.name("_R"), py.const(site), py.name(focus) if focus else py.const(None))
        return Shortcut(dict(read.variables), focus, told, self.nodes)

    def asked(self, read: ir.Read, focus: str | None) -> list[ast.expr]:
        """Run, expression, focus and variables: what every evaluation is given."""
        bound = [py.tuple_of(py.const(name), py.name(code)) for name, code in read.variables]
        return [
            py.name("_R"),
            self.kept(read.path),
            py.name(focus) if focus else py.const(None),
            py.tuple_of(*bound),
        ]

    def value(self, value: ir.Value, site: int, last: str) -> ast.expr:
        at = py.name(last) if last else py.const(None)
        match value:
            case ir.Variable(name):
                return py.name(name)
            case ir.Constant(constant):
                return self.kept(constant) if not isinstance(constant, str | int | bool | None) else py.const(constant)
            case ir.Read():
                short = self.shortcut(value, last, site).value(value.path)
                return short or py.call("_one", py.name("_R"), self.results(value, last, site), py.const(site), at)
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
                return self.transform(name, arguments, site, last)
            case ir.Make(type_name, resource):
                return py.literal({"resourceType": type_name} if resource else {})
        raise AssertionError(value)

    def transform(self, name: str, arguments: tuple[ir.Value, ...], site: int, last: str) -> ast.expr:
        """A transform: worked out here where all is constant, bound to its constants where one argument is not."""
        definition, at = TRANSFORMS[name], py.name(last) if last else py.const(None)
        constants = [argument.value for argument in arguments if isinstance(argument, ir.Constant)]
        if name in FIXED and len(constants) == len(arguments) and all(constants):
            return py.literal(definition.make(None, *map(as_text, constants)))
        others = [index for index, argument in enumerate(arguments) if not isinstance(argument, ir.Constant)]
        if len(others) == 1:
            bound = self.kept(runtime.bound(definition, constants, others[0]))
            given = self.value(arguments[others[0]], site, last)
            return ast.Call(bound, [py.name("_R"), given, py.const(site), at], [])
        values = [self.value(argument, site, last) for argument in arguments]
        return py.call("_transform", py.name("_R"), self.kept(definition), py.const(site), at, *values)

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
