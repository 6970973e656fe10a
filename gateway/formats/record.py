"""What a source's messages are made of, from its manifest, and the records that come out of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, Literal

from gateway.formats.node import Node
from gateway.issues import Issues, Severity
from gateway.records import Position

Kind = Literal["xml", "er7", "csv", "json", "fhir"]
Patterns = Mapping[str, str | Sequence[str]]

OPTIONS: Mapping[Kind, frozenset[str]] = {
    "xml": frozenset(("encoding", "null", "namespaces")),
    "er7": frozenset(("encoding", "carried")),
    "csv": frozenset(("delimiter", "quote", "encoding", "columns", "required", "null", "numbers", "decimal")),
    "json": frozenset(("discriminator", "objects", "list")),
    "fhir": frozenset(),
}
"""What may stand beside `format` in a manifest's `source:`, as docs/formats.md describes it."""

Test = tuple[Sequence[str], Callable[[str], Any]]
"""A path of names, and whether the first value down it is as it must be: a pattern of Patterns, compiled."""

UNKNOWN_RECORD = "unknown-record"
"""The rule of the issue that a record has which no record kind takes."""


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One sort of record: `at` says where it lies in the format's own terms, `where` narrows by values.

    `where` is a table of dotted paths and what they must hold (a pattern with `*`, or several of them).
    """

    name: str
    at: str
    where: Patterns = field(default_factory=dict)
    tests: tuple[Test, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", compiled(self.where))

    def takes(self, node: Node) -> bool:
        return holds(node, self.tests)


@dataclass(frozen=True, slots=True)
class EnvelopeRule:
    """A fact about the whole message that must be told: an answer that says "error" instead of records."""

    rule: str
    at: str
    text: str
    when: Patterns = field(default_factory=dict)
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """How to read a source: the manifest's `source:`, `records:` and `envelope:`. Each is its own, as its hash says."""

    kind: Kind
    options: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[RecordKind, ...] = ()
    envelope: tuple[EnvelopeRule, ...] = ()

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Format:
        options = dict(manifest["source"])
        return cls(
            kind=options.pop("format"),
            options=options,
            records=tuple(RecordKind(r["name"], r.get("at", "*"), r.get("where", {})) for r in manifest["records"]),
            envelope=tuple(EnvelopeRule(rule=rule, **e) for rule, e in manifest.get("envelope", {}).items()),
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a hostile message is read. Time is bounded by these: no reader does more than linear work."""

    bytes: int = 256 << 20
    depth: int = 64
    records: int = 1_000_000
    nodes: int = 200_000
    """Nodes of one record."""


@dataclass(slots=True)
class Record:
    """One record of a message. `issues` are its own; where they are `bad` it is to be held, and `kind` may be empty."""

    kind: str
    node: Node
    span: tuple[int, int]
    position: Position
    issues: Issues = field(default_factory=Issues)


def compiled(patterns: Patterns) -> tuple[Test, ...]:
    """What a table of dotted paths and patterns asks of a node."""
    return tuple((tuple(path.split(".")), _test(wanted)) for path, wanted in patterns.items())


def _test(wanted: str | Sequence[str]) -> Callable[[str], Any]:
    """Whether a value is one of these: they are looked up, unless there are patterns among them."""
    every = (wanted,) if isinstance(wanted, str) else wanted
    if any(mark in pattern for pattern in every for mark in "*?["):
        return re.compile("|".join(map(translate, every))).match
    return frozenset(every).__contains__


def holds(node: Node, tests: Sequence[Test]) -> bool:
    """Whether the node's values are as all of the tests want them."""
    for path, test in tests:
        value = node.text(*path)
        if not test(value):
            return False
    return True


def recorded(kinds: Sequence[RecordKind], node: Node, span: tuple[int, int], where: Position) -> Record:
    """The record as the first kind that takes it, or of no kind and with an issue that says so."""
    for kind in kinds:
        if kind.takes(node):
            return Record(kind.name, node, span, where)
    record = Record("", node, span, where)
    record.issues.error(
        "not-supported",
        UNKNOWN_RECORD,
        "No mapping of this source takes this record. Send it to another source, or add it to the package's map.yaml.",
        str(where),
    )
    return record


def qualified(at: str, patterns: Mapping[str, Any]) -> Any:
    """What a table says for a `{namespace}local` name; `{*}local` stands for any namespace."""
    return patterns.get(at) or patterns.get("{*}" + at.rpartition("}")[2])
