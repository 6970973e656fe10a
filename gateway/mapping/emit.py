"""Program to Python code objects that carry the map's file and lines: tracebacks, debuggers and coverage see the map.

Code is built as a syntax tree from a closed set of forms; no text is ever evaluated, there are no builtins in reach and
no attributes but a few of the run. Two variants: plain, and traced, which notes what each rule wrote.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from gateway.formats import Node
from gateway.mapping import build, convert, ir, runtime
from gateway.mapping import python as py
from gateway.mapping.quick import child_of_node
from gateway.mapping.quickly import HELPERS
from gateway.mapping.syntax import Text
from gateway.mapping.transforms import EXACT, TRANSFORMS
from gateway.mapping.writer import Writer

_HELPERS = {
    "_kids": runtime.kids,
    "_any": runtime.any_kids,
    "_own": runtime.own,
    "_of_type": runtime.of_type,
    "_test": runtime.test,
    "_check": runtime.check,
    "_log": runtime.log,
    "_remark": runtime.remark,
    "_counted": runtime.counted,
    "_one": runtime.one,
    "_values": runtime.values,
    "_transform": runtime.transform,
    "_raise": runtime.too_deep,
    "_cast": convert.cast,
    "_reference": runtime.reference,
    "_uuid": runtime.uuid,
    "_translate": runtime.translate,
    "_bound": convert.bound_code,
    "_complex": convert.complex_value,
    "_add": build.add,
    "_only": build.only,
    "_resource": build.resource,
    "_make_as": build.make_as,
    "_leaf_of": build.leaf,
    "_beside": build.beside,
    "_Node": Node,
    "_arrange": build.arrange,
    "_loose": build.loose,
    "_again": build.again,
    "_choose": convert.choose,
    "_leaf": runtime.leaf,
    "_open": convert.opened,
}
_HELPERS.update(HELPERS)
_MODES = {
    "first": (None, 1),
    "last": (-1, None),
    "not_first": (1, None),
    "not_last": (None, -1),
}


_LOOPS = 8
_NONE: Mapping[str, Any] = {}


class Code(NamedTuple):
    """The entry group, and by target type the groups that copy whole elements: functions of the run, the depth and the
    group's parameters.
    """

    entry: FunctionType
    copiers: dict[str, FunctionType]


def emit(
    program: ir.Program, *, traced: bool, emitter: type[Emitter] | None = None, helpers: Mapping[str, Any] = _NONE
) -> Code:
    """The program's code in one of its two variants; an `emitter` of one's own may call `helpers` of its own."""
    space: dict[str, Any] = {"__builtins__": {}, **_HELPERS, **helpers}
    space.update({f"_take_{name}": take for name, take in convert.TAKE.items()})
    space.update({f"_node_{name}": take for name, take in convert.TAKE_NODE.items()})
    for file_text, routines in _by_file(program.routines):
        module = (emitter or Emitter)(file_text, space, traced=traced, alone=program.alone).module(routines)
        code: CodeType = compile(module, file_text.path, "exec")
        exec(code, space)  # noqa: S102  the code was built above, from forms of ours
    entry: FunctionType = space[_function(program.routines[program.entry])]
    copiers = {name: space[_function(program.routines[index])] for name, index in program.copiers.items()}
    return Code(entry, copiers)


def _by_file(routines: Iterable[ir.Routine]) -> Iterable[tuple[Text, list[ir.Routine]]]:
    grouped: dict[int, tuple[Text, list[ir.Routine]]] = {}
    for routine in routines:
        grouped.setdefault(id(routine.text), (routine.text, []))[1].append(routine)
    return grouped.values()


def _function(routine: ir.Routine) -> str:
    return f"_g{routine.index}"


class Emitter(Writer):
    """Statements for the routines of one file. `alone` are the sites that are the only ones to write their element."""

    def __init__(self, text: Text, space: dict[str, Any], *, traced: bool, alone: frozenset[int]) -> None:
        super().__init__(text, space, traced=traced)
        self.alone = alone

    def module(self, routines: list[ir.Routine]) -> ast.Module:
        return ast.Module([self.routine(routine) for routine in routines], [])

    def routine(self, routine: ir.Routine) -> ast.stmt:
        self.nodes = set(routine.nodes)
        body = self.placed(self.begun(), routine.span)
        for rule in routine.rules:
            body += self.rule(rule, 0)
        arguments = [ast.arg(name) for name in ("_R", "_D", *routine.parameters)]
        function = ast.FunctionDef(
            _function(routine), ast.arguments([], arguments, None, [], [], None, []), body, [], None
        )
        return self.placed([function], routine.span)[0]

    def begun(self) -> list[ast.stmt]:
        """How each group begins: not too deep, a step more, and what each of its steps calls at hand."""
        found = [
            py.when(ast.Compare(py.name("_D"), [ast.Gt()], [py.const(runtime.DEPTH)]), [py.effect(py.call("_raise"))]),
            py.let("_S", py.attribute("_R", "tick")),
            py.effect(py.call("_S")),
        ]
        return [*found, py.let("_T", py.attribute("_R", "note"))] if self.traced else found

    # Rules

    def rule(self, rule: ir.Rule, around: int) -> list[ast.stmt]:
        """A rule inside `around` loops. Python nests twenty at most: deep inside, a path is one loop."""
        steps = sum(len(source.path) for source in rule.sources)
        by_step = around + steps <= _LOOPS
        around += steps if by_step else len(rule.sources)
        for source in rule.sources:
            if source.context in self.nodes and source.default is None:
                self.nodes.add(source.variable)
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
            body += self.rule(nested, around)
        if not body:
            body = self.placed([ast.Pass()], rule.span)
        for source in reversed(rule.sources):
            body = self.placed(self.source(source, body, by_step=by_step), source.span)
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
            py.const(rule),
            py.name(at),
            py.name(owner) if owner else py.const(None),
            key or py.const(None),
            py.attribute("_R", "row") if row else py.const(None),
            py.name(item) if item else py.const(None),
        ]
        return py.effect(py.call("_T", py.tuple_of(*parts)))

    def source(self, source: ir.Source, body: list[ast.stmt], *, by_step: bool) -> list[ast.stmt]:
        variable, site = source.variable, py.const(source.site)
        clauses: list[ast.stmt] = []
        if source.check:
            shown = py.const(source.check.text)
            clauses.append(py.effect(py.call("_check", *self.asked(source.check, variable), site, shown)))
        if source.log:
            clauses.append(py.effect(py.call("_log", *self.asked(source.log, variable), site)))
        if source.remark:
            remark = py.call("_remark", py.name("_R"), py.const(source.remark), site, py.name(variable))
            clauses.append(py.effect(remark))
        inner = [*self.placed(clauses, source.span), *body]
        where = self.condition(source.where, variable, source.site) if source.where else None
        plain_items = source.mode is None and source.cardinality is None
        if not source.path and source.default is None and plain_items and source.type is None:
            bound = [] if variable == source.context else [py.let(variable, py.name(source.context))]
            return [*bound, py.when(where, inner)] if where else [*bound, *inner]
        if plain_items and source.default is None and source.type is None and (by_step or len(source.path) == 1):
            if where:
                inner = self.placed([py.when(where, inner)], source.span)
            names = [*(self.temporary() for _ in source.path[:-1]), variable]
            before = [source.context, *names[:-1]]
            if source.context in self.nodes:
                self.nodes.update(names)
            for step, name, owner in reversed(list(zip(source.path, names, before, strict=True))):
                inner = [self.loop(name, self.stepped(owner, step), inner)]
            return inner
        return [*self.listed(source, where), self.loop(variable, py.name("_items"), inner)]

    def loop(self, name: str, items: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        return ast.For(ast.Name(name, py.STORE), items, [py.effect(py.call("_S")), *body], [])

    def stepped(self, owner: str, step: ir.Step) -> ast.expr:
        if not step.names or step.names == ("value",):
            return py.call("_own", py.name(owner))
        if len(step.names) > 1:
            return py.call("_any", py.name(owner), self.kept(step.names))
        if owner in self.nodes:
            return child_of_node(py.name(owner), step.names[0])
        return py.call("_kids", py.name(owner), py.const(step.names[0]))

    def listed(self, source: ir.Source, where: ast.expr | None) -> list[ast.stmt]:
        """`_items`: what the source gives after type, condition, list mode, cardinality and default."""
        if source.context:
            names = [self.temporary() for _ in source.path]
            first = self.temporary()
            if source.context in self.nodes:
                self.nodes.update((first, *names))
            generators = [py.clause(first, py.tuple_of(py.name(source.context)))]
            for name, owner, step in zip(names, [first, *names[:-1]], source.path, strict=True):
                generators.append(py.clause(name, self.stepped(owner, step)))
            items = py.comprehension(py.name(names[-1] if names else first), *generators)
        else:
            read = source.default
            assert isinstance(read, ir.Read)
            items = self.results(read, None, source.site)
        if source.type:
            items = py.call("_of_type", items, py.const(source.type))
        if where:
            items = py.comprehension(py.name(source.variable), py.clause(source.variable, items, where))
        if source.mode in _MODES:
            low, high = _MODES[source.mode]
            stretch = ast.Slice(None if low is None else py.const(low), None if high is None else py.const(high))
            items = py.item(items, stretch)
        cardinality = (0, 1) if source.mode == "only_one" else source.cardinality
        if cardinality:
            low_high = [py.const(bound) for bound in cardinality]
            at = py.name(source.context) if source.context else py.const(None)
            items = py.call("_counted", py.name("_R"), items, *low_high, py.const(source.site), at)
        if source.default is not None and source.context:
            default = py.tuple_of(self.value(source.default, source.site, source.context))
            items = ast.BoolOp(ast.Or(), [items, default])
        return [py.let("_items", items)]

    def invoke(self, call: ir.Invoke, rule: ir.Rule, last: str) -> ast.stmt:
        depth = ast.BinOp(py.name("_D"), ast.Add(), py.const(1))
        site = rule.sources[-1].site if rule.sources else 0
        arguments = [self.value(argument, site, last) for argument in call.arguments]
        return py.effect(py.call(f"_g{call.routine}", py.name("_R"), depth, *arguments))

    # Targets

    def target(self, rule: ir.Rule, target: ir.Target, last: str) -> tuple[list[ast.stmt], bool]:
        """The statements, and whether they note what they write."""
        if target.context is None:
            return [py.let(target.variable or "_", self.value(target.value, target.site, last))], False
        statements: list[ast.stmt] = []
        owner = target.context
        for element in target.path[:-1]:
            made = self.temporary()
            statements.append(py.let(made, self.made(py.name(owner), element, None)))
            owner = made
        element = target.path[-1]
        if isinstance(target.value, ir.Make):
            variable = target.variable or self.temporary()
            statements.append(py.let(variable, self.made(py.name(owner), element, target)))
            return statements, False
        several = self.many_values(target.value, target.site, last) if element.many else None
        given = self.temporary()
        if several is not None:
            if target.variable:  # An expression without values leaves the variable empty.
                statements.append(py.let(target.variable, self.absent(element)))
            put = self.put(rule, target, element, owner, py.name(given), last)
            statements.append(self.loop(given, several, put))
            return statements, True
        value = self.value(target.value, target.site, last)
        statements += self.put(rule, target, element, owner, value, last)
        return statements, True

    def made(self, owner: ast.expr, element: ir.Element, target: ir.Target | None) -> ast.expr:
        value = target.value if target else None
        if element.primitive:
            placed = [py.const(part) for part in ((target.mode, target.share) if target else ())]
            return py.call("_leaf_of", py.name("_R"), owner, py.const(element.key), py.const(element.many), *placed)
        resource = value.type if isinstance(value, ir.Make) and value.resource else None
        where = (py.name("_R"), owner, py.const(element.key))
        if element.many:
            item = py.literal({"resourceType": resource} if resource else {})
            if target and target.mode:
                return py.call("_make_as", *where, item, py.const(target.mode), py.const(target.share))
            return py.call("_add", *where, item)
        return py.call("_resource", *where, py.const(resource)) if resource else py.call("_only", *where)

    def put(
        self, rule: ir.Rule, target: ir.Target, element: ir.Element, owner: str, value: ast.expr, last: str
    ) -> list[ast.stmt]:
        """`if (t := converted) is not None: put it, note it`."""
        result = target.variable or self.temporary()
        if element.choices:
            return self.put_choice(rule, target, element.choices, (owner, result), value, last)
        key: ast.expr = py.const(element.key)
        if element.open:
            value = py.call("_open", value)
            filled = [py.effect(py.call("_loose", py.name(owner), key, py.name(result)))]
        else:
            if not self.trusted(element, target.value):
                value = self.converted(element, target, value, last)
            filled = (
                self.append(target, owner, key, result)
                if element.many
                else self.assign(target, owner, key, result, last)
            )
        if self.traced:
            row = isinstance(target.value, ir.Translate)
            filled.append(self.noted(rule.id, last, owner, key, result, row=row))
        made = py.let(result, value)
        if element.primitive and isinstance(target.value, ir.Variable):
            # A FHIR primitive comes with its extensions. Fields of HL7 v2, which are no plain nodes, are not split.
            given = target.value.name
            plain = ast.Compare(py.attribute(given, "__class__"), [ast.Is()], [py.name("_Node")])
            arguments = [py.const(part) for part in (target.site, element.many, self.traced)]
            taken = py.call("_beside", py.name("_R"), py.name(owner), key, py.name(given), *arguments)
            return [
                made,
                py.when(py.not_none(result), filled),
                py.when(ast.BoolOp(ast.And(), [plain, py.attribute(given, "kids")]), [py.effect(taken)]),
            ]
        if isinstance(target.value, ir.Constant) and (element.open or self.trusted(element, target.value)):
            return [made, *filled]
        put = [made, py.when(py.not_none(result), filled)]
        if target.variable and not element.primitive and not element.open:
            put.append(py.when(py.is_none(result), [py.let(result, self.absent(element))]))
        return put

    def absent(self, element: ir.Element) -> ast.expr:
        """For a variable whose element was left out: what rules put into it is left out with it."""
        return py.const(None) if element.primitive or element.open else py.literal({})

    def put_choice(
        self,
        rule: ir.Rule,
        target: ir.Target,
        choices: dict[str, str],
        names: tuple[str, str],
        value: ast.expr,
        last: str,
    ) -> list[ast.stmt]:
        """A choice element whose type the value decides."""
        owner, result = names
        pair = self.temporary()
        chosen = py.call("_choose", py.name("_R"), self.kept(choices), value, py.const(target.site), py.name(last))
        key, held = py.item(py.name(pair), py.const(0)), py.item(py.name(pair), py.const(1))
        filled = [py.let(result, held), py.put(py.name(owner), key, py.name(result))]
        if self.traced:
            filled.append(self.noted(rule.id, last, owner, key, result))
        return [py.let(result, py.const(None)), py.let(pair, chosen), py.when(py.not_none(pair), filled)]

    @staticmethod
    def append(target: ir.Target, owner: str, key: ast.expr, result: str) -> list[ast.stmt]:
        items = py.method(py.name(owner), "setdefault", key, py.literal([]))
        filled = [py.effect(py.method(items, "append", py.name(result)))]
        if target.mode in ("first", "last"):
            held = py.item(py.name(owner), key)
            filled.append(py.effect(py.call("_arrange", py.name("_R"), held, py.const(target.mode))))
        return filled

    def assign(self, target: ir.Target, owner: str, key: ast.expr, result: str, last: str) -> list[ast.stmt]:
        """Put the one value; a constant may be written over, another value may not be lost in silence."""
        filled = [py.put(py.name(owner), key, py.name(result))]
        if not isinstance(target.value, ir.Constant) and target.site in self.alone:
            arguments = [py.name("_R"), py.name(owner), key, py.name(result), py.const(target.site), py.name(last)]
            twice = py.effect(py.call("_again", *arguments))
            filled.insert(0, py.when(ast.Compare(key, [ast.In()], [py.name(owner)]), [twice]))
        return filled

    @staticmethod
    def trusted(element: ir.Element, value: ir.Value) -> bool:
        """Whether a value is known to be of the element's type."""
        match value:
            case ir.Constant():
                return element.primitive
            case ir.Translate(_, table, "code"):
                return element.primitive and not (element.codes and table.gives_unlisted)
            case ir.Transform(name) if name in EXACT:
                return element.type == TRANSFORMS[name].type
        return False

    def converted(self, element: ir.Element, target: ir.Target, value: ast.expr, last: str) -> ast.expr:
        run, site, at = py.name("_R"), py.const(target.site), py.name(last)
        if element.type not in convert.TAKE:
            return py.call("_complex", run, py.const(element.type), value, site, at)
        if isinstance(target.value, ir.Variable) and target.value.name in self.nodes:
            taken = py.call(f"_node_{element.type}", run, value, site)
        else:
            taken = py.call(f"_take_{element.type}", run, value, site, at)
        return py.call("_bound", run, taken, site, at) if element.codes is not None else taken
