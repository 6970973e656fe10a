"""From the syntax tree to a Python function: loops over JSON where the types are known, calls where they are not.

Every expression can be asked for in three ways: `each` writes the code that visits its items one by one (navigation and
filters become nested loops, nothing is collected on the way), `value` collects them, `test` gives a condition. An item
stands in one of four forms, see `Form`. The fast form is plain JSON with a type that is known when compiling; whatever
leaves that path is boxed and goes on in calls to `values`, `navigate` and `functions`, which know everything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from gateway.fhirpath.codegen import calls, elsewhere, operations
from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.paths import Paths
from gateway.fhirpath.codegen.writer import NOTHING, Form, Scope, Value
from gateway.fhirpath.syntax import (
    Binary,
    Call,
    Indexer,
    Literal,
    Member,
    Special,
    Syntax,
    TypeOperation,
    Unary,
    Variable,
)
from gateway.fhirpath.values import SYSTEM

_LONG_CHAIN = 8


class Compiler(Paths):
    """Compiles one expression for one kind of focus."""

    def each(self, node: Syntax, scope: Scope, body: Callable[[Value], None]) -> None:
        """Visit the items of a node one by one."""
        with self.at(node):
            match node:
                case Member(target=None):
                    self._first_member(node, scope, body)
                case Member(target=target) if target is not None:
                    self.visit_target(
                        target, scope, lambda item: self._at(node, lambda: self.step(item, node.name, body))
                    )
                case Call(name=name) if name in calls.PIPES:
                    calls.PIPES[name](self, node, scope, body)
                case TypeOperation(op="as"):
                    self.as_type(node.operand, node.type, scope, body)
                case Special(name="this"):
                    self.visit(scope.this, body)
                case _:
                    self.visit(self.value(node, scope), body)

    def _at(self, node: Syntax, write: Callable[[], None]) -> None:
        with self.at(node):
            write()

    def visit_target(self, target: Syntax | None, scope: Scope, body: Callable[[Value], None]) -> None:
        """Visit what a member or a function is applied to."""
        if target is None:
            self.visit(scope.this, body)
        elif _chain(target) and _chain(target) % _LONG_CHAIN == 0:
            # Python allows 20 loops within one another: a long path is collected once in a while.
            self.visit(self.value(target, scope), body)
        else:
            self.each(target, scope, body)

    def value(self, node: Syntax, scope: Scope) -> Value:
        """Collect the items of a node."""
        with self.at(node):
            match node:
                case Literal(value=None):
                    return NOTHING
                case Literal(value=value):
                    return Value(self.constant(value), Form.SYS, SYSTEM[type(value)], known=True)
                case Special(name="this"):
                    return scope.this
                case Special(name=name):
                    return self._special(name, scope)
                case Variable(name=name):
                    return self._environment(name)
                case Indexer():
                    return self._indexed(node, scope)
                case Unary(op=op, operand=operand):
                    return operations.unary(self, op, self.operand(operand, scope))
                case Binary(op=op, left=left, right=right):
                    return operations.binary(self, op, self.operand(left, scope), self.operand(right, scope))
                case TypeOperation(op="is"):
                    return self.is_type(node.operand, node.type, scope)
                case Call(name=name) if name in calls.WHOLES:
                    return calls.WHOLES[name](self, node, scope)
                case Call(name=name) if name not in calls.PIPES:
                    return calls.function(self, node, scope)
                case _:
                    return self.collect(lambda body: self.each(node, scope, body))

    def operand(self, node: Syntax, scope: Scope) -> Value:
        """Of an operator, or an argument of a function: what it defines is its own."""
        with self.inside():
            return self.value(node, scope)

    def test(self, node: Syntax, scope: Scope) -> ast.expr:
        """A condition that holds when the node is true; empty counts as false."""
        with self.at(node), self.stopping(None), self.inside():
            if isinstance(node, Binary) and node.op in ("and", "or"):
                return self._short_cut(node, scope)
            value = self.value(node, scope)
            if value.nothing:
                return py.FALSE
            code = self.boolean(value)
            if value.plain == "Boolean" and value.form is Form.SYS and not value.many:
                return code
            return py.same(code, py.TRUE)

    def _short_cut(self, node: Binary, scope: Scope) -> ast.expr:
        left = self.test(node.left, scope)
        block: list[ast.stmt] = []
        with self.into(block):
            right = self.test(node.right, scope)
        join = py.both if node.op == "and" else py.either
        if not block:
            return join(left, right)
        target = self.variable("c")
        self.add(py.assign(target, left))
        block.append(py.assign(target, right))
        self.add(py.when(py.name(target) if node.op == "and" else py.negated(py.name(target)), block))
        return py.name(target)

    # --- paths and types

    def _first_member(self, node: Member, scope: Scope, body: Callable[[Value], None]) -> None:
        this = scope.this
        if node.name in self.names:
            self.visit(self._environment(node.name), body)
        elif this.form is Form.RAW and this.type is not None and not self.model.fields(this.type).get(node.name):
            if node.name in self.model.types and not self.model.is_primitive(node.name):
                if self.model.is_a(this.type, node.name):
                    self.visit(this, body)
                elif self.strict:
                    self.problem(f"This is a {this.type}, not a {node.name}.")
            else:
                self.visit(this, lambda item: self.step(item, node.name, body))
        elif this.form is Form.ANY and node.name in self.model.types:
            arguments = (py.const(node.name), py.name("M"))
            self.visit(
                this,
                lambda item: self.loop(
                    py.call("start", item.code, *arguments),
                    lambda found: body(Value(found, Form.ANY, known=True)),
                ),
            )
        else:
            self.visit(this, lambda item: self.step(item, node.name, body))

    def as_type(self, operand: Syntax | None, name: str, scope: Scope, body: Callable[[Value], None]) -> None:
        type = self.named_type(name)
        if type is None:
            return
        if isinstance(operand, Member) and not self.boxed:
            target = operand
            # `value as Quantity`: of a choice only the one key is looked at.
            self._visit_base(
                target, scope, lambda item: self.chosen(item, target, type, body, lambda v: self.only(v, type, body))
            )
        else:
            self.visit_target(operand, scope, lambda item: self.only(item, type, body))

    def _visit_base(self, member: Member, scope: Scope, body: Callable[[Value], None]) -> None:
        if member.target is None and (
            member.name in self.names
            or scope.this.form is not Form.RAW
            or member.name not in self.model.fields(scope.this.type or "")
        ):
            self.each(member, scope, lambda item: body(replace(item, nothing=True)))
        else:
            self.visit_target(member.target, scope, body)

    def is_type(self, operand: Syntax | None, name: str, scope: Scope) -> Value:
        type = self.named_type(name)
        if type is None:
            return NOTHING
        if isinstance(operand, Call) and operand.name == "resolve" and not operand.args:
            return self._refers_to(operand.target, type, scope)
        value = self.single(scope.this if operand is None else self.value(operand, scope))
        if value.nothing:
            return NOTHING
        if value.form is Form.RAW and value.type is not None:
            answer: ast.expr = py.const(self.model.is_a(value.type, type))
        elif value.form is Form.SYS and value.type is not None:
            answer = py.const(type == f"System.{value.type}")
        else:
            code = self.let(value.code)
            answer = py.call("is_type", code, py.const(type), py.name("M"))
            return self.unless_none([value], answer, [code], "Boolean")
        return self.unless_none([value], answer, [value.code], "Boolean")

    def _refers_to(self, target: Syntax | None, type: str, scope: Scope) -> Value:
        value = self.single(scope.this if target is None else self.value(target, scope))
        if value.nothing:
            return NOTHING
        code = self.let(value.code)
        answer = py.call("refers_to", code, py.const(type), self.run())
        return self.unless_none([value], answer, [code], "Boolean")

    def _special(self, name: str, scope: Scope) -> Value:
        found = scope.index if name == "index" else scope.total
        if found is None:
            self.problem(f"${name} has no meaning here.")
            return NOTHING
        return found

    def _environment(self, name: str) -> Value:
        if name in self.defined:
            return self.defined[name]
        if name in elsewhere.VARIABLES and name not in self.names:
            self.problem(f"There is no variable %{name}.", elsewhere.VARIABLES[name])
            return NOTHING
        return Value(self.let(py.call("variable", self.run(), py.const(name))), Form.ANY, many=True)

    def _indexed(self, node: Indexer, scope: Scope) -> Value:
        value = self.value(node.target, scope)
        index = self.system(self.value(node.index, scope))
        if value.nothing:
            return NOTHING
        value = self.items(value)
        found = self.let(py.call("at_index", value.code, index))
        return replace(value, code=self.let(py.choose(found, py.item(found, 0), py.NONE)), many=False)

    # --- functions

    def input(self, node: Call, scope: Scope) -> Value:
        return scope.this if node.target is None else self.value(node.target, scope)

    def arity(self, node: Call, least: int, most: int) -> bool:
        if least <= len(node.args) <= most:
            return True
        wanted = str(least) if least == most else f"{least} to {most}"
        self.problem(f"{node.name}() takes {wanted} arguments, {len(node.args)} are given.")
        return False

    def closure(self, node: Syntax, scope: Scope) -> ast.expr:
        """An argument that is evaluated for items, as a function from item and index to a list."""
        title, item, index = self.variable("f"), self.variable("i"), self.variable("n")
        block: list[ast.stmt] = []
        loops, self.loops = self.loops, 0
        inner = replace(
            scope,
            this=Value(py.name(item), Form.ANY, known=True),
            index=Value(py.name(index), Form.SYS, "Integer", known=True),
        )
        with self.into(block), self.stopping(None), self.inside():
            if self.counted:
                self.add(py.effect(py.method(self.run(), "tick")))
            result = self.boxes(self.value(node, inner))
            self.add(py.give(result))
        self.loops = loops
        self.add(py.function(title, [item, index], block))
        return py.name(title)


def _chain(node: Syntax | None) -> int:
    """How many steps lie behind one another."""
    length = 0
    while node is not None and not isinstance(node, Literal | Special | Variable):
        length += 1
        node = getattr(node, "target", None)
    return length
