"""Mutation: alter each rule in turn and see whether a case notices. What no case notices, nobody has promised.

A rule is dropped, its condition negated, its constants changed, its target moved to another element of the same type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from gateway import fhirpath
from gateway.definitions import Definitions
from gateway.formats import Record
from gateway.mapping import ir
from gateway.mapping.cases import Case, cases
from gateway.mapping.compiler import CompiledMap
from gateway.mapping.coverage import Place, WrittenRule, coverage, written
from gateway.mapping.package import Package

Change = Callable[[ir.Rule, ir.Program], ir.Rule | None]
Alter = Callable[[ir.Target, ir.Program], ir.Target]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One alteration of one rule."""

    rule: WrittenRule
    kind: str
    change: Change

    def __str__(self) -> str:
        return f"{self.rule.file}:{self.rule.line} {self.kind}"


@dataclass(slots=True)
class MutationReport:
    """Which mutants were noticed, and which were not."""

    noticed: list[Mutant] = field(default_factory=list)
    survived: list[Mutant] = field(default_factory=list)
    cases: int = 0

    @property
    def total(self) -> int:
        return len(self.noticed) + len(self.survived)

    @property
    def share(self) -> float:
        """The share of mutants that a case noticed."""
        return len(self.noticed) / self.total if self.total else 1.0

    @property
    def rule_share(self) -> float:
        """The share of rules of which every alteration was noticed."""
        rules = {mutant.rule.place for mutant in (*self.noticed, *self.survived)}
        missed = {mutant.rule.place for mutant in self.survived}
        return 1 - len(missed) / len(rules) if rules else 1.0


def mutate(package: Package, *, sample: int | None = None, seed: int = 1) -> MutationReport:
    """Alter every rule of the package's maps (or a seeded sample of the alterations) and run its cases."""
    package.check()
    workshop = _Workshop(package)
    found = list(workshop.mutants())
    if sample is not None and sample < len(found):
        found = Random(seed).sample(found, sample)  # noqa: S311  a sample of tests, not a secret
    report = MutationReport(cases=len(workshop.cases))
    for mutant in found:
        (report.noticed if workshop.noticed(mutant) else report.survived).append(mutant)
    return report


class _Workshop:
    """A package taken apart: its programs, and its cases with what they give unaltered."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.definitions: Definitions = package.definitions
        self.programs = {r.name: package.compiled(r).program for r in package.manifest.records}
        self.places = {
            name: [(rule.map, rule.line, rule.column) for rule in program.rules]
            for name, program in self.programs.items()
        }
        self.records = {case.name: list(case.results()[0]) for case in cases(package)}
        self.cases = {case.name: case for case in cases(package)}
        self.given = {name: [_facts(result) for _, result in found] for name, found in self.records.items()}
        self.fired = coverage(package).by_case

    def mutants(self) -> Iterator[Mutant]:
        """Every alteration of every rule of the package's own maps."""
        known: dict[Place, tuple[ir.Rule, ir.Program]] = {}
        for name, program in self.programs.items():
            for rule in _rules(program):
                if rule.id >= 0:
                    known.setdefault(self.places[name][rule.id], (rule, program))
        for place in written(self.package.maps):
            if place.place in known:
                found, program = known[place.place]
                for kind, change in self.changes(found, program):
                    yield Mutant(place, kind, change)

    def changes(self, rule: ir.Rule, program: ir.Program) -> Iterator[tuple[str, Change]]:
        yield "dropped", lambda _rule, _program: None
        for index, source in enumerate(rule.sources):
            if source.where is not None:
                yield "condition negated", self.negated(index)
            if source.check is not None:
                yield "check dropped", _at_source(index, check=None)
            if source.remark is not None:
                yield "remark dropped", _at_source(index, remark=None)
            if source.mode is not None:
                yield f"'{source.mode}' dropped", _at_source(index, mode=None)
        for index, target in enumerate(rule.targets):
            if _constants(target.value):
                yield f"constant of {program.sites[target.site].path} changed", _at_target(index, _other_constant)
            moved = self.moved(target, program)
            if moved is not None:
                path = program.sites[target.site].path
                yield f"{path} moved to {moved.key}", _at_target(index, _mover(moved))

        for index, call in enumerate(rule.calls):
            if any(isinstance(argument, ir.Constant) for argument in call.arguments):
                yield "constant given to a group changed", _other_argument(index)

    @staticmethod
    def negated(index: int) -> Change:
        def change(rule: ir.Rule, _: ir.Program) -> ir.Rule:
            source = rule.sources[index]
            assert source.where is not None
            text = f"iif({source.where.path.source}, false, true)"
            path = fhirpath.compile(text, names=[name for name, _ in source.where.variables])
            altered = replace(source, where=replace(source.where, path=path))
            return replace(rule, sources=(*rule.sources[:index], altered, *rule.sources[index + 1 :]))

        return change

    def moved(self, target: ir.Target, program: ir.Program) -> ir.Element | None:
        """Another element of the same owner that could hold the value as well."""
        if not target.path or target.path[-1].type is None:
            return None
        *owner, _ = program.sites[target.site].path.split(".")
        element = target.path[-1]
        known = self.definitions.types.get(".".join(owner))
        if known is None:
            return None
        others = (
            other
            for other in known.elements.values()
            if other.type == element.type and other.is_list == element.many and other.name != element.key
        )
        other = next(others, None)
        return replace(element, key=other.name, codes=None) if other else None

    def noticed(self, mutant: Mutant) -> bool:
        """Whether a case's outcome changes; the cases that fire the rule are tried first."""
        altered: dict[str, CompiledMap] = {}
        for name, program in self.programs.items():
            numbers = {n for n, place in enumerate(self.places[name]) if place == mutant.rule.place}
            if numbers and any(rule.id in numbers for rule in _rules(program)):
                altered[name] = CompiledMap(_with(program, numbers, mutant.change), self.definitions)
        package = self.package.with_compiled(altered)
        order = sorted(self.records, key=lambda name: mutant.rule.place not in self.fired[name])
        return any(self._differs(package, altered, self.cases[name]) for name in order)

    def _differs(self, package: Package, altered: dict[str, CompiledMap], case: Case) -> bool:
        for (record, _), given in zip(self.records[case.name], self.given[case.name], strict=True):
            if record.kind in altered and _facts(self._apply(package, record, case)) != given:
                return True
        return False

    @staticmethod
    def _apply(package: Package, record: Record, case: Case) -> Any:
        return package.apply(record, case.source, case.received)


def _facts(result: Any) -> tuple[Any, ...]:
    """What a case would see of a record."""
    return (
        [(d.resource, d.effective, d.version, d.party, d.provider, d.withdrawn) for d in result.drafts],
        [issue.rule for issue in result.issues],
        result.key,
    )


def _rules(program: ir.Program) -> Iterator[ir.Rule]:
    def below(rules: tuple[ir.Rule, ...]) -> Iterator[ir.Rule]:
        for rule in rules:
            yield rule
            yield from below(rule.rules)

    for routine in program.routines:
        yield from below(routine.rules)


def _with(program: ir.Program, numbers: set[int], change: Change) -> ir.Program:
    """The program with a rule altered wherever it stands."""

    def altered(rules: tuple[ir.Rule, ...]) -> tuple[ir.Rule, ...]:
        found = []
        for rule in rules:
            kept: ir.Rule | None = replace(rule, rules=altered(rule.rules)) if rule.rules else rule
            if rule.id in numbers and kept is not None:
                kept = change(kept, program)
            if kept is not None:
                found.append(kept)
        return tuple(found)

    routines = [replace(routine, rules=altered(routine.rules)) for routine in program.routines]
    return replace(program, routines=routines)


def _at_target(index: int, alter: Alter) -> Change:
    def change(rule: ir.Rule, program: ir.Program) -> ir.Rule:
        altered = alter(rule.targets[index], program)
        return replace(rule, targets=(*rule.targets[:index], altered, *rule.targets[index + 1 :]))

    return change


def _at_source(index: int, **clauses: Any) -> Change:
    def change(rule: ir.Rule, _: ir.Program) -> ir.Rule:
        altered = replace(rule.sources[index], **clauses)
        return replace(rule, sources=(*rule.sources[:index], altered, *rule.sources[index + 1 :]))

    return change


def _other_argument(index: int) -> Change:
    def change(rule: ir.Rule, _: ir.Program) -> ir.Rule:
        call = rule.calls[index]
        altered = replace(call, arguments=_first_altered(call.arguments))
        return replace(rule, calls=(*rule.calls[:index], altered, *rule.calls[index + 1 :]))

    return change


def _mover(element: ir.Element) -> Alter:
    return lambda target, _: replace(target, path=(*target.path[:-1], element))


def _other_constant(target: ir.Target, program: ir.Program) -> ir.Target:
    return replace(target, value=_altered(target.value, program.sites[target.site].codes))


def _constants(value: ir.Value) -> bool:
    if isinstance(value, ir.Transform):
        return any(isinstance(argument, ir.Constant) for argument in value.arguments)
    return isinstance(value, ir.Constant)


def _altered(value: ir.Value, codes: frozenset[str] | None) -> ir.Value:
    if isinstance(value, ir.Transform):
        return replace(value, arguments=_first_altered(value.arguments))
    if not isinstance(value, ir.Constant):
        return value
    if codes:
        return ir.Constant(next(code for code in sorted(codes) if code != value.value))
    if isinstance(value.value, bool):
        return ir.Constant(not value.value)
    return ir.Constant(f"{value.value}-altered" if isinstance(value.value, str) else value.value + 1)


def _first_altered(arguments: tuple[ir.Value, ...]) -> tuple[ir.Value, ...]:
    """The arguments with the first constant of them changed."""
    position = next(n for n, argument in enumerate(arguments) if isinstance(argument, ir.Constant))
    return (*arguments[:position], _altered(arguments[position], None), *arguments[position + 1 :])
