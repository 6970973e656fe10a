"""Operators: plain Python where both sides are known to be simple, a call to the operator's function elsewhere."""

from __future__ import annotations

import ast

from gateway.fhirpath import operators
from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.forms import Forms
from gateway.fhirpath.codegen.writer import NOTHING, Form, Value


def unary(writer: Forms, op: str, value: Value) -> Value:
    if op == "-" and isinstance(value.code, ast.Constant) and type(value.code.value) is int:
        return Value(py.const(-value.code.value), Form.SYS, "Integer", known=True)
    code = py.call("negative" if op == "-" else "positive", writer.system(value))
    return Value(writer.let(code), Form.SYS, value.type if value.form is Form.SYS else None)


def binary(writer: Forms, op: str, left: Value, right: Value) -> Value:
    if op == "|":
        return _union(writer, left, right)
    if op in operators.EQUALITY:
        return _equality(writer, op, left, right)
    if op in operators.EQUIVALENCE:
        code = py.call(f"op_{op}", writer.boxes(left), writer.boxes(right))
        return Value(writer.let(code), Form.SYS, "Boolean", known=True)
    if op in ("in", "contains"):
        item, container = (left, right) if op == "in" else (right, left)
        code = py.call("member", writer.box(item), writer.boxes(container))
        return Value(writer.let(code), Form.SYS, "Boolean")
    if op in operators.LOGIC:
        code = py.call(f"op_{op}", writer.boolean(left), writer.boolean(right))
        return Value(writer.let(code), Form.SYS, "Boolean")
    if op in operators.ORDERING:
        code = py.call(f"op_{op}", writer.system(left), writer.system(right))
        return Value(writer.let(code), Form.SYS, "Boolean")
    return _arithmetic(writer, op, left, right)


def _arithmetic(writer: Forms, op: str, left: Value, right: Value) -> Value:
    if op == "+" and left.plain == right.plain == "String" and not left.many and not right.many:
        a, b = writer.simple(left.code), writer.simple(right.code)
        return writer.unless_none([left, right], py.call("concatenated", a, b), [a, b], "String")
    a, b = writer.system(left), writer.system(right)
    if op == "&":
        return Value(writer.let(py.call("op_&", a, b)), Form.SYS, "String", known=True)
    return Value(writer.let(py.call(f"op_{op}", a, b)), Form.SYS)


def _union(writer: Forms, left: Value, right: Value) -> Value:
    if left.nothing or right.nothing:
        other = right if left.nothing else left
        if not other.many:
            return other
        left, right = other, NOTHING
    kind = writer.alike(left, right)
    if kind is None or kind[0] in (Form.ANY, Form.NODE) or (kind[0] is Form.SYS and left.plain is None):
        both = py.plus(writer.boxes(left), writer.boxes(right))
        return Value(writer.let(py.call("distinct", both)), Form.ANY, many=True)
    both = py.plus(writer.items(left).code, writer.items(right).code)
    return Value(writer.let(py.call("distinct_raw", both)), kind[0], kind[1], many=True)


def _equality(writer: Forms, op: str, left: Value, right: Value) -> Value:
    if left.nothing or right.nothing:
        return NOTHING
    if left.plain is not None and left.plain == right.plain and not left.many and not right.many:
        a, b = writer.simple(left.code), writer.simple(right.code)
        return writer.unless_none([left, right], (py.equal if op == "=" else py.unequal)(a, b), [a, b], "Boolean")
    code = py.call(f"op_{op}", writer.boxes(left), writer.boxes(right))
    return Value(writer.let(code), Form.SYS, "Boolean")
