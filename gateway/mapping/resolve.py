"""From syntax trees to a program: names looked up, types followed, every mistake reported with its place.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#rules
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.definitions import Definitions
from gateway.mapping import ir, syntax
from gateway.mapping.lexer import unescape
from gateway.mapping.library import Library
from gateway.mapping.problems import Problems, did_you_mean, meant_or_known
from gateway.mapping.scope import Place, Scope, Variable
from gateway.mapping.syntax import Expression, Group, Map, Name, Span
from gateway.mapping.targets import Targets

NESTED = 10
_STRING = re.compile(r"'(?:\\.|[^'\\])*'")


class Given(NamedTuple):
    """What a group is given for a parameter: its type where it is known, and whether it is always a source node."""

    type: str | None
    node: bool = False


def resolve(
    library: Library, definitions: Definitions, problems: Problems, map_url: str, group_name: str | None = None
) -> ir.Program:
    """The program that starts in a group (a map's first when none is named); unusable where problems were noted."""
    return _Resolver(library, definitions, problems).program(map_url, group_name)


class _Resolver(Targets):
    def __init__(self, library: Library, definitions: Definitions, problems: Problems) -> None:
        super().__init__(library, definitions, problems)
        self.routines: dict[tuple[int, tuple[Given, ...]], ir.Routine] = {}
        self.waiting: deque[tuple[ir.Routine, Map, Group, tuple[Given, ...]]] = deque()
        self.rules: dict[tuple[str, int], int] = {}
        self.rule_ids: list[ir.RuleId] = []
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
        entry = self.routine(found, group, [Given(None, parameter.mode == "source") for parameter in group.parameters])
        defaults = ((types[1], default) for types, default in self._default_groups(found).items() if not types[0])
        copiers = {
            target: self.routine(*default, (Given(None, node=True), Given(target))).index
            for target, default in defaults
        }
        self._work()
        program = ir.Program(
            entry=entry.index,
            modes=tuple(p.mode for p in group.parameters),
            types=tuple(self.type_named(found, p.type, p.span) for p in group.parameters),
            routines=list(self.routines.values()),
            rules=self.rule_ids,
            sites=self.sites,
            tables=list(self.tables.values()),
            copiers=copiers,
            alone=frozenset(site for site, element in self.written_at.items() if len(self.writers[element]) == 1),
        )
        # Groups that nothing reaches are looked through as well, for their mistakes only.
        started = {id(g) for _, g in ((m, g) for m in [found] for g in m.groups)}
        reached = {key[0] for key in self.routines}
        for other in found.groups:
            if id(other) in started - reached:
                self.routine(found, other, [Given(None)] * len(other.parameters))
        self._work()
        return program

    def _work(self) -> None:
        while self.waiting:
            self._fill(*self.waiting.popleft())

    # Groups

    def routine(self, found: Map, group: Group, given: Sequence[Given]) -> ir.Routine:
        """The group for such arguments, made on first use."""
        declared = [self.type_named(found, p.type, p.span) for p in group.parameters]
        taken = tuple(Given(self.model.narrower(g.type, d), g.node) for g, d in zip(given, declared, strict=True))
        key = (id(group), taken)
        routine = self.routines.get(key)
        if routine is None:
            routine = ir.Routine(len(self.routines), group.name, found.text, group.span, ())
            self.routines[key] = routine
            self.waiting.append((routine, found, group, taken))
        return routine

    def _fill(self, routine: ir.Routine, found: Map, group: Group, given: tuple[Given, ...]) -> None:
        place = Place(found, routine, group, Counter())
        scope: dict[str, Variable] = {}
        for parameter, (type_name, node) in zip(group.parameters, given, strict=True):
            if parameter.name in scope:
                self.problems.add(found.text, parameter.span, f"two parameters are named '{parameter.name}'")
            scope[parameter.name] = Variable(place.name(parameter.name), parameter.mode, type_name, node=node)
        routine.parameters = tuple(variable.code for variable in scope.values())
        routine.nodes = frozenset(variable.code for variable in scope.values() if variable.node)
        extended = self._extended(place, scope)
        routine.rules = (*extended, *(self.rule(place, rule, scope) for rule in group.rules))

    def _extended(self, place: Place, scope: Scope) -> tuple[ir.Rule, ...]:
        """The rules of the group that this one extends, as one call."""
        group = place.group
        if group.extends is None or group.extends_span is None:
            return ()
        base = self.group_named(place.map, group.extends, group.extends_span)
        if base is None:
            return ()
        if self._in_a_circle(place.map, group):
            text = f"'{group.name}' extends itself, by way of '{group.extends}'"
            self.problems.add(place.map.text, group.extends_span, text)
            return ()
        arguments: list[Variable] = []
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
        routine = self.routine(*base, [Given(v.type, v.node) for v in arguments])
        call = ir.Invoke(routine.index, tuple(ir.Variable(v.code) for v in arguments), group.extends_span)
        return (ir.Rule(-1, (), (), (call,), (), group.extends_span),)

    def _in_a_circle(self, found: Map, group: Group) -> bool:
        """Whether the groups that a group extends come back to it."""
        seen: set[int] = set()
        at: tuple[Map, Group] | None = (found, group)
        while at is not None and at[1].extends is not None and id(at[1]) not in seen:
            seen.add(id(at[1]))
            groups = self.library.scope(at[0].url).get(at[1].extends)
            at = groups[0] if groups else None
        return at is not None and at[1] is group and bool(seen)

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

    def rule_id(self, place: Place, rule: syntax.Rule) -> int:
        key = (place.map.url, rule.span.start)
        known = self.rules.get(key)
        if known is None:
            known = self.rules[key] = len(self.rule_ids)
            line, column = place.map.text.place(rule.span.start)
            self.rule_ids.append(
                ir.RuleId(place.map.url, place.group.name, rule.name or "", place.map.text.file, line, column)
            )
        return known

    def rule(self, place: Place, rule: syntax.Rule, outer: Scope) -> ir.Rule:
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
                for part in self._parts(target, rule, scope):
                    made = self.target(place, part, scope, last)
                    if isinstance(made, ir.Invoke):
                        calls.append(made)
                    elif made is not None:
                        targets.append(made)
        calls += [found for call in rule.calls if (found := self.invoke(place, call, scope, last))]
        nested = []
        place.depth += 1
        if place.depth > NESTED and rule.rules:
            hint = "put the inner rules into a group"
            self.problems.add(place.map.text, rule.span, f"more than {NESTED} rules stand inside one another", hint)
        for inner in rule.rules if place.depth <= NESTED else ():
            nested.append(self.rule(place, inner, scope))
            place.rule = number
        place.depth -= 1
        return ir.Rule(number, sources, tuple(targets), tuple(calls), tuple(nested), rule.span)

    def source(self, place: Place, source: syntax.Source, scope: dict[str, Variable]) -> ir.Source:
        context = scope.get(source.context)
        steps: list[ir.Step] = []
        type_name = context.type if context else None
        default: ir.Value | None = None
        if context is None and not place.constant(source.context):
            self.unknown(place, source.context, source.span, scope)
        for position, name in enumerate(source.path):
            wanted = source.type if position == len(source.path) - 1 else None
            step = self.model.source(type_name, name, wanted)
            if step is None:
                hint = meant_or_known(name, self.model.element_names(type_name or ""))
                text = f"{self.model.shown(type_name)} has no element '{name}'"
                self.problems.add(place.map.text, source.span, text, hint)
                step = ir.Step((name,), None)
            steps.append(step)
            type_name = step.type
        wanted_type = source.type if source.type and type_name != source.type else None
        if wanted_type and self.model.known(wanted_type):
            type_name = wanted_type
        alias = source.alias or ("" if source.path else source.context)
        code = place.name(alias or source.path[-1])
        mode = "source" if source.path or context is None else context.mode
        node = context is not None and context.node and source.default is None
        variable = Variable(code, mode, type_name, node=node)
        if source.default is not None:  # It stands for what is not there, and cannot name it.
            default = self.argument(place, source.default, scope, code)
        if alias:
            scope[alias] = variable
        where = source.where and self.read(place, source.where, scope)
        check = source.check and self.read(place, source.check, scope)
        remark = _word_for_word(source.log)
        log = self.read(place, source.log, scope) if source.log and remark is None else None
        start: str
        if context is not None:
            start = context.code
        else:
            constant = place.constant(source.context)
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

    # Calls

    def invoke(self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source) -> ir.Invoke | None:
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
        types: list[Given] = []
        for argument, parameter in zip(call.arguments, group.parameters, strict=True):
            values.append(self.argument(place, argument, scope, last.variable))
            given = self.argument_type(argument, scope)
            declared = self.type_named(owner, parameter.type, parameter.span)
            if parameter.mode == "target":
                variable = scope.get(argument.text) if isinstance(argument, Name) else None
                if variable is None or variable.mode == "source":
                    text = f"'{call.name}' needs a target for '{parameter.name}'"
                    self.problems.add(place.map.text, argument.span, text)
                if not self.model.fits(given, declared):
                    text = f"'{call.name}' takes a {declared} for '{parameter.name}', not a {given}"
                    self.problems.add(place.map.text, argument.span, text)
            types.append(Given(given, self._is_node(argument, scope)))
        return ir.Invoke(self.routine(owner, group, types).index, tuple(values), call.span)

    @staticmethod
    def _is_node(argument: syntax.Argument, scope: Scope) -> bool:
        variable = scope.get(argument.text) if isinstance(argument, Name) else None
        return variable is not None and variable.node

    def _parts(self, target: syntax.Target, rule: syntax.Rule, scope: Scope) -> tuple[syntax.Target, ...]:
        """`tgt.birthDate = v as d`, where rules write into `d`: first it is made, then it is given its value."""
        owner = scope.get(target.context or "")
        if owner is None or target.alias is None or target.transform is None or len(target.path) != 1:
            return (target,)
        element = self.model.target(owner.type, target.path[0])
        if element is None or not element.primitive or not _written_into(rule, target.alias):
            return (target,)
        made = replace(target, transform=None)
        return made, syntax.Target(target.alias, ("value",), target.span, target.transform)

    def _simple_copy(
        self, place: Place, rule: syntax.Rule, scope: dict[str, Variable], last: ir.Source
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
        if element.choices is None:
            source_type = self._source_type(source, scope)
            default = self._default_group(place.map, source_type, element.type)
            if default is not None:
                copied = replace(target, alias=target.alias or "_target")
                made = self.target(place, copied, scope, last)
                if not isinstance(made, ir.Target) or made.variable is None:
                    return [], []
                node = scope[source.context].node and source.default is None if source.context in scope else False
                routine = self.routine(*default, [Given(source_type, node), Given(element.type)])
                arguments = (ir.Variable(last.variable), ir.Variable(made.variable))
                return [made], [ir.Invoke(routine.index, arguments, rule.span)]
        hidden = "_source"
        inner = {**scope, hidden: Variable(last.variable, "source", None)}
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
        groups = self._default_groups(found)
        own = groups.get((source or "", target))
        return own or (groups.get(("", target)) if source in self.model.logical else None)

    def _default_groups(self, found: Map) -> Mapping[tuple[str, str], tuple[Map, Group]]:
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
        return known

    def _declared(self, found: Map, name: str | None) -> str:
        for uses in found.uses:
            if uses.alias == name:
                return self.model.of_canonical(uses.url) or uses.alias
        return name or ""


def _written_into(rule: syntax.Rule, alias: str) -> bool:
    """Whether rules or groups are given a variable to write into."""
    given = [argument for call in rule.calls for argument in call.arguments]
    called = [target.transform for target in rule.targets if target.context is None]
    given += [argument for call in called if isinstance(call, syntax.Call) for argument in call.arguments]
    return (
        any(target.context == alias for target in rule.targets)
        or any(isinstance(argument, Name) and argument.text == alias for argument in given)
        or any(_written_into(inner, alias) for inner in rule.rules)
    )


def _word_for_word(log: Expression | None) -> str | None:
    """The text of a `log` that is one string."""
    text = log.text.strip() if log else ""
    return unescape(text[1:-1]) if _STRING.fullmatch(text) else None
