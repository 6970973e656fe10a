"""Bringing a value into the form that its user needs: a list, one item, a system value, a truth, a box."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.writer import NOTHING, Form, Value, Writer


class Forms(Writer):
    """A writer that knows the four forms."""

    def boxes(self, value: Value) -> ast.expr:
        """The value as a list of items that know their type."""
        if value.nothing:
            return py.items()
        if value.form is Form.RAW:
            assert value.type is not None
            self.lossy = self.lossy or self.model.is_primitive(value.type)
            if value.many:
                return py.call("box_all", value.code, py.const(value.type))
            code = self.let(value.code)
            box = py.items(py.call("Element", code, py.const(value.type)))
            return box if value.known else py.choose(py.is_none(code), py.items(), box)
        if value.many:
            return value.code
        code = self.let(value.code)
        return py.items(code) if value.known else py.choose(py.is_none(code), py.items(), py.items(code))

    def box(self, value: Value) -> ast.expr:
        """A single item as one that knows its type, or None."""
        if value.many:
            return py.call("one", self.boxes(value))
        if value.form is not Form.RAW or value.nothing:
            return value.code
        assert value.type is not None
        self.lossy = self.lossy or self.model.is_primitive(value.type)
        code = self.let(value.code)
        box = py.call("Element", code, py.const(value.type))
        return box if value.known else py.choose(py.is_none(code), py.NONE, box)

    def single(self, value: Value) -> Value:
        """The value as one item; at run time more than one is an error."""
        if not value.many:
            return value
        return replace(value, code=self.let(py.call("one", value.code)), many=False, known=False)

    def system(self, value: Value) -> ast.expr:
        """The value as one system value, or None."""
        value = self.single(value)
        if value.form is Form.SYS or value.plain is not None:
            return value.code
        if value.form is Form.RAW:
            assert value.type is not None
            if self.model.is_primitive(value.type):
                code = self.let(value.code)
                converted = py.call("from_fhir", code, py.const(value.type))
                return converted if value.known else py.choose(py.is_none(code), py.NONE, converted)
            return py.call("system", self.box(value))
        return py.call("system", value.code)

    def boolean(self, value: Value) -> ast.expr:
        """The value as True, False or None."""
        if value.many:
            return py.call("truth_of", self.boxes(value))
        return value.code if value.plain == "Boolean" else py.call("truth", self.box(value))

    def items(self, value: Value) -> Value:
        """The same as a list, in its own form."""
        if value.many:
            return value
        if value.nothing:
            return replace(value, code=py.items(), many=True)
        code = self.let(value.code)
        listed = py.items(code) if value.known else py.choose(py.is_none(code), py.items(), py.items(code))
        return replace(value, code=listed, many=True, known=False)

    def alike(self, *parts: Value) -> tuple[Form, str | None] | None:
        """The form and type that all parts share, or None."""
        kinds = {(part.form, part.type) for part in parts if not part.nothing}
        return kinds.pop() if len(kinds) == 1 else None

    def visit(self, value: Value, body: Callable[[Value], None]) -> None:
        if value.nothing:
            return
        if value.many:
            self.loop(value.code, lambda item: body(replace(value, code=item, many=False, known=True)))
            return
        code = self.let(value.code)
        known = replace(value, code=code, known=True)
        if value.known:
            body(known)
        else:
            self.when(py.is_some(code), lambda: body(known))

    def collect(self, visit: Callable[[Callable[[Value], None]], None]) -> Value:
        """What a visit passes by, as one item where there is at most one and else as a list."""
        target = self.variable("r")
        seen: list[tuple[Value, bool]] = []
        depth = self.loops
        block: list[ast.stmt] = []

        def keep(item: Value) -> None:
            many = self.loops > depth
            seen.append((item, many))
            if many:
                self.add(py.effect(py.method(py.name(target), "append", item.code)))
            else:
                self.add(py.assign(target, item.code))

        with self.into(block), self.stopping(None):
            visit(keep)
        if not seen:
            return NOTHING
        item, many = seen[0]
        if not many and len(block) == 1 and isinstance(block[0], ast.Assign):
            # Nothing but the item itself, and under no condition: no copy is needed.
            return item
        self.add(py.assign(target, py.items() if many else py.NONE))
        self.block.extend(block)
        return replace(item, code=py.name(target), many=many, known=False)

    def unless_none(self, inputs: list[Value], answer: ast.expr, codes: list[ast.expr], type: str | None) -> Value:
        """A single system value that is empty where one of its inputs is."""
        doubtful = [code for value, code in zip(inputs, codes, strict=True) if not value.known]
        if doubtful:
            answer = py.choose(py.either(*(py.is_none(code) for code in doubtful)), py.NONE, answer)
        return Value(self.let(answer), Form.SYS, type, known=not doubtful)

    def simple(self, code: ast.expr) -> ast.expr:
        return code if isinstance(code, ast.Constant) else self.let(code)

    def without_meta(self, value: Value) -> bool:
        if value.form is Form.RAW and value.type is not None:
            return self.model.is_primitive(value.type)
        return self.lossy
