"""From syntax trees to a program: names looked up, types followed, every mistake reported with its place.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#rules
"""

from __future__ import annotations

import keyword
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from gateway.definitions import Definitions
from gateway.mapping import ir, primitives, syntax, times
from gateway.mapping.conceptmap import OUTPUTS, ConceptTable
from gateway.mapping.expressions import compiled
from gateway.mapping.lexer import unescape
from gateway.mapping.library import Library
from gateway.mapping.model import Model
from gateway.mapping.problems import Problems, did_you_mean
from gateway.mapping.syntax import Expression, Group, Literal, Map, Name, Span
from gateway.mapping.transforms import NAMES, TRANSFORMS

ENVIRONMENT = ("source", "record")
"""FHIRPath variables that every expression has: `%source.hsaId`, `%record.kind`."""
_STRING = re.compile(r"'(?:\\.|[^'\\])*'")
_ZONE = ZoneInfo("UTC")
_LITERAL_TYPES = {bool: "boolean", int: "integer", str: "string"}


@dataclass(frozen=True, slots=True)
class _Variable:
    code: str
    mode: str
    type: str | None


Scope = Mapping[str, _Variable]


@dataclass(slots=True)
class _Place:
    """Where the resolver is: the map, the routine it fills, the rule."""

    map: Map
    routine: ir.Routine
    group: Group
    names: Counter[str]
    rule: int = 0

    def name(self, wanted: str) -> str:
        """A name in the code for an FML variable: itself where Python allows it, numbered where it is taken."""
        base = wanted if wanted.isidentifier() and not keyword.iskeyword(wanted) and wanted[0] != "_" else "v_"
        self.names[base] += 1
        return base if self.names[base] == 1 and base != "v_" else f"{base}_{self.names[base]}"


def resolve(
    library: Library, definitions: Definitions, problems: Problems, map_url: str, group_name: str | None = None
) -> ir.Program:
    """The program that starts in a group (a map's first when none is named); unusable where problems were noted."""
    return _Resolver(library, definitions, problems).program(map_url, group_name)


class _Resolver:
    def __init__(self, library: Library, definitions: Definitions, problems: Problems) -> None:
        self.library = library
        self.definitions = definitions
        self.model = Model(definitions)
        self.problems = problems
        self.routines: dict[tuple[int, tuple[str | None, ...]], ir.Routine] = {}
        self.waiting: deque[tuple[ir.Routine, Map, Group, tuple[str | None, ...]]] = deque()
        self.rules: dict[tuple[str, int], int] = {}
        self.rule_ids: list[ir.RuleId] = []
        self.sites: list[ir.Site] = []
        self.writers: dict[tuple[str | None, str], set[tuple[int, str]]] = {}
        self.written_at: dict[int, tuple[str | None, str]] = {}
        self.tables: dict[str, ConceptTable] = {}
        self.type_groups: dict[str, Mapping[tuple[str, str], tuple[Map, Group]]] = {}

    def program(self, map_url: str, group_name: str | None) -> ir.Program:
        found = self.library.maps[map_url]
        group = next((g for g in found.groups if g.name == group_name), None) if group_name else None
        if group is None:
            if group_name:
                hint = did_you_mean(group_name, (g.name for g in found.groups))
                self.problems.add(found.text, Span(0, 1), f"the map has no group '{group_name}'", hint)
            if not found.groups:
                return ir.Program(0, (), ())
            group = found.groups[0]
        entry = self.routine(found, group, tuple(None for _ in group.parameters))
        self._work()
        program = ir.Program(
            entry=entry.index,
            modes=tuple(p.mode for p in group.parameters),
            types=tuple(self.type_named(found, p.type, p.span) for p in group.parameters),
            routines=list(self.routines.values()),
            rules=self.rule_ids,
            sites=self.sites,
            tables=list(self.tables.values()),
            alone=frozenset(site for site, element in self.written_at.items() if len(self.writers[element]) == 1),
        )
        # Groups that nothing reaches are looked through as well, for their mistakes only.
        started = {id(g) for _, g in ((m, g) for m in [found] for g in m.groups)}
        reached = {key[0] for key in self.routines}
        for other in found.groups:
            if id(other) in started - reached:
                self.routine(found, other, tuple(None for _ in other.parameters))
        self._work()
        return program

    def _work(self) -> None:
        while self.waiting:
            routine, found, group, types = self.waiting.popleft()
            self._fill(routine, found, group, types)

    # Groups

    def routine(self, found: Map, group: Group, given: Sequence[str | None]) -> ir.Routine:
        """The group for these argument types, made on first use."""
        declared = [self.type_named(found, p.type, p.span) for p in group.parameters]
        types = tuple(self.model.narrower(g, d) for g, d in zip(given, declared, strict=True))
        key = (id(group), types)
        routine = self.routines.get(key)
        if routine is None:
            routine = ir.Routine(len(self.routines), group.name, found.text, group.span, ())
            self.routines[key] = routine
            self.waiting.append((routine, found, group, types))
        return routine

    def _fill(self, routine: ir.Routine, found: Map, group: Group, types: tuple[str | None, ...]) -> None:
        place = _Place(found, routine, group, Counter())
        scope: dict[str, _Variable] = {}
        for parameter, type_name in zip(group.parameters, types, strict=True):
            if parameter.name in scope:
                self.problems.add(found.text, parameter.span, f"two parameters are named '{parameter.name}'")
            scope[parameter.name] = _Variable(place.name(parameter.name), parameter.mode, type_name)
        routine.parameters = tuple(variable.code for variable in scope.values())
        extended = self._extended(place, scope)
        routine.rules = (*extended, *(self.rule(place, rule, scope) for rule in group.rules))

    def _extended(self, place: _Place, scope: Scope) -> tuple[ir.Rule, ...]:
        """The rules of the group that this one extends, as one call."""
        group = place.group
        if group.extends is None or group.extends_span is None:
            return ()
        base = self.group_named(place.map, group.extends, group.extends_span)
        if base is None:
            return ()
        arguments: list[_Variable] = []
        by_mode = {mode: [v for v in scope.values() if v.mode == mode] for mode in ("source", "target")}
        taken: Counter[str] = Counter()
        for parameter in base[1].parameters:
            same = scope.get(parameter.name)
            variables = by_mode[parameter.mode]
            position = taken[parameter.mode]
            taken[parameter.mode] += 1
            variable = same if same and same.mode == parameter.mode else None
            if variable is None and position < len(variables):
                variable = variables[position]
            if variable is None:
                text = f"'{group.extends}' has a {parameter.mode} '{parameter.name}' that '{group.name}' has not"
                self.problems.add(place.map.text, group.extends_span, text)
                return ()
            arguments.append(variable)
        routine = self.routine(*base, [v.type for v in arguments])
        call = ir.Invoke(routine.index, tuple(ir.Variable(v.code) for v in arguments), group.extends_span)
        return (ir.Rule(-1, (), (), (call,), (), group.extends_span),)

    def group_named(self, found: Map, name: str, span: Span) -> tuple[Map, Group] | None:
        scope = self.library.scope(found.url)
        groups = scope.get(name)
        if not groups:
            hint = did_you_mean(name, scope) or "write the group, or import the map that has it"
            self.problems.add(found.text, span, f"there is no group '{name}'", hint)
            return None
        if len(groups) > 1 and groups[0][0] is not found:
            maps = ", ".join(owner.url for owner, _ in groups)
            self.problems.add(found.text, span, f"several imported maps have a group '{name}'", maps)
        return groups[0]

    def type_named(self, found: Map, name: str | None, span: Span) -> str | None:
        """A FHIR type; None for what is not typed or not FHIR."""
        if name is None:
            return None
        for uses in found.uses:
            if uses.alias == name:
                return self.model.of_canonical(uses.url)
        if self.model.known(name):
            return name
        hint = did_you_mean(name, [*(uses.alias for uses in found.uses), *self.model.names()])
        self.problems.add(found.text, span, f"there is no type '{name}'", hint or 'declare it: uses "url" as ...')
        return None

    # Rules

    def rule_id(self, place: _Place, rule: syntax.Rule) -> int:
        key = (place.map.url, rule.span.start)
        known = self.rules.get(key)
        if known is None:
            known = self.rules[key] = len(self.rule_ids)
            line, column = place.map.text.place(rule.span.start)
            self.rule_ids.append(
                ir.RuleId(place.map.url, place.group.name, rule.name or "", place.map.text.file, line, column)
            )
        return known

    def site(self, place: _Place, path: str, codes: frozenset[str] | None = None) -> int:
        self.sites.append(ir.Site(place.rule, path, codes))
        return len(self.sites) - 1

    def rule(self, place: _Place, rule: syntax.Rule, outer: Scope) -> ir.Rule:
        number = self.rule_id(place, rule)
        place.rule = number
        scope = dict(outer)
        sources = tuple(self.source(place, source, scope) for source in rule.sources)
        last = sources[-1]
        copied = self._simple_copy(place, rule, scope, last)
        if copied is not None:
            targets, calls = copied
        else:
            targets, calls = [], []
            for target in rule.targets:
                made = self.target(place, target, scope, last)
                if isinstance(made, ir.Invoke):
                    calls.append(made)
                elif made is not None:
                    targets.append(made)
        calls += [found for call in rule.calls if (found := self.invoke(place, call, scope, last))]
        nested = []
        for inner in rule.rules:
            nested.append(self.rule(place, inner, scope))
            place.rule = number
        return ir.Rule(number, sources, tuple(targets), tuple(calls), tuple(nested), rule.span)

    def source(self, place: _Place, source: syntax.Source, scope: dict[str, _Variable]) -> ir.Source:
        context = scope.get(source.context)
        steps: list[ir.Step] = []
        type_name = context.type if context else None
        default: ir.Value | None = None
        if context is None and not self._constant(place, source.context):
            self.unknown(place, source.context, source.span, scope)
        for position, name in enumerate(source.path):
            wanted = source.type if position == len(source.path) - 1 else None
            step = self.model.source(type_name, name, wanted)
            if step is None:
                hint = did_you_mean(name, self.model.element_names(type_name or ""))
                self.problems.add(place.map.text, source.span, f"{type_name} has no element '{name}'", hint)
                step = ir.Step((name,), None)
            steps.append(step)
            type_name = step.type
        wanted_type = source.type if source.type and type_name != source.type else None
        if wanted_type and self.model.known(wanted_type):
            type_name = wanted_type
        alias = source.alias or ("" if source.path else source.context)
        code = place.name(alias or source.path[-1])
        variable = _Variable(code, "source" if source.path or context is None else context.mode, type_name)
        if alias:
            scope[alias] = variable
        if source.default is not None:
            default = self.argument(place, source.default, scope, code)
        where = source.where and self.read(place, source.where, scope)
        check = source.check and self.read(place, source.check, scope)
        remark = _word_for_word(source.log)
        log = self.read(place, source.log, scope) if source.log and remark is None else None
        start: str
        if context is not None:
            start = context.code
        else:
            constant = self._constant(place, source.context)
            start = ""
            default = self.read(place, constant.value, {}) if constant else None
        return ir.Source(
            context=start,
            path=tuple(steps),
            variable=code,
            site=self.site(place, ".".join((source.context, *source.path))),
            span=source.span,
            type=wanted_type,
            cardinality=source.cardinality,
            default=default,
            mode=source.mode,
            where=where or None,
            check=check or None,
            log=log,
            remark=remark,
        )

    def unknown(self, place: _Place, name: str, span: Span, scope: Scope) -> None:
        known = [*scope, *(constant.name for constant in place.map.constants)]
        hint = did_you_mean(name, known) or f"known here: {', '.join(known)}"
        self.problems.add(place.map.text, span, f"there is no variable '{name}'", hint)

    @staticmethod
    def _constant(place: _Place, name: str) -> syntax.Constant | None:
        return next((constant for constant in place.map.constants if constant.name == name), None)

    # Values

    def read(self, place: _Place, expression: Expression, scope: Scope) -> ir.Read:
        constants = {constant.name: constant for constant in place.map.constants if constant.name not in scope}
        inlined = self._inline(expression, constants)
        path, used = compiled(inlined, [*scope, *ENVIRONMENT], self.definitions, place.map.text, self.problems)
        variables = tuple((name, scope[name].code) for name in used if name in scope)
        return ir.Read(path, inlined.text, variables, expression.span)

    def _inline(self, expression: Expression, constants: Mapping[str, syntax.Constant]) -> Expression:
        """A `let` constant stands for its expression; constants may use others, not themselves."""
        text = expression.text
        for _ in constants:
            replaced = text
            for name, constant in constants.items():
                replaced = re.sub(rf"(?<![\w.'`])%?{re.escape(name)}(?![\w'`(])", f"({constant.value.text})", replaced)
            if replaced == text:
                break
            text = replaced
        return expression if text == expression.text else replace(expression, text=text)

    def argument(self, place: _Place, argument: syntax.Argument, scope: Scope, focus: str) -> ir.Value:
        if isinstance(argument, Literal):
            return ir.Constant(argument.value)
        if isinstance(argument, Expression):
            return self.read(place, argument, scope)
        variable = scope.get(argument.text)
        if variable is not None:
            return ir.Variable(variable.code)
        constant = self._constant(place, argument.text)
        if constant is not None:
            return self.read(place, Expression(argument.text, argument.span), {})
        self.unknown(place, argument.text, argument.span, scope)
        return ir.Constant(None)

    def argument_type(self, argument: syntax.Argument | None, scope: Scope) -> str | None:
        if isinstance(argument, Name):
            variable = scope.get(argument.text)
            return variable.type if variable else None
        return _LITERAL_TYPES.get(type(argument.value), "decimal") if isinstance(argument, Literal) else None

    # Targets

    def target(
        self, place: _Place, target: syntax.Target, scope: dict[str, _Variable], last: ir.Source
    ) -> ir.Target | ir.Invoke | None:
        transform = target.transform
        if target.context is None:
            if isinstance(transform, syntax.Call) and transform.name not in NAMES:
                return self.invoke(place, transform, scope, last)
            return self._variable_only(place, target, scope, last)
        context = scope.get(target.context)
        if context is None:
            self.unknown(place, target.context, target.span, scope)
            return None
        if not target.path:
            return self._whole(place, target, scope, context, last)
        elements = self._elements(place, target, context)
        if elements is None:
            return None
        *_, element = elements
        shown = ".".join((context.type or target.context, *target.path))
        value, type_name = self.value(place, transform, scope, last, element)
        if value is None:
            return None
        element, value = self._fitting(place, target, element, value, type_name, shown)
        owner = context.type if len(elements) == 1 else f"{context.type}.{'.'.join(target.path[:-1])}"
        site = self.site(place, shown, element.codes)
        if not element.many and not isinstance(value, ir.Make):
            self.written_at[site] = (owner, element.key)
            self.writers.setdefault((owner, element.key), set()).add((place.rule, shown))
        code = None
        if target.alias:
            code = place.name(target.alias)
            made = element.type
            if isinstance(value, ir.Make) and value.type:
                made = value.type
            elif element.type and self.model.is_abstract(element.type) and type_name:
                made = type_name
            scope[target.alias] = _Variable(code, "target", made)
        return ir.Target(
            context.code, (*elements[:-1], element), value, site, target.span, code, target.mode, target.share
        )

    def _variable_only(
        self, place: _Place, target: syntax.Target, scope: dict[str, _Variable], last: ir.Source
    ) -> ir.Target | None:
        """`(expression) as x`, `create('Patient') as p`: nothing is written, a variable is made."""
        value, type_name = self.value(place, target.transform, scope, last, None)
        if value is None:
            return None
        if not target.alias:
            text = "what is made here is put nowhere"
            self.problems.add(place.map.text, target.span, text, "give it a name: ... as x")
            return None
        code = place.name(target.alias)
        scope[target.alias] = _Variable(code, "target" if isinstance(value, ir.Make) else "source", type_name)
        return ir.Target(None, (), value, self.site(place, target.alias), target.span, code)

    def _whole(
        self,
        place: _Place,
        target: syntax.Target,
        scope: dict[str, _Variable],
        context: _Variable,
        last: ir.Source,
    ) -> ir.Target | None:
        """`tgt as x`: another name for a variable. `tgt = v` would put a value in the place of a variable."""
        if target.transform is not None:
            if not self.model.is_primitive(context.type):
                text = f"'{target.context}' itself cannot be given a value"
                self.problems.add(place.map.text, target.span, text, f"name an element: {target.context}.element = ...")
            return None
        if target.alias:
            scope[target.alias] = context
        return None

    def _elements(self, place: _Place, target: syntax.Target, context: _Variable) -> list[ir.Element] | None:
        type_name = context.type
        elements: list[ir.Element] = []
        if context.mode == "source" and self.model.known(type_name):
            text = f"'{target.context}' is a source: rules write into targets"
            self.problems.add(place.map.text, target.span, text)
            return None
        if self.model.is_primitive(type_name):
            text = f"'{target.context}' is a {type_name}: it has a value, not elements"
            hint = "give the value where the element is made: tgt.element = value"
            self.problems.add(place.map.text, target.span, text, hint)
            return None
        for position, name in enumerate(target.path):
            element = self.model.target(type_name, name)
            if element is None:
                hint = did_you_mean(name, self.model.element_names(type_name or ""))
                self.problems.add(place.map.text, target.span, f"{type_name} has no element '{name}'", hint)
                return None
            if position < len(target.path) - 1 and (element.primitive or element.choices):
                self.problems.add(place.map.text, target.span, f"{type_name}.{name} has no elements of its own")
                return None
            elements.append(element)
            type_name = element.type
        return elements

    def _fitting(
        self,
        place: _Place,
        target: syntax.Target,
        element: ir.Element,
        value: ir.Value,
        type_name: str | None,
        shown: str,
    ) -> tuple[ir.Element, ir.Value]:
        """The element as one type, and the value checked against it as far as both are known."""
        text, span = place.map.text, target.span
        if element.choices:
            fitting = type_name
            if type_name is not None and type_name not in element.choices:
                fitting = next((t for t in element.choices if self.model.fits(type_name, t)), None)
                if isinstance(value, ir.Constant | ir.Transform) and type_name == "string":
                    fitting = next((t for t in ("string", "code", "uri") if t in element.choices), None)
                if fitting is None:
                    self.problems.add(text, span, f"{shown} cannot be a {type_name}", f"it can be {_one_of(element)}")
            if fitting is None and isinstance(value, ir.Make):
                hint = f"say which: create('{next(iter(element.choices))}'); it can be {_one_of(element)}"
                self.problems.add(text, span, f"{shown} can be of several types", hint)
            chosen = self.model.chosen(element, fitting) if fitting else None
            element = chosen or element
        elif isinstance(value, ir.Make):
            if element.primitive:
                self.problems.add(text, span, f"{shown} is a {element.type} and needs a value", "write = value")
            elif value.type is None and self.model.is_abstract(element.type):
                self.problems.add(text, span, f"{shown} can be any {element.type}", "say which: create('Patient')")
            elif value.type and not self.model.fits(value.type, element.type):
                self.problems.add(text, span, f"{shown} is a {element.type}, not a {value.type}")
        elif element.type and type_name and self.model.known(type_name):
            complex_value = not self.model.is_primitive(type_name)
            if complex_value == element.primitive or (complex_value and not self.model.fits(type_name, element.type)):
                self.problems.add(text, span, f"{shown} is a {element.type}, not a {type_name}")
        if isinstance(value, ir.Constant):
            value = self._constant_for(place, target, element, value, shown)
        if isinstance(value, ir.Translate) and element.codes is not None:
            self._check_table(place, target, element, value, shown)
        return element, value

    def _constant_for(
        self, place: _Place, target: syntax.Target, element: ir.Element, value: ir.Constant, shown: str
    ) -> ir.Constant:
        span = target.transform.span if target.transform else target.span
        if element.codes is not None and value.value not in element.codes:
            hint = did_you_mean(str(value.value), element.codes) or f"one of {', '.join(sorted(element.codes)[:12])}"
            self.problems.add(place.map.text, span, f"{shown} cannot be {value.value!r}", hint)
        convert = primitives.CONVERT.get(element.type or "")
        if convert is None:
            return value
        try:
            return ir.Constant(convert(value.value, _ZONE, lambda: None))
        except times.Unfit as error:
            self.problems.add(place.map.text, span, f"{shown}: {error}")
            return value

    def _check_table(
        self, place: _Place, target: syntax.Target, element: ir.Element, value: ir.Translate, shown: str
    ) -> None:
        allowed = element.codes or frozenset()
        for _, code in value.table.target_codes():
            if value.output == "code" and code not in allowed:
                hint = did_you_mean(code, allowed)
                text = f"{value.table.url} gives '{code}', which {shown} cannot be"
                self.problems.add(place.map.text, target.span, text, hint)

    # Transforms

    def value(
        self,
        place: _Place,
        transform: syntax.Argument | syntax.Call | None,
        scope: Scope,
        last: ir.Source,
        element: ir.Element | None,
    ) -> tuple[ir.Value | None, str | None]:
        """What a transform gives, and its type where that is known."""
        if transform is None:
            return ir.Make(None), None
        if not isinstance(transform, syntax.Call):
            return self.argument(place, transform, scope, last.variable), self.argument_type(transform, scope)
        special = getattr(self, f"_{transform.name.lower()}", None) if transform.name in NAMES else None
        if special is not None:
            found: tuple[ir.Value | None, str | None] = special(place, transform, scope, last, element)
            return found
        definition = TRANSFORMS.get(transform.name)
        if definition is None:
            hint = did_you_mean(transform.name, NAMES) or f"known: {', '.join(NAMES)}"
            self.problems.add(place.map.text, transform.span, f"there is no transform '{transform.name}'", hint)
            return None, None
        if not self._counted(place, transform, definition.least, definition.most):
            return None, None
        arguments = tuple(self.argument(place, a, scope, last.variable) for a in transform.arguments)
        self._check_format(place, transform)
        return ir.Transform(transform.name, arguments), definition.type

    def _counted(self, place: _Place, call: syntax.Call, least: int, most: int | None) -> bool:
        count = len(call.arguments)
        if count >= least and (most is None or count <= most):
            return True
        wanted = f"{least}" if most == least else f"{least} to {most}" if most else f"{least} or more"
        self.problems.add(place.map.text, call.span, f"{call.name} takes {wanted} arguments, not {count}")
        return False

    def _check_format(self, place: _Place, call: syntax.Call) -> None:
        if call.name in ("toDate", "toDateTime", "toTime") and len(call.arguments) == 2:
            pattern = call.arguments[1]
            if isinstance(pattern, Literal):
                try:
                    times.regex(str(pattern.value))
                except times.Unfit as error:
                    self.problems.add(place.map.text, pattern.span, str(error))

    def _create(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 0 if element else 1, 1):
            return None, None
        if not call.arguments:
            return ir.Make(None), None
        argument = call.arguments[0]
        if not isinstance(argument, Literal):
            self.problems.add(place.map.text, argument.span, "create takes a type in quotes", "create('Patient')")
            return None, None
        name = str(argument.value)
        declared = next((uses for uses in place.map.uses if uses.alias == name), None)
        type_name = self.model.of_canonical(declared.url if declared else name)
        if type_name is None and not declared:
            hint = did_you_mean(name, self.model.names())
            self.problems.add(place.map.text, argument.span, f"there is no type '{name}'", hint)
            return None, None
        return ir.Make(type_name, self.model.is_resource(type_name)), type_name

    def _copy(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 1, 1):
            return None, None
        (argument,) = call.arguments
        return self.argument(place, argument, scope, last.variable), self.argument_type(argument, scope)

    def _cast(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 1, 2):
            return None, None
        type_name = element.type if element else None
        if len(call.arguments) == 2:
            wanted = call.arguments[1]
            type_name = str(wanted.value) if isinstance(wanted, Literal) else ""
            if type_name not in primitives.CONVERT:
                hint = did_you_mean(type_name, primitives.CONVERT)
                self.problems.add(place.map.text, wanted.span, f"there is no primitive type '{type_name}'", hint)
                return None, None
        if type_name not in primitives.CONVERT:
            self.problems.add(place.map.text, call.span, "cast has to say to which primitive type", "cast(v, 'string')")
            return None, None
        value = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("cast", (value, ir.Constant(type_name))), type_name

    def _translate(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 2, 3):
            return None, None
        value, url, *rest = call.arguments
        output = rest[0].value if rest and isinstance(rest[0], Literal) else "code"
        if output not in OUTPUTS:
            hint = f"one of {', '.join(OUTPUTS)}"
            self.problems.add(place.map.text, rest[0].span, f"translate cannot give '{output}'", hint)
            return None, None
        table = self.library.table(place.map.url, str(url.value)) if isinstance(url, Literal) else None
        if table is None:
            shown = str(url.value) if isinstance(url, Literal) else ""
            hint = did_you_mean(shown, self.library.table_names(place.map.url))
            self.problems.add(place.map.text, url.span, f"there is no ConceptMap '{shown}'", hint)
            return None, None
        self.tables[table.url] = table
        made = {"code": "code", "system": "uri", "display": "string"}.get(str(output), str(output))
        return ir.Translate(self.argument(place, value, scope, last.variable), table, str(output)), made

    def _evaluate(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 1, 2):
            return None, None
        expression = call.arguments[-1]
        if isinstance(expression, Literal) and isinstance(expression.value, str):
            expression = Expression(expression.value, expression.span)
        elif isinstance(expression, Literal | Name):
            source = place.map.text.content[expression.span.start : expression.span.end]
            expression = Expression(source, expression.span)
        read = self.read(place, expression, scope)
        if len(call.arguments) == 1:
            return read, None
        focus = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("evaluate", (focus, read)), None

    def _uuid(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        return (ir.Transform("uuid", ()), "id") if self._counted(place, call, 0, 0) else (None, None)

    def _reference(
        self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> tuple[ir.Value | None, str | None]:
        if not self._counted(place, call, 1, 1):
            return None, None
        value = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("reference", (value,)), "string"

    _pointer = _reference

    # Calls

    def invoke(self, place: _Place, call: syntax.Call, scope: Scope, last: ir.Source) -> ir.Invoke | None:
        found = self.group_named(place.map, call.name, call.span)
        if found is None:
            for argument in call.arguments:
                self.argument(place, argument, scope, last.variable)
            return None
        owner, group = found
        if len(call.arguments) != len(group.parameters):
            signature = ", ".join(f"{p.mode} {p.name}" for p in group.parameters)
            text = f"'{call.name}' takes {len(group.parameters)} arguments, not {len(call.arguments)}"
            self.problems.add(place.map.text, call.span, text, f"{call.name}({signature})")
            return None
        values: list[ir.Value] = []
        types: list[str | None] = []
        for argument, parameter in zip(call.arguments, group.parameters, strict=True):
            values.append(self.argument(place, argument, scope, last.variable))
            given = self.argument_type(argument, scope)
            declared = self.type_named(owner, parameter.type, parameter.span)
            if parameter.mode == "target":
                variable = scope.get(argument.text) if isinstance(argument, Name) else None
                if variable is None or (variable.mode == "source" and variable.type is not None):
                    text = f"'{call.name}' needs a target for '{parameter.name}'"
                    self.problems.add(place.map.text, argument.span, text)
                if not self.model.fits(given, declared):
                    text = f"'{call.name}' takes a {declared} for '{parameter.name}', not a {given}"
                    self.problems.add(place.map.text, argument.span, text)
            types.append(given)
        return ir.Invoke(self.routine(owner, group, types).index, tuple(values), call.span)

    def _simple_copy(
        self, place: _Place, rule: syntax.Rule, scope: dict[str, _Variable], last: ir.Source
    ) -> tuple[list[ir.Target], list[ir.Invoke]] | None:
        """`src.a -> tgt.b`: through the default group of both types where there is one, else as it is."""
        if len(rule.sources) != 1 or len(rule.targets) != 1 or rule.calls or rule.rules:
            return None
        (source,), (target,) = rule.sources, rule.targets
        if not source.path or not target.path or target.transform is not None or target.context not in scope:
            return None
        elements = self._elements(place, target, scope[target.context])
        if elements is None:
            return [], []
        element = elements[-1]
        if not element.primitive and element.choices is None:
            source_type = self._source_type(source, scope)
            default = self._default_group(place.map, source_type, element.type)
            if default is not None:
                copied = replace(target, alias=target.alias or "_target")
                made = self.target(place, copied, scope, last)
                if not isinstance(made, ir.Target) or made.variable is None:
                    return [], []
                routine = self.routine(*default, [source_type, element.type])
                arguments = (ir.Variable(last.variable), ir.Variable(made.variable))
                return [made], [ir.Invoke(routine.index, arguments, rule.span)]
        hidden = "_source"
        inner = {**scope, hidden: _Variable(last.variable, "source", None)}
        made = self.target(place, replace(target, transform=Name(hidden, target.span)), inner, last)
        if target.alias and target.alias in inner:
            scope[target.alias] = inner[target.alias]
        return ([made] if isinstance(made, ir.Target) else []), []

    def _source_type(self, source: syntax.Source, scope: Scope) -> str | None:
        type_name = scope[source.context].type if source.context in scope else None
        for name in source.path:
            step = self.model.source(type_name, name)
            type_name = step.type if step else None
        return type_name

    def _default_group(self, found: Map, source: str | None, target: str | None) -> tuple[Map, Group] | None:
        """The group marked <<types>> or <<type+>> for these two types."""
        if target is None:
            return None
        known = self.type_groups.get(found.url)
        if known is None:
            collected: dict[tuple[str, str], tuple[Map, Group]] = {}
            for groups in self.library.scope(found.url).values():
                for owner, group in groups:
                    if group.types is None or len(group.parameters) != 2:
                        continue
                    names = [self._declared(owner, p.type) for p in group.parameters]
                    collected.setdefault((names[0], names[1]), (owner, group))
            known = self.type_groups[found.url] = collected
        return known.get((source or "", target))

    def _declared(self, found: Map, name: str | None) -> str:
        for uses in found.uses:
            if uses.alias == name:
                return self.model.of_canonical(uses.url) or uses.alias
        return name or ""


def _word_for_word(log: Expression | None) -> str | None:
    """The text of a `log` that is one string."""
    text = log.text.strip() if log else ""
    return unescape(text[1:-1]) if _STRING.fullmatch(text) else None


def _one_of(element: ir.Element) -> str:
    return ", ".join(element.choices or ())
