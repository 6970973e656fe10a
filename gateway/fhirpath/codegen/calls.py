"""Functions: those that are loops and conditions themselves, and the call to all others."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gateway.fhirpath.codegen import elsewhere
from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.writer import NOTHING, Form, Scope, Value
from gateway.fhirpath.functions import FUNCTIONS, Function
from gateway.fhirpath.syntax import Call, Literal, Member, Special, Unary, Variable, specifier, walk

if TYPE_CHECKING:
    from gateway.fhirpath.codegen.compiler import Compiler

# What depends on the order of a collection, and what gives a collection without one.
_ORDERED = frozenset({"first", "last", "tail", "skip", "take"})
_UNORDERED = frozenset({"children", "descendants"})
_ON_META = frozenset({"children", "descendants", "extension", "hasExtension"})


def function(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """A call to a function of the table."""
    found = FUNCTIONS.get(node.name)
    if compiler.strict and node.name in _ORDERED and isinstance(node.target, Call) and node.target.name in _UNORDERED:
        compiler.problem(f"{node.name}() needs an order, {node.target.name}() has none.")
    if found is None:
        if isinstance(node.target, Variable) and node.target.name in elsewhere.VARIABLES:
            return compiler.value(node.target, scope)  # What is wrong is the variable.
        hint = elsewhere.FUNCTIONS.get(node.name) or _similar_function(node.name)
        compiler.problem(f"There is no function {node.name}().", hint)
        return NOTHING
    if not compiler.arity(node, found.required, len(found.args)):
        return NOTHING
    value = compiler.input(node, scope)
    return (_scalar if found.scalar else _listed)(compiler, node, found, value, scope)


def _scalar(compiler: Compiler, node: Call, function: Function, value: Value, scope: Scope) -> Value:
    inputs = [value]
    codes = [compiler.simple(compiler.system(value))]
    for arg in node.args:
        given = compiler.operand(arg, scope)
        inputs.append(given)
        codes.append(compiler.simple(compiler.system(given)))
    inputs = [replace(given, known=given.known and not given.many) for given in inputs]
    answer = py.call(f"fn_{node.name}", *codes)
    # A function may find nothing to give although it has all that it needs.
    return replace(compiler.unless_none(inputs, answer, codes, function.result), known=False)


def _listed(compiler: Compiler, node: Call, function: Function, value: Value, scope: Scope) -> Value:
    if node.name in _ON_META:
        compiler.needs_boxes = compiler.needs_boxes or compiler.without_meta(value)
    args: list[ast.expr] = [compiler.run()] if function.run else []
    args.append(compiler.boxes(value))
    for kind, arg in zip(function.args, node.args, strict=False):
        if kind == "each":
            args.append(compiler.closure(arg, scope))
        elif kind == "list":
            args.append(compiler.boxes(compiler.operand(arg, scope)))
        else:
            args.append(compiler.system(compiler.operand(arg, scope)))
    code = compiler.let(py.call(f"fn_{node.name}", *args))
    if function.single:
        return Value(code, Form.SYS, function.result, known=True)
    return Value(code, Form.ANY, many=True)


def _similar_function(name: str) -> str:
    close = get_close_matches(name, {*FUNCTIONS, *PIPES, *WHOLES}, n=3)
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

        compiler.visit_target(node.target, scope, visit)

    _counted(compiler, node, visit_all)


def _where(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    if not compiler.arity(node, 1, 1):
        return

    def filtered(item: Value, inner: Scope) -> None:
        compiler.when(compiler.test(node.args[0], inner), lambda: body(item))

    _per_item(compiler, node, scope, filtered)


def _select(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    def projected(item: Value, inner: Scope) -> None:
        # What goes on behind select() is written where its items are, and does not know what select() defines.
        outside = compiler.defined

        def go_on(found: Value) -> None:
            inside, compiler.defined = compiler.defined, outside
            body(found)
            compiler.defined = inside

        with compiler.inside():
            compiler.each(node.args[0], inner, go_on)

    if compiler.arity(node, 1, 1):
        _per_item(compiler, node, scope, projected)


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
        compiler.as_type(node.target, name, scope, body)


def _extension(compiler: Compiler, node: Call, scope: Scope, body: Callable[[Value], None]) -> None:
    if not compiler.arity(node, 1, 1):
        return
    url = compiler.value(node.args[0], scope)
    code = compiler.simple(compiler.system(url))

    def of_item(item: Value) -> None:
        matching = Value(py.NONE, Form.RAW, "Extension")

        def compare(found: Value) -> None:
            assert found.form is matching.form
            test = py.equal(py.method(found.code, "get", py.const("url")), code)
            compiler.when(test, lambda: body(found))

        if item.form is Form.RAW and item.type is not None and not compiler.model.is_primitive(item.type):
            compiler.step(item, "extension", compare)
        else:
            compiler.needs_boxes = compiler.needs_boxes or compiler.without_meta(item)
            found = py.call("fn_extension", compiler.run(), compiler.boxes(item), code)
            compiler.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))

    compiler.visit_target(node.target, scope, of_item)


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
        compiler.visit_target(node.target, scope, keep)
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
    code = compiler.simple(compiler.boolean(value))
    return compiler.unless_none(
        [replace(value, known=value.known and not value.many)], py.negated(code), [code], "Boolean"
    )


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
    return NOTHING if name is None else compiler.is_type(node.target, name, scope)


def _as_call(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """`as()` takes one item only; the operator `as` filters, as the R4 search parameters expect of it.

    R4's own dom-3 has `%resource.descendants().as(canonical)`: of what has every type `as()` filters too.
    """
    name = _type_argument(compiler, node)
    if name is None:
        return NOTHING
    if node.target is None or (isinstance(node.target, Call) and node.target.name in _UNORDERED):
        return compiler.collect(lambda body: compiler.as_type(node.target, name, scope, body))
    whole = compiler.value(node.target, scope)
    if whole.many:
        compiler.add(py.effect(py.call("one", whole.code)))
    type = compiler.named_type(name)
    if type is None:
        return NOTHING
    if any(isinstance(one, Call) and one.name == "as" for one in walk(node.target)):
        # The target is in the code once: written twice, each as() behind another would double it.
        return compiler.collect(lambda body: compiler.visit(whole, lambda item: compiler.only(item, type, body)))
    return compiler.collect(lambda body: compiler.as_type(node.target, name, scope, body))


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


_KNOWN_VARIABLES = frozenset({"context", "resource", "rootResource", "sct", "loinc", "ucum"})


def _define_variable(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """The input as it is; for what comes behind, its items or those of the argument have a name."""
    if not compiler.arity(node, 1, 2):
        return NOTHING
    value = compiler.items(compiler.input(node, scope))
    value = replace(value, code=compiler.let(value.code))
    name = node.args[0]
    if not isinstance(name, Literal) or not isinstance(name.value, str):
        compiler.problem("defineVariable() takes the variable's name as a string.")
        return NOTHING
    if name.value in compiler.defined or name.value in _KNOWN_VARIABLES:
        compiler.problem(f"%{name.value} is there already.", "Give the variable another name.")
        return NOTHING
    given = value
    if len(node.args) > 1:
        this = Value(compiler.let(compiler.boxes(value)), Form.ANY, many=True)
        given = compiler.operand(node.args[1], replace(scope, this=this) if node.target is not None else scope)
    compiler.defined[name.value] = Value(compiler.let(compiler.boxes(given)), Form.ANY, many=True)
    return value


def _coalesce(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """The first of the arguments that is not empty; the others are not evaluated."""
    target = compiler.variable("r")
    compiler.add(py.assign(target, py.items()))
    for arg in node.args:
        block: list[ast.stmt] = []
        with compiler.into(block):
            compiler.add(py.assign(target, compiler.boxes(compiler.operand(arg, scope))))
        compiler.add(py.when(py.negated(py.name(target)), block))
    return Value(py.name(target), Form.ANY, many=True)


def _sort(compiler: Compiler, node: Call, scope: Scope) -> Value:
    value = compiler.input(node, scope)
    keys: list[ast.expr] = []
    for arg in node.args or (Special("this", node.at),):
        descending = isinstance(arg, Unary) and arg.op == "-"
        key = arg.operand if isinstance(arg, Unary) and descending else arg
        keys.append(py.pair(compiler.closure(key, scope), py.const(descending)))
    code = py.call("sort", compiler.boxes(value), py.items(*keys))
    return Value(compiler.let(code), Form.ANY, many=True)


def _element_definition(compiler: Compiler, node: Call, scope: Scope) -> Value:
    """What an element is, its parent's type says: so the step to it is taken anew, from the parent."""
    if not compiler.arity(node, 0, 0):
        return NOTHING
    member = node.target
    if not isinstance(member, Member):
        hint = "As in birthDate.elementDefinition()."
        compiler.problem("elementDefinition() stands right behind an element's name.", hint)
        return NOTHING
    parents = scope.this if member.target is None else compiler.value(member.target, scope)
    if parents.nothing:
        return NOTHING
    code = py.call("element_definitions", compiler.run(), compiler.boxes(parents), py.const(member.name))
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
    "defineVariable": _define_variable,
    "coalesce": _coalesce,
    "elementDefinition": _element_definition,
}
