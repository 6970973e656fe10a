"""The syntax tree of the FHIR Mapping Language: what a map file says, before anything is looked up.

It mirrors the StructureMap resource, so that a reader of its JSON can make the same tree.

https://hl7.org/fhir/R5/structuremap.html
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal as Choice


class Text:
    """A map file's text, which can tell line and column of an offset.

    `file` is the name that people read, `path` where the file lies, for debuggers.
    """

    __slots__ = ("_starts", "content", "file", "path")

    def __init__(self, content: str, file: str, path: str = "") -> None:
        self.content = content
        self.file = file
        self.path = path or file
        self._starts = [0, *(found.end() for found in re.finditer("\n", content))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        start = self._starts[number - 1]
        end = self.content.find("\n", start)
        return self.content[start : len(self.content) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text, as offsets."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: string, number, boolean, date (kept as the text after `@`)."""

    value: str | int | Decimal | bool
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, named."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Expression:
    """A FHIRPath expression as it stands in the file, comments blanked."""

    text: str
    span: Span


Argument = Literal | Name | Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A transform, or a group that is invoked."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span


Mode = Choice["source", "target"]
TypeMode = Choice["types", "type+"]
SOURCE_MODES: frozenset[str] = frozenset(("first", "not_first", "last", "not_last", "only_one"))
TARGET_MODES: frozenset[str] = frozenset(("first", "share", "last", "single", "collate"))


@dataclass(frozen=True, slots=True)
class Source:
    """What a rule looks at: `context.path : type min..max default (..) mode as alias where check log`."""

    context: str
    path: tuple[str, ...]
    span: Span
    type: str | None = None
    cardinality: tuple[int, int | None] | None = None
    default: Argument | None = None
    mode: str | None = None
    alias: str | None = None
    where: Expression | None = None
    check: Expression | None = None
    log: Expression | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule makes: `context.path = transform as alias mode`. Without a context only a variable is made."""

    context: str | None
    path: tuple[str, ...]
    span: Span
    transform: Argument | Call | None = None
    alias: str | None = None
    mode: str | None = None
    share: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`sources -> targets then calls { rules } "name";`"""

    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    span: Span
    calls: tuple[Call, ...] = ()
    rules: tuple[Rule, ...] = ()
    name: str | None = None
    documentation: str | None = None
    """The comments before it and behind it on its line."""


@dataclass(frozen=True, slots=True)
class Parameter:
    mode: Mode
    name: str
    type: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    parameters: tuple[Parameter, ...]
    rules: tuple[Rule, ...]
    span: Span
    extends: str | None = None
    extends_span: Span | None = None
    types: TypeMode | None = None
    documentation: str | None = None


@dataclass(frozen=True, slots=True)
class Uses:
    url: str
    alias: str
    mode: str
    span: Span
    documentation: str | None = None


@dataclass(frozen=True, slots=True)
class Imports:
    url: str
    span: Span


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A row of an embedded ConceptMap: source system and code, relation, target system and code."""

    source: tuple[str, str]
    relation: str
    target: tuple[str, str] | None
    span: Span


@dataclass(frozen=True, slots=True)
class EmbeddedConceptMap:
    url: str
    rows: tuple[CodeRow, ...]
    unmapped: tuple[tuple[str, str], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Map:
    """One map file."""

    url: str
    name: str
    text: Text
    metadata: dict[str, object] = field(default_factory=dict)
    uses: tuple[Uses, ...] = ()
    imports: tuple[Imports, ...] = ()
    constants: tuple[Constant, ...] = ()
    concept_maps: tuple[EmbeddedConceptMap, ...] = ()
    groups: tuple[Group, ...] = ()
