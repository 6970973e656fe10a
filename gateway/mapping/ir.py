"""The resolved program: every name looked up, every target element typed; what the code generator is fed with.

A group is compiled once for each combination of types it is called with (`Routine`), so that rules know the cardinality
and type of what they write, also in groups whose parameters are not typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.mapping.conceptmap import ConceptTable
from gateway.mapping.syntax import Span, Text


@dataclass(frozen=True, slots=True)
class RuleId:
    """A rule as it stands in its file; coverage, traces and issues speak of it."""

    map: str
    group: str
    name: str
    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.label}"

    @property
    def label(self) -> str:
        return f'"{self.name}"' if self.name else self.group


@dataclass(frozen=True, slots=True)
class Site:
    """A place that can go wrong: the rule, and the target element or the clause."""

    rule: int
    path: str
    """`Encounter.status`, or the clause: `where`, `check`."""
    codes: frozenset[str] | None = None
    """What a required binding allows."""


@dataclass(frozen=True, slots=True)
class Element:
    """A target element: JSON key, type (None: not known), and whether it repeats."""

    key: str
    type: str | None
    many: bool
    primitive: bool
    choices: dict[str, str] | None = None
    """Type to JSON key, where the type is decided by the value."""
    codes: frozenset[str] | None = None
    open: bool = False
    """In a structure without definition: one value is itself, several are a list."""


@dataclass(frozen=True, slots=True)
class Read:
    """A FHIRPath expression and the variables it speaks of (FML name, variable in the code)."""

    path: Any
    text: str
    variables: tuple[tuple[str, str], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in the generated code."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any


@dataclass(frozen=True, slots=True)
class Make:
    """`create('type')`, or an element that is made because something is put into it."""

    type: str | None
    resource: bool = False


@dataclass(frozen=True, slots=True)
class Translate:
    value: Value
    table: ConceptTable
    output: str


@dataclass(frozen=True, slots=True)
class Transform:
    """One of the table in `transforms`, with its arguments."""

    name: str
    arguments: tuple[Value, ...]


Value = Variable | Constant | Read | Make | Translate | Transform


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a source path; several names where a choice element can be called differently in JSON."""

    names: tuple[str, ...]
    type: str | None


@dataclass(frozen=True, slots=True)
class Source:
    context: str
    path: tuple[Step, ...]
    variable: str
    site: int
    span: Span
    type: str | None = None
    cardinality: tuple[int, int | None] | None = None
    default: Value | None = None
    mode: str | None = None
    where: Read | None = None
    check: Read | None = None
    log: Read | None = None
    remark: str | None = None
    """A `log` whose text is constant."""


@dataclass(frozen=True, slots=True)
class Target:
    context: str | None
    path: tuple[Element, ...]
    value: Value
    site: int
    span: Span
    variable: str | None = None
    mode: str | None = None
    share: str | None = None


@dataclass(frozen=True, slots=True)
class Invoke:
    routine: int
    arguments: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    id: int
    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    calls: tuple[Invoke, ...]
    rules: tuple[Rule, ...]
    span: Span


@dataclass(slots=True)
class Routine:
    """A group for one combination of arguments: of their types, and of which of them are nodes of the source."""

    index: int
    name: str
    text: Text
    span: Span
    parameters: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    nodes: frozenset[str] = frozenset()
    """The parameters that are given nodes of the source and nothing else."""


@dataclass(slots=True)
class Program:
    """Everything that an entry group can reach."""

    entry: int
    modes: tuple[str, ...]
    types: tuple[str | None, ...]
    routines: list[Routine] = field(default_factory=list)
    rules: list[RuleId] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    tables: list[ConceptTable] = field(default_factory=list)
    copiers: dict[str, int] = field(default_factory=dict)
    """Target type to the routine (of a default group) that makes its elements where a whole element is copied."""
    alone: frozenset[int] = frozenset()
    """Sites that are the only ones to write their element: writing it twice there loses a value of the source."""
