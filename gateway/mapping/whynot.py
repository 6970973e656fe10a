"""Why an element of a draft is empty: each rule that could fill it, and where it stopped.

The source had nothing there, a condition was false, a ConceptMap has no row, a check failed, or the rule was never
reached, with the rule around it that stopped. Values are withheld; what the map itself says (a constant) is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway import formats
from gateway.fhirpath import Environment, FHIRPathError, Path
from gateway.fhirpath import syntax as fhirpath
from gateway.formats import Node
from gateway.issues import Issues
from gateway.mapping import ir
from gateway.mapping.facts import Facts
from gateway.mapping.package import Package, Trace
from gateway.mapping.probe import Probe, Refused, Stack
from gateway.mapping.writings import Asked, Writing, asked, writings
from gateway.records import Source


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a rule stopped, and at which places of the message."""

    rule: ir.RuleId
    kind: str
    """`source-absent`, `condition-false`, `check-failed`, `unmapped-code` or another issue's rule, `nothing-given`,
    `wrote`, `not-evaluated`."""
    text: str
    where: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        line = f"{self.rule.file}:{self.rule.line}"
        return {"kind": self.kind, "text": self.text, "line": line, "rule": self.rule.label, "where": list(self.where)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that could fill the element: where it, or a rule around it, stopped."""

    rule: ir.RuleId
    path: str
    stops: tuple[Stop, ...]

    @property
    def reached(self) -> bool:
        return any(stop.rule == self.rule for stop in self.stops)

    def to_json(self) -> dict[str, Any]:
        return {
            "line": f"{self.rule.file}:{self.rule.line}",
            "rule": self.rule.label,
            "path": self.path,
            "reached": self.reached,
            "stops": [stop.to_json() for stop in self.stops],
        }


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What a record says of an element."""

    kind: str
    where: str
    path: str
    drafts: int
    """So many drafts of the type."""
    filled: int
    """So many of them have the element."""
    candidates: tuple[Candidate, ...] = field(default=())
    issues: tuple[str, ...] = ()
    """What held the record, where it could not be mapped."""

    def to_json(self) -> dict[str, Any]:
        return {
            "record": self.kind,
            "where": self.where,
            "path": self.path,
            "drafts": self.drafts,
            "filled": self.filled,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "issues": list(self.issues),
        }


def why_not(
    package: Package, body: bytes, source: Source, received: datetime, path: str, *, values: bool = False
) -> Iterator[WhyNot]:
    """For each record of a message, why the element is empty, or in how many drafts it is not."""
    wanted = asked(path, package.definitions)
    specs = {spec.name: spec for spec in package.manifest.records}
    for record in formats.read(package.format, body, Issues()):
        spec = specs.get(record.kind)
        if spec is None or record.issues.bad:
            said = tuple(f"{issue.rule}: {issue.text}" for issue in record.issues)
            yield WhyNot(record.kind, str(record.position), path, 0, 0, (), said or ("no map takes such a record",))
            continue
        probe = Probe()
        probed = package.with_compiled({spec.name: probe.of(package.compiled(spec))})
        result = probed.apply(record, source, received, body=body, traced=True)
        drafts = [draft.resource for draft in result.drafts if draft.resource["resourceType"] == wanted.type]
        filled = sum(1 for draft in drafts if _has(draft, wanted.steps))
        candidates: tuple[Candidate, ...] = ()
        if result.trace is not None and (not drafts or filled < len(drafts)):
            facts = Facts(package.format, record, source, body, Issues(), {})
            candidates = tuple(_Teller(probe, result.trace, facts, values=values).candidates(wanted))
        yield WhyNot(record.kind, str(record.position), path, len(drafts), filled, candidates)


def _has(value: Any, steps: tuple[frozenset[str], ...]) -> bool:
    if isinstance(value, list):
        return any(_has(one, steps) for one in value)
    if not steps or not isinstance(value, dict):
        return not steps
    return any(_has(value[name], steps[1:]) for name in steps[0] if name in value)


class _Teller:
    """A run's probe and trace, told in the words of people."""

    def __init__(self, probe: Probe, trace: Trace, facts: Facts, *, values: bool) -> None:
        self.probe = probe
        self.trace = trace
        self.program = trace.compiled.program
        self.facts = facts
        self.values = values

    def candidates(self, wanted: Asked) -> Iterator[Candidate]:
        told: set[tuple[ir.RuleId, str, tuple[Stop, ...]]] = set()
        for writing in writings(self.program, wanted):
            rule = self.program.rules[writing.chain[-1][1].id]
            path = ".".join(writing.keys)
            stops = tuple(dict.fromkeys(self._stops(writing)))
            if (rule, path, stops) not in told:
                told.add((rule, path, stops))
                yield Candidate(rule, path, stops)

    def _stops(self, writing: Writing) -> Iterator[Stop]:
        """The first rule of the chain that let nothing through; the target, where all did."""
        for stack, rule in writing.chain:
            for source in rule.sources:
                if not self.probe.met[(stack, source.site)]:
                    yield from self._at_source(stack, rule, source)
                    return
        stack, rule = writing.chain[-1]
        yield self._at_target(rule, writing)
        for source in rule.sources:
            yield from self._refusals(stack, rule, source)

    def _rule(self, rule: ir.Rule) -> ir.RuleId:
        return self.program.rules[rule.id]

    # Sources

    def _at_source(self, stack: Stack, rule: ir.Rule, source: ir.Source) -> Iterator[Stop]:
        number = self._rule(rule)
        held = [found for found in self.trace.found if found.rule in ("check-failed", "source-cardinality")]
        point = (stack, source.site)
        if not self.probe.asked[point]:
            for found in held or [found for found in self.trace.found if found.site < 0]:
                told = self.program.rules[self.program.sites[found.site].rule] if found.site >= 0 else number
                yield Stop(told, found.rule, "the record was held before this rule", (self.facts.where(found.at),))
            if not self.trace.found:
                yield Stop(number, "not-evaluated", "a source before it gave nothing", ())
            return
        mine = [found for found in held if found.site == source.site]
        for found in mine:
            shown = f": ({source.check.text})" if source.check and found.rule == "check-failed" else ""
            yield Stop(number, found.rule, f"{found.rule.replace('-', ' ')}{shown}", (self.facts.where(found.at),))
        if mine:
            return
        refused = list(self._refusals(stack, rule, source))
        yield from refused
        if not refused:
            path = self.program.sites[source.site].path
            kind = f" of type {source.type}" if source.type else ""
            mode = f" that is {source.mode}" if source.mode else ""
            places = dict.fromkeys(self.facts.where(node) for node in self.probe.asked[point])
            yield Stop(number, "source-absent", f"the source has no {path}{kind}{mode}", tuple(places))

    def _refusals(self, stack: Stack, rule: ir.Rule, source: ir.Source) -> Iterator[Stop]:
        if source.where is None:
            return
        for refused in self.probe.refused[(stack, source.site)]:
            places, said = self._operands(source.where, refused)
            text = f"the condition is false: ({source.where.text.strip()}){said}"
            yield Stop(self._rule(rule), "condition-false", text, places or (self.facts.where(refused.node),))

    def _operands(self, read: ir.Read, refused: Refused) -> tuple[tuple[str, ...], str]:
        """The places of both operands of the first part that is not true, and what can be said of them."""
        path: Path = read.path
        environment = Environment(variables={**self.facts.variables, **dict(refused.variables)})

        def items(part: fhirpath.Syntax) -> list[Any]:
            try:
                return list(path.part(part).elements(refused.node, environment))
            except FHIRPathError:
                return []

        parts = list(_conjuncts(path.syntax))
        failing = next((part for part in parts if not _holds(items(part))), parts[0])
        operands = _operands_of(failing)
        places: dict[str, None] = {}
        said: list[str] = []
        for operand in operands:
            found = items(operand)
            nodes = [item for item in found if isinstance(item, Node)]
            places.update(dict.fromkeys(self.facts.where(node) for node in nodes))
            said.append(f"{shown(operand)} {self._described(operand, found, nodes)}")
        which = f"; not so: {shown(failing)}" if len(parts) > 1 else ""
        return tuple(places), which + (f"; {', '.join(said)}" if said else "")

    def _described(self, operand: fhirpath.Syntax, found: list[Any], nodes: list[Node]) -> str:
        if isinstance(operand, fhirpath.Literal):
            return "is a constant"
        if not found:
            return "is empty"
        values = [node.value for node in nodes] or found
        if self.values:
            return f"is {', '.join(repr(str(value)) for value in values)}"
        where = f" at {', '.join(dict.fromkeys(self.facts.where(node) for node in nodes))}" if nodes else ""
        return f"has {'a value' if len(found) == 1 else f'{len(found)} values'}{where}"

    # Targets

    def _at_target(self, rule: ir.Rule, writing: Writing) -> Stop:
        number, target = self._rule(rule), writing.target
        issues = [found for found in self.trace.found if found.site == target.site]
        if issues:
            places = tuple(dict.fromkeys(self.facts.where(found.at) for found in issues))
            table = f" {target.value.table.url}" if isinstance(target.value, ir.Translate) else ""
            text = f"the code is not in the table{table}" if issues[0].rule == "unmapped-code" else issues[0].rule
            return Stop(number, issues[0].rule, text, places)
        nodes = [
            node for entry, node, _, name, _, _ in self.trace.entries if entry == rule.id and name == writing.keys[-1]
        ]
        if nodes:
            text = f"it wrote {'.'.join(writing.keys)}, for what is not asked for or without that part"
            return Stop(number, "wrote", text, tuple(dict.fromkeys(self.facts.where(node) for node in nodes)))
        return Stop(number, "nothing-given", "what it writes came out empty", ())


def _holds(items: list[Any]) -> bool:
    return bool(items) and getattr(items[0], "value", items[0]) is not False


def _conjuncts(node: fhirpath.Syntax) -> Iterator[fhirpath.Syntax]:
    match node:
        case fhirpath.Binary("and", left, right):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case _:
            yield node


def _operands_of(node: fhirpath.Syntax) -> tuple[fhirpath.Syntax, ...]:
    """Both sides of an operator; what a function is asked of."""
    match node:
        case fhirpath.Binary(_, left, right):
            return left, right
        case fhirpath.Call(target, "not", ()) if target is not None:
            return _operands_of(target)
        case fhirpath.Call(target) if target is not None:
            return (target,)
        case _:
            return (node,)


def shown(node: fhirpath.Syntax) -> str:
    """An expression in FHIRPath's own words."""
    match node:
        case fhirpath.Literal(None):
            return "{}"
        case fhirpath.Literal(bool(value)):
            return "true" if value else "false"
        case fhirpath.Literal(str(value)):
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case fhirpath.Literal(value):
            return str(value)
        case fhirpath.Member(target, name):
            word = name if name.isidentifier() else f"`{name}`"
            return f"{shown(target)}.{word}" if target else word
        case fhirpath.Call(target, name, args):
            call = f"{name}({', '.join(shown(argument) for argument in args)})"
            return f"{shown(target)}.{call}" if target else call
        case fhirpath.Variable(name):
            return f"%{name}"
        case fhirpath.Special(name):
            return name if name.startswith("$") else f"${name}"
        case fhirpath.Indexer(target, index):
            return f"{shown(target)}[{shown(index)}]"
        case fhirpath.Unary(op, operand):
            return f"{op}{shown(operand)}"
        case fhirpath.Binary(op, left, right):
            return f"({shown(left)} {op} {shown(right)})"
        case fhirpath.TypeOperation(op, operand, kind):
            return f"({shown(operand)} {op} {kind})"
