"""A variant of a map's code that tells every step: groups and rules that are entered and left, targets that are filled.

With the variables at each: what of the source they are, and what of the target they have become by then. For editors
that replay a run (`StructureMap/$transform?debug=true`) and for pages that step through it.

https://build.fhir.org/ig/HL7/mapping-language-ig/debug.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gateway.fhir.json import dump
from gateway.formats import Node, Record
from gateway.formats.json import JsonNode
from gateway.mapping import ir, syntax
from gateway.mapping import python as py
from gateway.mapping.compiler import CompiledMap
from gateway.mapping.emit import Code, Emitter, emit
from gateway.mapping.library import Library
from gateway.mapping.package import MapResult, Package
from gateway.mapping.runtime import Run
from gateway.mapping.syntax import Span, Text
from gateway.records import Source

Phase = Literal["enter", "step", "exit"]

MOST = 5_000
"""Events of a trace; what comes behind is done and not told."""
MOST_BYTES = 4 << 20
"""Of all the values in it."""
LARGE = 1 << 10
"""What of the source is longer is told once."""
LONGEST = 64 << 10
"""Of one value."""
_NUMBERED = re.compile(r"(.+)_\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: the map, the path in its StructureMap, the stretch of its text."""

    map: str
    path: str
    text: Text
    span: Span
    label: str

    @property
    def utf16(self) -> tuple[int, int]:
        """The stretch in units of UTF-16, as editors count."""
        start, end = (len(self.text.content[:at].encode("utf-16-le")) // 2 for at in (self.span.start, self.span.end))
        return start, end


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable at a step. `value` is JSON; None where it is too large to be told, or was told before."""

    name: str
    mode: Literal["input", "output"]
    value: str | None
    type: str | None
    node: Node | None = None
    """What of the source it is."""


@dataclass(frozen=True, slots=True)
class Step:
    phase: Phase
    kind: Literal["group", "rule", "target"]
    place: Place
    depth: int
    variables: tuple[Variable, ...]
    messages: tuple[str, ...] = ()
    """What `log` wrote, and the issues that were found, since the step before."""


@dataclass(slots=True)
class Steps:
    """What one run did, step by step."""

    places: Places
    found: list[Step] = field(default_factory=list)
    truncated: bool = False
    _depth: int = 0
    _bytes: int = 0
    _told: int = 0
    _logged: int = 0
    _known: dict[int, Node] = field(default_factory=dict)
    """Large parts of the source that have been told: their path says the rest, as the source does not change."""

    def _step(self, run: Run, phase: Phase, place: Place, variables: Sequence[tuple[str, Any]]) -> None:
        if phase == "exit":
            self._depth -= 1
        if len(self.found) < MOST and self._bytes < MOST_BYTES:
            told = tuple(self._variable(name, value) for name, value in variables)
            self.found.append(Step(phase, _kind(place), place, self._depth, told, self._messages(run)))
        else:
            self.truncated = True
        if phase == "enter":
            self._depth += 1

    def _messages(self, run: Run) -> tuple[str, ...]:
        issues = [found.text for found in run.found[self._told :]]
        logged = [text for _, text in run.logged[self._logged :]]
        self._told, self._logged = len(run.found), len(run.logged)
        return (*logged, *issues)

    def _variable(self, name: str, value: Any) -> Variable:
        node = value if isinstance(value, Node) else None
        known = node is not None and id(node) in self._known
        text = None if known else self._text(plain(node) if node is not None else value)
        if node is not None and text is not None and len(text) > LARGE:
            self._known[id(node)] = node
        mode: Literal["input", "output"] = "output" if isinstance(value, dict) else "input"
        return Variable(name, mode, text, _type(node, value), node)

    def _text(self, value: Any) -> str | None:
        made = dump(value).decode()
        if len(made) > LONGEST:
            return None
        self._bytes += len(made)
        return made

    def of(self, compiled: CompiledMap) -> CompiledMap:
        """The map, whose traced variant tells these steps."""
        emitter = type("_ToldHere", (_Telling,), {"places": self.places})
        code: Code = emit(compiled.program, traced=True, emitter=emitter, helpers={"_told_step": self._step})
        return compiled.traced_by(code)


def stepped(
    package: Package, record: Record, source: Source, received: datetime, *, body: bytes = b""
) -> tuple[MapResult, Steps]:
    """What a package makes of a record, with every step of it; none where no map takes the record."""
    steps = Steps(Places(package.library))
    spec = next((one for one in package.manifest.records if one.name == record.kind), None)
    told = package if spec is None else package.with_compiled({spec.name: steps.of(package.compiled(spec))})
    return told.apply(record, source, received, body=body, traced=True), steps


def _kind(place: Place) -> Literal["group", "rule", "target"]:
    last = place.path.rpartition(".")[2]
    return "group" if last.startswith("group") else "rule" if last.startswith("rule") else "target"


def _type(node: Node | None, value: Any) -> str | None:
    if node is not None:
        return None if node.type is None else str(node.type)
    if isinstance(value, dict):
        kind = value.get("resourceType")
        return kind if isinstance(kind, str) else None
    names = {bool: "boolean", int: "integer", str: "string"}
    return names.get(type(value))


def plain(node: Node) -> Any:
    """A node as JSON: a value, or an object of what is below it."""
    if isinstance(node, JsonNode):
        return node.raw
    if not node.kids:
        return node.value
    found: dict[str, Any] = {} if node.value is None else {"value": node.value}
    for name, nodes in node.kids.items():
        values = [plain(one) for one in nodes]
        found[name] = values[0] if len(values) == 1 else values
    return found


def paths(root: Node) -> dict[int, str]:
    """The path of each node below a root, by its id(): `Patient.name[0].given[1]`."""
    found = {id(root): root.type or root.name}
    below = [root]
    while below:
        node = below.pop()
        for name, nodes in node.kids.items():
            for index, one in enumerate(nodes):
                found[id(one)] = f"{found[id(node)]}.{name}[{index}]"
                below.append(one)
    return found


class Places:
    """Where each group, rule and target of some maps stands in its StructureMap."""

    def __init__(self, library: Library) -> None:
        self._found: dict[tuple[str, str, int], tuple[str, str]] = {}
        for url, one in library.maps.items():
            for index, group in enumerate(one.groups):
                path = f"StructureMap.group[{index}]"
                self._found[(one.text.file, "group", group.span.start)] = (url, path)
                self._rules(one, group.rules, path)

    def _rules(self, one: syntax.Map, rules: Iterable[syntax.Rule], path: str) -> None:
        for index, rule in enumerate(rules):
            here = f"{path}.rule[{index}]"
            self._found[(one.text.file, "rule", rule.span.start)] = (one.url, here)
            self._rules(one, rule.rules, here)

    def of(self, kind: Literal["group", "rule"], text: Text, span: Span, label: str) -> Place:
        url, path = self._found.get((text.file, kind, span.start), ("", f"StructureMap.{kind}"))
        return Place(url, path, text, span, label)


class _Telling(Emitter):
    """Code that tells when it enters and leaves a group or a rule, and when a target is filled."""

    places: Places

    def routine(self, routine: ir.Routine) -> ast.stmt:
        self._known: list[str] = list(routine.parameters)
        self._rules: list[_Open] = []
        made = super().routine(routine)
        assert isinstance(made, ast.FunctionDef)
        place = self.places.of("group", routine.text, routine.span, routine.name)
        enter, leave = (self._told(phase, place, routine.parameters) for phase in ("enter", "exit"))
        begun = len(self.begun())
        made.body = [
            *made.body[:begun],
            *self.placed([enter], routine.span),
            *made.body[begun:],
            *self.placed([leave], routine.span),
        ]
        return made

    def rule(self, rule: ir.Rule, around: int) -> list[ast.stmt]:
        before = list(self._known)
        self._known += [source.variable for source in rule.sources]
        self._rules.append(_Open(rule, list(self._known)))
        made = super().rule(rule, around)
        self._rules.pop()
        self._known = before
        return made

    def target(self, rule: ir.Rule, target: ir.Target, last: str) -> tuple[list[ast.stmt], bool]:
        made, writes = super().target(rule, target, last)
        if target.variable:
            self._known.append(target.variable)
        if rule.id < 0:
            return made, writes
        here = self._rules[-1]
        place = self._place(rule)
        path = f"{place.path}.target[{here.targets}]"
        here.targets += 1
        told = Place(place.map, path, self.text, target.span, place.label)
        return [*made, *self.placed([self._told("step", told, self._known)], target.span)], writes

    def source(self, source: ir.Source, body: list[ast.stmt], *, by_step: bool) -> list[ast.stmt]:
        here = self._rules[-1]
        if source is here.rule.sources[-1] and here.rule.id >= 0:
            place = self._place(here.rule)
            enter = self.placed([self._told("enter", place, here.entered)], source.span)
            leave = self.placed([self._told("exit", place, self._known)], source.span)
            body = [*enter, *body, *leave]
        return super().source(source, body, by_step=by_step)

    def _place(self, rule: ir.Rule) -> Place:
        return self.places.of("rule", self.text, rule.span, "")

    def _told(self, phase: str, place: Place, variables: Iterable[str]) -> ast.stmt:
        pairs = [py.tuple_of(py.const(name), py.name(code)) for name, code in _named(variables)]
        told = py.call("_told_step", py.name("_R"), py.const(phase), self.kept(place), py.tuple_of(*pairs))
        return py.effect(told)


@dataclass(slots=True)
class _Open:
    """A rule whose code is being written."""

    rule: ir.Rule
    entered: list[str]
    targets: int = 0


def _named(codes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """FML names for the variables in the code, the innermost of a name; those that the engine made are left out."""
    known: dict[str, str] = {}
    every = list(dict.fromkeys(codes))
    for code in every:
        if code.startswith("_"):
            continue
        numbered = _NUMBERED.fullmatch(code)
        name = numbered[1] if numbered and numbered[1] in every else code
        known.pop(name, None)
        known[name] = code
    yield from known.items()
