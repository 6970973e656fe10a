"""From the syntax tree to a Python function: loops over JSON where the types are known, calls where they are not.

Every expression can be asked for in three ways: `each` writes the code that visits its items one by one (navigation and
filters become nested loops, nothing is collected on the way), `value` collects them, `test` gives a condition. An item
stands in one of four forms, see `Form`. The fast form is plain JSON with a type that is known when compiling; whatever
leaves that path is boxed and goes on in calls to `values`, `navigate` and `functions`, which know everything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from gateway.fhirpath import navigate, operators, values
from gateway.fhirpath import python as py
from gateway.fhirpath.environment import well_known
from gateway.fhirpath.errors import EvaluationError, Problem
from gateway.fhirpath.functions import FUNCTIONS, Function, Run, collections, tree
from gateway.fhirpath.model import PRIMITIVES, Model
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
    specifier,
    walk,
)
from gateway.fhirpath.values import SYSTEM, Element, Items


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
        if self.form is Form.RAW and self.type is not None:
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


class Extended(Exception):
    """A primitive was met that has an extension and no value: only the boxed code can tell it from nothing."""


def _extended() -> None:
    raise Extended


def _truth_of(items: Items) -> bool | None:
    return values.truth(values.one(items))


def _is_type(item: Any, name: str, model: Model) -> bool:
    """Whether an item is of a type, by namespace and inheritance."""
    namespace, kind = values.type_name(item)
    if name.startswith("System."):
        return namespace == "System" and kind == name[7:]
    if namespace == "FHIR":
        return model.is_a(kind, name)
    return namespace == "Source" and kind.rpartition("}")[2] == name


def _of_type(item: Any, name: str, model: Model) -> bool:
    """As `_is_type`, but a primitive has to be of just that type: a code is a string, `as(string)` does not give it."""
    if type(item) is Element and not isinstance(item.value, dict):
        return item.type == name
    return _is_type(item, name, model)


def _start(item: Any, name: str, model: Model) -> Any:
    """A leading name: an element of the item, or the item's own type."""
    found = navigate.step(item, name, model)
    if not found and type(item) is Element and model.is_a(item.type, name):
        return [item]
    return found


def _variable(run: Run, name: str) -> Items:
    if name in run.env.variables:
        return values.collection(run.env.variables[name])
    if name in ("resource", "rootResource", "context"):
        return [] if run.root is None else [values.element(run.root)]
    constant = well_known(name)
    if constant is None:
        raise EvaluationError(f"There is no variable %{name}.", "The caller passes it in Environment(variables=…).")
    return [constant]


def _resource(value: Any) -> Element:
    return Element(value, value.get("resourceType"))


def _distinct_raw(items: Items) -> Items:
    found: Items = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


RUNTIME: dict[str, Any] = {
    **{f"op_{name}": call for table in (operators.ARITHMETIC, operators.ORDERING) for name, call in table.items()},
    **{f"op_{name}": call for table in (operators.LOGIC, operators.EQUALITY) for name, call in table.items()},
    **{f"op_{name}": call for name, call in operators.EQUIVALENCE.items()},
    **{f"fn_{name}": function.call for name, function in FUNCTIONS.items()},
    "negative": operators.negative,
    "positive": operators.positive,
    "member": operators.member,
    "one": values.one,
    "system": values.system,
    "from_fhir": values.from_fhir,
    "truth": values.truth,
    "truth_of": _truth_of,
    "box_all": values.box_all,
    "Element": Element,
    "distinct": values.distinct,
    "distinct_raw": _distinct_raw,
    "equal": values.equal,
    "step": navigate.step,
    "start": _start,
    "of_field": navigate.of_field,
    "at_index": navigate.at_index,
    "sort": collections.sort,
    "refers_to": tree.refers_to,
    "is_type": _is_type,
    "of_type": _of_type,
    "variable": _variable,
    "resource": _resource,
    "extended": _extended,
    "len": len,
    "list": list,
    "E": (),
}

_MAX_LOOPS = 16
_LONG_CHAIN = 8
_ON_META = frozenset({"extension", "id"})


class Compiler:
    """Compiles one expression for one kind of focus."""

    def __init__(self, model: Model, source: str, *, boxed: bool, strict: bool, names: frozenset[str]) -> None:
        self.model = model
        self.source = source
        self.boxed = boxed
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

    # --- writing Python

    def variable(self, hint: str = "v") -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def add(self, statement: ast.stmt) -> None:
        if self.here is not None:
            self._locate(statement)
        self.block.append(statement)

    def _locate(self, statement: ast.stmt) -> None:
        assert self.here is not None
        at = self.here.at
        line = self.source.count("\n", 0, at) + 1
        column = at - (self.source.rfind("\n", 0, at) + 1)
        for part in ast.walk(statement):
            if isinstance(part, ast.expr | ast.stmt) and not hasattr(part, "lineno"):
                part.lineno = part.end_lineno = line
                part.col_offset, part.end_col_offset = column, column + 1

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
            body(py.name(target))
        self.loops -= 1
        self.add(py.loop(target, source, inner))
        if self.stop is not None and self.loops > self.stop[1]:
            self.add(py.when(py.name(self.stop[0]), [py.leave()]))

    def problem(self, text: str, hint: str = "") -> None:
        self.problems.append(Problem(text, 0 if self.here is None else self.here.at, hint))

    # --- forms

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

    # --- the three ways

    def each(self, node: Syntax, scope: Scope, body: Callable[[Value], None]) -> None:
        """Visit the items of a node one by one."""
        with self.at(node):
            match node:
                case Member(target=None):
                    self._first_member(node, scope, body)
                case Member(target=target) if target is not None:
                    self._visit(target, scope, lambda item: self._at(node, lambda: self.step(item, node.name, body)))
                case Call(name=name) if name in PIPES:
                    PIPES[name](self, node, scope, body)
                case TypeOperation(op="as"):
                    self._as_type(node.operand, node.type, scope, body)
                case Special(name="this"):
                    self.visit(scope.this, body)
                case _:
                    self.visit(self.value(node, scope), body)

    def _at(self, node: Syntax, write: Callable[[], None]) -> None:
        with self.at(node):
            write()

    def _visit(self, target: Syntax | None, scope: Scope, body: Callable[[Value], None]) -> None:
        """Visit what a member or a function is applied to."""
        if target is None:
            self.visit(scope.this, body)
        elif _chain(target) and _chain(target) % _LONG_CHAIN == 0:
            # Python allows 20 loops within one another: a long path is collected once in a while.
            self.visit(self.value(target, scope), body)
        else:
            self.each(target, scope, body)

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
                case Unary():
                    return self._unary(node, scope)
                case Binary():
                    return self._binary(node, scope)
                case TypeOperation(op="is"):
                    return self._is(node.operand, node.type, scope)
                case Call(name=name) if name in WHOLES:
                    return WHOLES[name](self, node, scope)
                case Call(name=name) if name not in PIPES:
                    return self._function(node, scope)
                case _:
                    return self.collect(lambda body: self.each(node, scope, body))

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
        if not many and len(block) == 1:
            # Nothing but the item itself: no copy is needed.
            return item
        self.add(py.assign(target, py.items() if many else py.NONE))
        self.block.extend(block)
        return replace(item, code=py.name(target), many=many, known=False)

    def test(self, node: Syntax, scope: Scope) -> ast.expr:
        """A condition that holds when the node is true; empty counts as false."""
        with self.at(node), self.stopping(None):
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

    # --- paths

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

    def step(self, item: Value, name: str, body: Callable[[Value], None]) -> None:
        """From one item to its children of a name."""
        if item.form is Form.NODE:
            found = py.method(py.attribute(item.code, "kids"), "get", py.const(name), py.name("E"))
            self.loop(found, lambda kid: body(Value(kid, Form.NODE, known=True)))
            return
        if item.form is not Form.RAW:
            self.needs_boxes = self.needs_boxes or (self.lossy and name in _ON_META)
            found = py.call("step", item.code, py.const(name), py.name("M"))
            self.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))
            return
        assert item.type is not None
        if self.model.is_primitive(item.type) and name in _ON_META:
            self.needs_boxes = True
            body(Value(item.code, Form.ANY, known=True))
            return
        field = self.model.fields(item.type).get(name)
        if field is None:
            self.problem(f"{item.type} has no element {name}.", self.model.similar_field(item.type, name))
        elif len(field.keys) > 1:
            found = py.call("of_field", item.code, self.constant(field))
            self.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))
        else:
            self.key(item, *field.keys[0], field.many, body)

    def key(self, item: Value, key: str, type: str, many: bool, body: Callable[[Value], None]) -> None:
        """From a JSON object to the value or values under a key."""
        found = self.let(py.method(item.code, "get", py.const(key)))
        primitive = self.model.is_primitive(type)
        extended = [py.effect(py.call("extended"))]

        def pass_on(code: ast.Name) -> None:
            if self.model.is_abstract(type):
                body(Value(self.let(py.call("resource", code)), Form.ANY, known=True))
            else:
                body(Value(code, Form.RAW, type, known=True))

        def visit_one(code: ast.Name) -> None:
            if primitive:
                self.add(py.when(py.is_none(code), extended))
            pass_on(code)

        def visit_all() -> None:
            if many:
                self.loop(found, visit_one)
            else:
                pass_on(found)

        def look_beside() -> None:
            if primitive:
                self.add(py.when(py.within(py.const("_" + key), item.code), extended))

        self.when(py.is_some(found), visit_all, look_beside)

    # --- types

    def named_type(self, name: str) -> str | None:
        found = self.model.resolve(name)
        if found is None:
            self.problem(f"There is no type {name}.", self.model.similar_type(name))
        return found

    def _as_type(self, operand: Syntax | None, name: str, scope: Scope, body: Callable[[Value], None]) -> None:
        type = self.named_type(name)
        if type is None:
            return
        if isinstance(operand, Member) and not self.boxed:
            target = operand
            # `value as Quantity`: of a choice only the one key is looked at.
            self._visit_base(
                target, scope, lambda item: self._chosen(item, target, type, body, lambda v: self.only(v, type, body))
            )
        else:
            self._visit(operand, scope, lambda item: self.only(item, type, body))

    def _visit_base(self, member: Member, scope: Scope, body: Callable[[Value], None]) -> None:
        if member.target is None and (
            member.name in self.names
            or scope.this.form is not Form.RAW
            or member.name not in self.model.fields(scope.this.type or "")
        ):
            self.each(member, scope, lambda item: body(replace(item, nothing=True)))
        else:
            self._visit(member.target, scope, body)

    def _chosen(
        self,
        item: Value,
        member: Member,
        type: str,
        body: Callable[[Value], None],
        otherwise: Callable[[Value], None],
    ) -> None:
        if item.nothing:
            # The member itself was visited already: it is no element of a typed object.
            otherwise(replace(item, nothing=False))
            return
        field = None
        if item.form is Form.RAW and item.type is not None:
            field = self.model.fields(item.type).get(member.name)
        if field is None or len(field.keys) == 1:
            self.step(item, member.name, otherwise)
            return
        keys = [(key, kind) for key, kind in field.keys if kind == type]
        if keys:
            self.key(item, *keys[0], field.many, body)
        elif any(self.model.is_a(kind, type) for _, kind in field.keys):
            self.step(item, member.name, otherwise)
        elif self.strict:
            self.problem(f"{member.name} is never a {type}.", "It can be " + ", ".join(k for _, k in field.keys) + ".")

    def only(self, item: Value, type: str, body: Callable[[Value], None]) -> None:
        """Go on with the item if it is of the type."""
        if item.form is Form.RAW and item.type is not None:
            exact = self.model.is_primitive(item.type)
            if item.type == type if exact else self.model.is_a(item.type, type):
                body(item)
            return
        if item.form is Form.SYS and item.type is not None:
            if type == f"System.{item.type}":
                body(item)
            return
        test = py.call("of_type", item.code, py.const(type), py.name("M"))
        definition = self.model.types.get(type)
        if item.form is Form.ANY and not self.boxed and definition is not None:
            if definition.kind in ("resource", "complex") and not definition.abstract:
                self.when(
                    test,
                    lambda: body(Value(self.let(py.attribute(item.code, "value")), Form.RAW, type, known=True)),
                )
                return
        self.when(test, lambda: body(item))

    def _is(self, operand: Syntax | None, name: str, scope: Scope) -> Value:
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
            return self._unless_none([value], answer, [code], "Boolean")
        return self._unless_none([value], answer, [value.code], "Boolean")

    def _refers_to(self, target: Syntax | None, type: str, scope: Scope) -> Value:
        value = self.single(scope.this if target is None else self.value(target, scope))
        if value.nothing:
            return NOTHING
        code = self.let(value.code)
        answer = py.call("refers_to", code, py.const(type), self.run())
        return self._unless_none([value], answer, [code], "Boolean")

    def _unless_none(self, inputs: list[Value], answer: ast.expr, codes: list[ast.expr], type: str | None) -> Value:
        """A single system value that is empty where one of its inputs is."""
        doubtful = [code for value, code in zip(inputs, codes, strict=True) if not value.known]
        if doubtful:
            answer = py.choose(py.either(*(py.is_none(code) for code in doubtful)), py.NONE, answer)
        return Value(self.let(answer), Form.SYS, type, known=not doubtful)

    # --- values

    def _special(self, name: str, scope: Scope) -> Value:
        found = scope.index if name == "index" else scope.total
        if found is None:
            self.problem(f"${name} has no meaning here.")
            return NOTHING
        return found

    def _environment(self, name: str) -> Value:
        return Value(self.let(py.call("variable", self.run(), py.const(name))), Form.ANY, many=True)

    def _indexed(self, node: Indexer, scope: Scope) -> Value:
        value = self.value(node.target, scope)
        index = self.system(self.value(node.index, scope))
        if value.nothing:
            return NOTHING
        value = self.items(value)
        found = self.let(py.call("at_index", value.code, index))
        return replace(value, code=self.let(py.choose(found, py.item(found, 0), py.NONE)), many=False)

    def _unary(self, node: Unary, scope: Scope) -> Value:
        value = self.value(node.operand, scope)
        if isinstance(node.operand, Literal) and type(node.operand.value) is int and node.op == "-":
            return Value(py.const(-node.operand.value), Form.SYS, "Integer", known=True)
        code = py.call("negative" if node.op == "-" else "positive", self.system(value))
        return Value(self.let(code), Form.SYS, value.type if value.form is Form.SYS else None)

    def _binary(self, node: Binary, scope: Scope) -> Value:
        left = self.value(node.left, scope)
        right = self.value(node.right, scope)
        if node.op == "|":
            return self._union(left, right)
        if node.op in operators.EQUALITY:
            return self._equality(node.op, left, right)
        if node.op in operators.EQUIVALENCE:
            code = py.call(f"op_{node.op}", self.boxes(left), self.boxes(right))
            return Value(self.let(code), Form.SYS, "Boolean", known=True)
        if node.op in ("in", "contains"):
            item, container = (left, right) if node.op == "in" else (right, left)
            return self._membership(item, container)
        if node.op in operators.LOGIC:
            code = py.call(f"op_{node.op}", self.boolean(left), self.boolean(right))
            return Value(self.let(code), Form.SYS, "Boolean", known=left.known and right.known)
        if node.op in operators.ORDERING:
            code = py.call(f"op_{node.op}", self.system(left), self.system(right))
            return Value(self.let(code), Form.SYS, "Boolean")
        return self._arithmetic(node.op, left, right)

    def _arithmetic(self, op: str, left: Value, right: Value) -> Value:
        if op == "+" and left.plain == right.plain == "String" and not left.many and not right.many:
            a, b = self.let(left.code), self.let(right.code)
            return self._unless_none([left, right], py.plus(a, b), [a, b], "String")
        a, b = self.system(left), self.system(right)
        if op == "&":
            return Value(self.let(py.call("op_&", a, b)), Form.SYS, "String", known=True)
        return Value(self.let(py.call(f"op_{op}", a, b)), Form.SYS)

    def _union(self, left: Value, right: Value) -> Value:
        if left.nothing or right.nothing:
            other = right if left.nothing else left
            if not other.many:
                return other
            left, right = other, NOTHING
        kind = self.alike(left, right)
        if kind is None or kind[0] in (Form.ANY, Form.NODE) or (kind[0] is Form.SYS and left.plain is None):
            both = py.plus(self.boxes(left), self.boxes(right))
            return Value(self.let(py.call("distinct", both)), Form.ANY, many=True)
        both = py.plus(self.items(left).code, self.items(right).code)
        return Value(self.let(py.call("distinct_raw", both)), kind[0], kind[1], many=True)

    def _equality(self, op: str, left: Value, right: Value) -> Value:
        if left.nothing or right.nothing:
            return NOTHING
        if left.plain is not None and left.plain == right.plain and not left.many and not right.many:
            a, b = self._simple(left.code), self._simple(right.code)
            return self._unless_none([left, right], (py.equal if op == "=" else py.unequal)(a, b), [a, b], "Boolean")
        code = py.call(f"op_{op}", self.boxes(left), self.boxes(right))
        return Value(self.let(code), Form.SYS, "Boolean")

    def _simple(self, code: ast.expr) -> ast.expr:
        return code if isinstance(code, ast.Constant) else self.let(code)

    def _membership(self, item: Value, container: Value) -> Value:
        code = py.call("member", self.box(item), self.boxes(container))
        return Value(self.let(code), Form.SYS, "Boolean", known=item.known)

    # --- functions

    def input(self, node: Call, scope: Scope) -> Value:
        return scope.this if node.target is None else self.value(node.target, scope)

    def arity(self, node: Call, least: int, most: int) -> bool:
        if least <= len(node.args) <= most:
            return True
        wanted = str(least) if least == most else f"{least} to {most}"
        self.problem(f"{node.name}() takes {wanted} arguments, {len(node.args)} are given.")
        return False

    def _function(self, node: Call, scope: Scope) -> Value:
        function = FUNCTIONS.get(node.name)
        if function is None:
            self.problem(f"There is no function {node.name}().", _similar_function(node.name))
            return NOTHING
        if not self.arity(node, function.required, len(function.args)):
            return NOTHING
        value = self.input(node, scope)
        return self._scalar(node, function, value, scope) if function.scalar else self._listed(node, function, value, scope)

    def _scalar(self, node: Call, function: Function, value: Value, scope: Scope) -> Value:
        inputs = [value]
        codes = [self._simple(self.system(value))]
        for arg in node.args:
            given = self.value(arg, scope)
            inputs.append(replace(given, known=given.known and not given.many))
            codes.append(self._simple(self.system(given)))
        inputs[0] = replace(value, known=value.known and not value.many)
        answer = py.call(f"fn_{node.name}", *codes)
        # A function may find nothing to give although it has all that it needs.
        return replace(self._unless_none(inputs, answer, codes, function.result), known=False)

    def _listed(self, node: Call, function: Function, value: Value, scope: Scope) -> Value:
        if node.name in ("children", "descendants", "extension"):
            self.needs_boxes = self.needs_boxes or self._without_meta(value)
        args: list[ast.expr] = [self.run()] if function.run else []
        args.append(self.boxes(value))
        for kind, arg in zip(function.args, node.args, strict=False):
            if kind == "each":
                args.append(self.closure(arg, scope))
            elif kind == "list":
                args.append(self.boxes(self.value(arg, scope)))
            else:
                args.append(self.system(self.value(arg, scope)))
        code = self.let(py.call(f"fn_{node.name}", *args))
        if function.single:
            return Value(code, Form.SYS, function.result, known=True)
        return Value(code, Form.ANY, many=True)

    def _without_meta(self, value: Value) -> bool:
        if value.form is Form.RAW and value.type is not None:
            return self.model.is_primitive(value.type)
        return self.lossy

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
        with self.into(block), self.stopping(None):
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


def _similar_function(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [*FUNCTIONS, *PIPES, *WHOLES], n=3)
    return f"Did you mean {', '.join(f'{found}()' for found in close)}?" if close else ""


def _counted(compiler: Compiler, node: Call, body: Callable[[ast.Name | None], None]) -> None:
    """With `$index` in the arguments, a counter from 0."""
    if not any(isinstance(part, Special) and part.name == "index" for arg in node.args for part in walk(arg)):
        body(None)
        return
    counter = compiler.variable("n")
    compiler.add(py.assign(counter, py.const(-1)))
    body(py.name(counter))


def _per_item(
    compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value, Scope], None], *, keep_total: bool = True
) -> None:
    """Visit the input of a function; the arguments see each item as `$this`."""

    def visit_all(counter: ast.Name | None) -> None:
        def visit(item: Value) -> None:
            index = None
            if counter is not None:
                compiler.add(py.increase(counter.id))
                index = Value(counter, Form.SYS, "Integer", known=True)
            body(item, Scope(item, index, scope.total if keep_total else None))

        compiler._visit(node.target, scope, visit)

    _counted(compiler, node, visit_all)


def _where(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    if not compiler.arity(node, 1, 1):
        return

    def filtered(item: Value, inner: Scope) -> None:
        compiler.when(compiler.test(node.args[0], inner), lambda: body(item))

    _per_item(compiler, node, scope, filtered)


def _select(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    if compiler.arity(node, 1, 1):
        _per_item(compiler, node, scope, lambda item, inner: compiler.each(node.args[0], inner, body))


def _type_argument(compiler: Compiler, node: Call) -> str | None:
    if not compiler.arity(node, 1, 1):
        return None
    name = specifier(node.args[0])
    if name is None:
        compiler.problem(f"{node.name}() takes the name of a type.")
    return name


def _of_type_call(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    name = _type_argument(compiler, node)
    if name is not None:
        compiler._as_type(node.target, name, scope, body)


def _extension(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    if not compiler.arity(node, 1, 1):
        return
    url = compiler.value(node.args[0], scope)
    code = compiler._simple(compiler.system(url))

    def of_item(item: Value) -> None:
        matching = Value(py.NONE, Form.RAW, "Extension")

        def compare(found: Value) -> None:
            assert found.form is matching.form
            test = py.equal(py.method(found.code, "get", py.const("url")), code)
            compiler.when(test, lambda: body(found))

        if item.form is Form.RAW and item.type is not None and not compiler.model.is_primitive(item.type):
            compiler.step(item, "extension", compare)
        else:
            compiler.needs_boxes = compiler.needs_boxes or compiler._without_meta(item)
            found = py.call("fn_extension", compiler.run(), compiler.boxes(item), code)
            compiler.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))

    compiler._visit(node.target, scope, of_item)


PIPES: dict[str, Callable[[Compiler, Call, Scope, Callable[[Value], None]], None]] = {
    "where": _where,
    "select": _select,
    "ofType": _of_type_call,
    "extension": _extension,
}


def _found(compiler: Compiler, node: Call, scope: Scope, *, answer: bool) -> Value:
    """`exists()` and `empty()`: stop at the first item."""
    if not compiler.arity(node, 0, 1 if node.name == "exists" else 0):
        return NOTHING
    target = compiler.variable("b")
    compiler.add(py.assign(target, py.FALSE))

    def stop() -> None:
        compiler.add(py.assign(target, py.TRUE))
        if compiler.stop is not None and compiler.loops > compiler.stop[1]:
            compiler.add(py.leave())

    def visit(item: Value, inner: Scope) -> None:
        if node.args:
            compiler.when(compiler.test(node.args[0], inner), stop)
        else:
            stop()

    with compiler.stopping(target):
        _per_item(compiler, node, scope, visit)
    code = py.name(target) if answer else py.negated(py.name(target))
    return Value(code, Form.SYS, "Boolean", known=True)


def _all(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 1, 1):
        return NOTHING
    failed = compiler.variable("b")
    compiler.add(py.assign(failed, py.FALSE))

    def fail() -> None:
        compiler.add(py.assign(failed, py.TRUE))
        if compiler.stop is not None and compiler.loops > compiler.stop[1]:
            compiler.add(py.leave())

    with compiler.stopping(failed):
        _per_item(
            compiler,
            node,
            scope,
            lambda _, inner: compiler.when(py.negated(compiler.test(node.args[0], inner)), fail),
        )
    return Value(py.negated(py.name(failed)), Form.SYS, "Boolean", known=True)


def _count(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 0, 0):
        return NOTHING
    value = compiler.input(node, scope)
    if value.nothing:
        return Value(py.const(0), Form.SYS, "Integer", known=True)
    if value.many:
        return Value(compiler.let(py.call("len", value.code)), Form.SYS, "Integer", known=True)
    number = py.const(1) if value.known else py.choose(py.is_none(compiler.let(value.code)), py.const(0), py.const(1))
    return Value(number, Form.SYS, "Integer", known=True)


def _first(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 0, 0):
        return NOTHING
    target = compiler.variable("r")
    done = compiler.variable("b")
    seen: list[tuple[Value, bool]] = []
    depth = compiler.loops
    block: list[ast.stmt] = []

    def keep(item: Value) -> None:
        seen.append((item, compiler.loops > depth))
        compiler.add(py.assign(target, item.code))
        if compiler.loops > depth:
            compiler.add(py.assign(done, py.TRUE))
            compiler.add(py.leave())

    with compiler.into(block), compiler.stopping(done):
        compiler._visit(node.target, scope, keep)
    if not seen:
        return NOTHING
    compiler.add(py.assign(target, py.NONE))
    compiler.add(py.assign(done, py.FALSE))
    compiler.block.extend(block)
    return replace(seen[0][0], code=py.name(target), many=False, known=False)


def _not(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 0, 0):
        return NOTHING
    value = compiler.input(node, scope)
    if value.nothing:
        return NOTHING
    code = compiler._simple(compiler.boolean(value))
    return compiler._unless_none([replace(value, known=value.known and not value.many)], py.negated(code), [code], "Boolean")


def _iif(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 2, 3):
        return NOTHING
    if node.target is not None:
        this = compiler.single(compiler.value(node.target, scope))
        # Also without an item the branches are evaluated, with an empty `$this`.
        scope = replace(scope, this=replace(this, code=compiler.let(this.code)))
    condition = compiler.value(node.args[0], scope)
    if compiler.strict and condition.plain not in (None, "Boolean") and not condition.many:
        compiler.problem("The criterion of iif() is not Boolean.")
    blocks: list[list[ast.stmt]] = [[], []]
    branches: list[Value] = []
    for block, arg in zip(blocks, (*node.args[1:], Literal(None, node.at))[:2], strict=True):
        with compiler.into(block):
            branches.append(compiler.value(arg, scope))
    kind = compiler.alike(*branches)
    many = any(branch.many for branch in branches) or kind is None
    target = compiler.variable("r")
    for block, branch in zip(blocks, branches, strict=True):
        with compiler.into(block):
            code = compiler.boxes(branch) if kind is None else compiler.items(branch).code if many else branch.code
            compiler.add(py.assign(target, code))
    test = py.FALSE if condition.nothing else py.same(compiler.boolean(condition), py.TRUE)
    compiler.add(py.when(test, blocks[0], blocks[1]))
    if kind is None:
        return Value(py.name(target), Form.ANY, many=True, nothing=all(branch.nothing for branch in branches))
    return Value(py.name(target), kind[0], kind[1], many=many, known=not many and all(b.known for b in branches))


def _is_call(compiler: Compiler, node: Call, scope: Scope) -> Value:
    name = _type_argument(compiler, node)
    return NOTHING if name is None else compiler._is(node.target, name, scope)


def _as_call(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """`as()` takes one item only; the operator `as` filters, as the R4 search parameters expect of it."""
    name = _type_argument(compiler, node)
    if name is None:
        return NOTHING
    if node.target is not None:
        whole = compiler.value(node.target, scope)
        if whole.many:
            compiler.add(py.effect(py.call("one", whole.code)))
    return compiler.collect(lambda body: compiler._as_type(node.target, name, scope, body))


def _aggregate(compiler: Compiler, node: Call, scope: Scope) -> Value:
    if not compiler.arity(node, 1, 2):
        return NOTHING
    start = compiler.boxes(compiler.value(node.args[1], scope)) if len(node.args) > 1 else py.items()
    total = compiler.variable("t")
    compiler.add(py.assign(total, start))
    running = Value(py.name(total), Form.ANY, many=True)

    def visit(item: Value, inner: Scope) -> None:
        with compiler.stopping(None):
            result = compiler.boxes(compiler.value(node.args[0], replace(inner, total=running)))
            compiler.add(py.assign(total, result))

    with compiler.stopping(None):
        _per_item(compiler, node, scope, visit)
    return running


def _sort(compiler: Compiler, node: Call, scope: Scope) -> Value:
    value = compiler.input(node, scope)
    keys: list[ast.expr] = []
    for arg in node.args or (Special("this", node.at),):
        descending = isinstance(arg, Unary) and arg.op == "-"
        key = arg.operand if isinstance(arg, Unary) and descending else arg
        keys.append(py.pair(compiler.closure(key, scope), py.const(descending)))
    code = py.call("sort", compiler.boxes(value), py.items(*keys))
    return Value(compiler.let(code), Form.ANY, many=True)


WHOLES: dict[str, Callable[[Compiler, Call, Scope], Value]] = {
    "exists": lambda compiler, node, scope: _found(compiler, node, scope, answer=True),
    "empty": lambda compiler, node, scope: _found(compiler, node, scope, answer=False),
    "all": _all,
    "count": _count,
    "first": _first,
    "not": _not,
    "iif": _iif,
    "is": _is_call,
    "as": _as_call,
    "aggregate": _aggregate,
    "sort": _sort,
}
