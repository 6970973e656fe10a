"""Program to Python code objects that carry the map's file and lines: tracebacks, debuggers and coverage see the map.

Code is built as a syntax tree from a closed set of forms; no text is ever evaluated, there are no builtins in reach and
no attributes but a few of the run. Two variants: plain, and traced, which notes what each rule wrote.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import Any

from gateway.mapping import ir, runtime
from gateway.mapping.quick import HELPERS, Shortcut
from gateway.mapping.syntax import Span, Text
from gateway.mapping.transforms import TRANSFORMS

_HELPERS = {
    "_kids": runtime.kids,
    "_any": runtime.any_kids,
    "_of_type": runtime.of_type,
    "_test": runtime.test,
    "_check": runtime.check,
    "_log": runtime.log,
    "_remark": runtime.remark,
    "_counted": runtime.counted,
    "_one": runtime.one,
    "_values": runtime.values,
    "_transform": runtime.transform,
    "_cast": runtime.cast,
    "_reference": runtime.reference,
    "_uuid": runtime.uuid,
    "_translate": runtime.translate,
    "_bound": runtime.bound_code,
    "_complex": runtime.complex_value,
    "_make": runtime.make,
    "_make_as": runtime.make_as,
    "_arrange": runtime.arrange,
    "_loose": runtime.loose,
    "_again": runtime.again,
    "_choose": runtime.choose,
    "_leaf": runtime.leaf,
    "_open": runtime.opened,
}
_HELPERS.update(HELPERS)
_MODES = {
    "first": (None, 1),
    "last": (-1, None),
    "not_first": (1, None),
    "not_last": (None, -1),
}


_EXACT = frozenset(("date", "dateTime", "time"))


def _typed(value: ir.Transform) -> str | None:
    definition = TRANSFORMS.get(value.name)
    return definition.type if definition else None


def emit(program: ir.Program, *, traced: bool) -> FunctionType:
    """The entry group as a function of the run, the depth, and the group's parameters."""
    space: dict[str, Any] = {"__builtins__": {}, **_HELPERS}
    space.update({f"_take_{name}": take for name, take in runtime.TAKE.items()})
    for file_text, routines in _by_file(program.routines):
        module = _Emitter(file_text, space, traced=traced).module(routines)
        code: CodeType = compile(module, file_text.path, "exec")
        exec(code, space)  # noqa: S102  the code was built above, from forms of ours
    entry: FunctionType = space[_function(program.routines[program.entry])]
    return entry


def _by_file(routines: Iterable[ir.Routine]) -> Iterable[tuple[Text, list[ir.Routine]]]:
    grouped: dict[int, tuple[Text, list[ir.Routine]]] = {}
    for routine in routines:
        grouped.setdefault(id(routine.text), (routine.text, []))[1].append(routine)
    return grouped.values()


def _function(routine: ir.Routine) -> str:
    return f"_g{routine.index}"


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _set(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _constant(value: Any) -> ast.Constant:
    return ast.Constant(value)


def _call(function: str, *arguments: ast.expr, **named: ast.expr) -> ast.Call:
    return ast.Call(_name(function), list(arguments), [ast.keyword(key, value) for key, value in named.items()])


def _run(method: str, *arguments: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Attribute(_name("_R"), method, ast.Load()), list(arguments), []))


def _not_none(name: str) -> ast.expr:
    return ast.Compare(_name(name), [ast.IsNot()], [_constant(None)])


def _item(owner: ast.expr, key: str) -> ast.Subscript:
    return ast.Subscript(owner, _constant(key), ast.Store())


class _Emitter:
    """Statements for the routines of one file."""

    def __init__(self, text: Text, space: dict[str, Any], *, traced: bool) -> None:
        self.text = text
        self.space = space
        self.traced = traced
        self.temporaries = 0

    def module(self, routines: list[ir.Routine]) -> ast.Module:
        module = ast.Module([self.routine(routine) for routine in routines], [])
        return ast.fix_missing_locations(module)

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
        return _name(name)

    def temporary(self) -> str:
        self.temporaries += 1
        return f"_t{self.temporaries}"

    def routine(self, routine: ir.Routine) -> ast.stmt:
        body: list[ast.stmt] = [
            ast.If(
                ast.Compare(_name("_D"), [ast.Gt()], [_constant(runtime.DEPTH)]),
                [ast.Raise(ast.Call(self.kept(RecursionError), [_constant("groups are nested too deep")], []))],
                [],
            ),
            _run("tick"),
        ]
        if self.traced:
            body.append(_set("_T", ast.Attribute(_name("_R"), "note", ast.Load())))
        self.placed(body, routine.span)
        for rule in routine.rules:
            body += self.rule(rule)
        arguments = [ast.arg(name) for name in ("_R", "_D", *routine.parameters)]
        function = ast.FunctionDef(
            _function(routine), ast.arguments([], arguments, None, [], [], None, []), body, [], None
        )
        return self.placed([function], routine.span)[0]

    # Rules

    def rule(self, rule: ir.Rule) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        last = rule.sources[-1].variable if rule.sources else ""
        writes = False
        for target in rule.targets:
            statements, wrote = self.target(rule, target, last)
            writes = writes or wrote
            body += self.placed(statements, target.span)
        if self.traced and not writes and rule.id >= 0:
            body = [*self.placed([self.noted(rule.id, last)], rule.span), *body]
        for call in rule.calls:
            body += self.placed([self.invoke(call, rule, last)], call.span)
        for nested in rule.rules:
            body += self.rule(nested)
        if not body:
            body = self.placed([ast.Pass()], rule.span)
        for source in reversed(rule.sources):
            body = self.placed(self.source(source, body), source.span)
        return body

    def noted(
        self,
        rule: int,
        at: str,
        owner: str | None = None,
        key: ast.expr | None = None,
        item: str | None = None,
        *,
        row: bool = False,
    ) -> ast.stmt:
        """A traced rule's entry: see `runtime.Entry`."""
        parts: list[ast.expr] = [
            _constant(rule),
            _name(at),
            _name(owner) if owner else _constant(None),
            key or _constant(None),
            ast.Attribute(_name("_R"), "row", ast.Load()) if row else _constant(None),
            _name(item) if item else _constant(None),
        ]
        return ast.Expr(_call("_T", ast.Tuple(parts, ast.Load())))

    def source(self, source: ir.Source, body: list[ast.stmt]) -> list[ast.stmt]:
        variable, site = source.variable, _constant(source.site)
        clauses: list[ast.stmt] = []
        if source.check:
            shown = _constant(source.check.text)
            clauses.append(ast.Expr(_call("_check", *self.asked(source.check, variable), site, shown)))
        if source.log:
            clauses.append(ast.Expr(_call("_log", *self.asked(source.log, variable), site)))
        if source.remark:
            clauses.append(ast.Expr(_call("_remark", _name("_R"), _constant(source.remark), site, _name(variable))))
        inner = [*self.placed(clauses, source.span), *body]
        where = self.condition(source.where, variable, source.site) if source.where else None
        plain_items = source.mode is None and source.cardinality is None
        if not source.path and source.default is None and plain_items and source.type is None:
            bound = [] if variable == source.context else [_set(variable, _name(source.context))]
            return [*bound, ast.If(where, inner, [])] if where else [*bound, *inner]
        if plain_items and source.default is None and source.type is None:
            if where:
                inner = self.placed([ast.If(where, inner, [])], source.span)
            names = [*(self.temporary() for _ in source.path[:-1]), variable]
            before = [source.context, *names[:-1]]
            for step, name, owner in reversed(list(zip(source.path, names, before, strict=True))):
                inner = [self.loop(name, self.stepped(_name(owner), step), inner)]
            return inner
        return [*self.listed(source, where), self.loop(variable, _name("_items"), inner)]

    def loop(self, name: str, items: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        return ast.For(ast.Name(name, ast.Store()), items, [_run("tick"), *body], [])

    def stepped(self, owner: ast.expr, step: ir.Step) -> ast.expr:
        if not step.names:
            return ast.Tuple([owner], ast.Load())
        if len(step.names) == 1:
            return _call("_kids", owner, _constant(step.names[0]))
        return _call("_any", owner, self.kept(step.names))

    def listed(self, source: ir.Source, where: ast.expr | None) -> list[ast.stmt]:
        """`_items`: what the source gives after type, condition, list mode, cardinality and default."""
        if source.context:
            names = [self.temporary() for _ in source.path]
            start: ast.expr = ast.Tuple([_name(source.context)], ast.Load())
            first = self.temporary()
            generators = [ast.comprehension(ast.Name(first, ast.Store()), start, [], 0)]
            for name, owner, step in zip(names, [first, *names[:-1]], source.path, strict=True):
                generators.append(
                    ast.comprehension(ast.Name(name, ast.Store()), self.stepped(_name(owner), step), [], 0)
                )
            items: ast.expr = ast.ListComp(_name(names[-1] if names else first), generators)
        else:
            read = source.default
            assert isinstance(read, ir.Read)
            items = self.results(read, None, source.site)
        if source.type:
            items = _call("_of_type", items, _constant(source.type))
        if where:
            items = ast.ListComp(
                _name(source.variable),
                [ast.comprehension(ast.Name(source.variable, ast.Store()), items, [where], 0)],
            )
        if source.mode in _MODES:
            low, high = _MODES[source.mode]
            items = ast.Subscript(
                items,
                ast.Slice(None if low is None else _constant(low), None if high is None else _constant(high)),
                ast.Load(),
            )
        cardinality = (0, 1) if source.mode == "only_one" else source.cardinality
        if cardinality:
            low_high = [_constant(bound) for bound in cardinality]
            at = _name(source.context) if source.context else _constant(None)
            items = _call("_counted", _name("_R"), items, *low_high, _constant(source.site), at)
        if source.default is not None and source.context:
            default = ast.Tuple([self.value(source.default, source.site, source.context)], ast.Load())
            items = ast.BoolOp(ast.Or(), [items, default])
        return [_set("_items", items)]

    def condition(self, read: ir.Read, focus: str, site: int) -> ast.expr:
        """Whether an expression is true of the focus."""
        short = Shortcut(dict(read.variables), focus, self.told(focus, site)).condition(read.path)
        return short or _call("_test", *self.asked(read, focus), _constant(site))

    def results(self, read: ir.Read, focus: str | None, site: int) -> ast.expr:
        """All values of an expression."""
        short = Shortcut(dict(read.variables), focus, self.told(focus, site)).values(read.path)
        return short or _call("_values", *self.asked(read, focus), _constant(site))

    @staticmethod
    def told(focus: str | None, site: int) -> ast.expr:
        at = _name(focus) if focus else _constant(None)
        return ast.Tuple([_name("_R"), _constant(site), at], ast.Load())

    def asked(self, read: ir.Read, focus: str | None) -> list[ast.expr]:
        """Run, expression, focus and variables: what every evaluation is given."""
        bound = [ast.Tuple([_constant(name), _name(code)], ast.Load()) for name, code in read.variables]
        return [
            _name("_R"),
            self.kept(read.path),
            _name(focus) if focus else _constant(None),
            ast.Tuple(list(bound), ast.Load()),
        ]

    def invoke(self, call: ir.Invoke, rule: ir.Rule, last: str) -> ast.stmt:
        depth = ast.BinOp(_name("_D"), ast.Add(), _constant(1))
        site = rule.sources[-1].site if rule.sources else 0
        arguments = [self.value(argument, site, last) for argument in call.arguments]
        return ast.Expr(_call(f"_g{call.routine}", _name("_R"), depth, *arguments))

    # Values

    def value(self, value: ir.Value, site: int, last: str) -> ast.expr:
        at = _name(last) if last else _constant(None)
        match value:
            case ir.Variable(name):
                return _name(name)
            case ir.Constant(constant):
                return self.kept(constant) if not isinstance(constant, str | int | bool | None) else _constant(constant)
            case ir.Read():
                return _call("_one", _name("_R"), self.results(value, last, site), _constant(site), at)
            case ir.Translate(argument, table, output):
                given = self.value(argument, site, last)
                return _call("_translate", _name("_R"), self.kept(table), _constant(output), given, _constant(site), at)
            case ir.Transform("cast", (argument, ir.Constant(type_name))):
                given = self.value(argument, site, last)
                return _call("_cast", _name("_R"), _constant(type_name), _constant(site), at, given)
            case ir.Transform("reference", (argument,)):
                return _call("_reference", _name("_R"), self.value(argument, site, last))
            case ir.Transform("uuid"):
                return _call("_uuid", _name("_R"), _constant(site))
            case ir.Transform("evaluate", (focus, ir.Read() as read)):
                return _call("_one", _name("_R"), self.evaluated(focus, read, site, last), _constant(site), at)
            case ir.Transform(name, arguments):
                values = [self.value(argument, site, last) for argument in arguments]
                return _call("_transform", _name("_R"), self.kept(TRANSFORMS[name]), _constant(site), at, *values)
            case ir.Make(type_name, resource):
                made = {"resourceType": type_name} if resource else {}
                return ast.Dict([_constant(k) for k in made], [_constant(v) for v in made.values()])
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
        return _call("_values", run, path, self.value(focus, site, last), bound, _constant(site))

    # Targets

    def target(self, rule: ir.Rule, target: ir.Target, last: str) -> tuple[list[ast.stmt], bool]:
        """The statements, and whether they note what they write."""
        if target.context is None:
            return [_set(target.variable or "_", self.value(target.value, target.site, last))], False
        statements: list[ast.stmt] = []
        owner = target.context
        for element in target.path[:-1]:
            made = self.temporary()
            statements.append(_set(made, self.made(_name(owner), element, None)))
            owner = made
        element = target.path[-1]
        if isinstance(target.value, ir.Make):
            variable = target.variable or self.temporary()
            statements.append(_set(variable, self.made(_name(owner), element, target)))
            return statements, False
        several = self.many_values(target.value, target.site, last) if element.many else None
        given = self.temporary()
        if several is not None:
            put = self.put(rule, target, element, owner, _name(given), last)
            statements.append(self.loop(given, several, put))
            return statements, True
        value = self.value(target.value, target.site, last)
        statements += self.put(rule, target, element, owner, value, last)
        return statements, True

    def made(self, owner: ast.expr, element: ir.Element, target: ir.Target | None) -> ast.expr:
        value = target.value if target else None
        resource = value.type if isinstance(value, ir.Make) and value.resource else None
        extra = {"resource": _constant(resource)} if resource else {}
        if target and target.mode and element.many:
            return _call(
                "_make_as",
                _name("_R"),
                owner,
                _constant(element.key),
                _constant(target.mode),
                _constant(target.share),
                **extra,
            )
        return _call("_make", _name("_R"), owner, _constant(element.key), many=_constant(element.many), **extra)

    def put(
        self, rule: ir.Rule, target: ir.Target, element: ir.Element, owner: str, value: ast.expr, last: str
    ) -> list[ast.stmt]:
        """`if (t := converted) is not None: put it, note it`."""
        site, at, run = _constant(target.site), _name(last), _name("_R")
        result = target.variable or self.temporary()
        constant = isinstance(target.value, ir.Constant)
        statements: list[ast.stmt] = []
        key: ast.expr = _constant(element.key)
        if element.choices:
            pair = self.temporary()
            chosen = _call("_choose", run, self.kept(element.choices), value, site, at)
            first = ast.Subscript(_name(pair), _constant(0), ast.Load())
            second = ast.Subscript(_name(pair), _constant(1), ast.Load())
            put: list[ast.stmt] = [
                _set(result, second),
                ast.Assign([ast.Subscript(_name(owner), first, ast.Store())], second),
            ]
            if self.traced:
                put.append(self.noted(rule.id, last, owner, first, result))
            unset = [_set(result, _constant(None))] if target.variable else []
            return [_set(pair, chosen), *unset, ast.If(_not_none(pair), put, [])]
        if element.open:
            statements.append(_set(result, self.opened(value)))
            put = [ast.Expr(_call("_loose", _name(owner), key, _name(result)))]
        else:
            if not (element.primitive and self.trusted(element, target.value)):
                value = self.converted(element, value, site, at)
            statements.append(_set(result, value))
            if element.many:
                items = ast.Call(
                    ast.Attribute(_name(owner), "setdefault", ast.Load()), [key, ast.List([], ast.Load())], []
                )
                put = [ast.Expr(ast.Call(ast.Attribute(items, "append", ast.Load()), [_name(result)], []))]
                if target.mode in ("first", "last"):
                    held = ast.Subscript(_name(owner), key, ast.Load())
                    put.append(ast.Expr(_call("_arrange", run, held, _constant(target.mode))))
            else:
                put = [ast.Assign([_item(_name(owner), element.key)], _name(result))]
                if not constant:
                    twice = ast.Expr(_call("_again", run, _name(owner), key, _name(result), site, at))
                    put.insert(0, ast.If(ast.Compare(key, [ast.In()], [_name(owner)]), [twice], []))
        if self.traced:
            row = isinstance(target.value, ir.Translate)
            put.append(self.noted(rule.id, last, owner, key, result, row=row))
        return [*statements, *put] if constant else [*statements, ast.If(_not_none(result), put, [])]

    @staticmethod
    def trusted(element: ir.Element, value: ir.Value) -> bool:
        """Whether a value is of the element's type already."""
        if isinstance(value, ir.Transform):
            return element.codes is None and element.type in _EXACT and _typed(value) == element.type
        return isinstance(value, ir.Constant | ir.Translate)

    @staticmethod
    def opened(value: ast.expr) -> ast.expr:
        return _call("_open", value)

    def converted(self, element: ir.Element, value: ast.expr, site: ast.expr, at: ast.expr) -> ast.expr:
        run = _name("_R")
        if element.type in runtime.TAKE:
            taken = _call(f"_take_{element.type}", run, value, site, at)
            return _call("_bound", run, taken, site, at) if element.codes is not None else taken
        return _call("_complex", run, _constant(element.type), value, site, at)
