"""Source data that no rule ever reads, over a corpus: what is lost without anybody having decided to.

Records are mapped as ever, but from trees that note which of their elements were looked up. Values are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway import formats
from gateway.formats import Format, Node, Record
from gateway.issues import Issues
from gateway.mapping.cases import cases
from gateway.mapping.package import Package
from gateway.records import Source

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the corpus: a file, or the source of a case."""

    name: str
    body: bytes
    source: Source
    received: datetime


@dataclass(slots=True)
class Element:
    """An element of the source's records, over the corpus."""

    kind: str
    path: Path
    count: int = 0
    """How often it stands there with a value, in itself or below it."""
    values: int = 0
    """Values in it and below it."""
    example: str = ""
    """The first place, with its message."""
    read: bool = False

    @property
    def shown(self) -> str:
        return ".".join(self.path)


@dataclass(slots=True)
class Unread:
    """Every element that a corpus has values in, by kind of record, and whether anything reads it."""

    records: int = 0
    held: int = 0
    """Records of no known kind, or that could not be read: none of their elements are counted."""
    elements: dict[tuple[str, Path], Element] = field(default_factory=dict)

    @property
    def values(self) -> int:
        return sum(element.values for element in self.elements.values() if len(element.path) == 1)

    @property
    def unread(self) -> list[Element]:
        """The outermost elements that nothing ever reads, those with the most values first."""
        found = [
            element
            for (kind, path), element in self.elements.items()
            if not element.read and (len(path) == 1 or self.elements[(kind, path[:-1])].read)
        ]
        return sorted(found, key=lambda e: (e.kind, -e.values, e.path))

    @property
    def lost(self) -> int:
        """How many values nothing reads."""
        return sum(element.values for element in self.unread)


def corpus(package: Package) -> Iterator[Message]:
    """The sources of the package's cases."""
    for case in cases(package):
        yield Message(case.folder.name, case.body, case.source, case.received)


def unread(package: Package, messages: Iterable[Message]) -> Unread:
    """Map the messages and see what of them is never looked up."""
    found = Unread()
    form = package.format
    by_reader = list(_by_reader(form))
    known = {spec.name for spec in package.manifest.records}
    for message in messages:
        for record in formats.read(form, message.body, Issues()):
            if record.kind not in known or record.issues.bad:
                found.held += 1
                continue
            found.records += 1
            seen: set[Path] = set(by_reader)
            tree = _Tree(seen, er7=form.kind == "er7")
            watched = tree.watched(record.node, ())
            package.apply(replace(record, node=watched), message.source, message.received, body=message.body)
            for path, node, values in tree.counted:
                element = found.elements.setdefault((record.kind, path), Element(record.kind, path))
                element.count += 1
                element.values += values
                element.read = element.read or path in seen
                if not element.example:
                    element.example = f"{message.name}: {formats.position(form.kind, node, message.body)}"
    return found


def unread_nodes(package: Package, record: Record, message: Message) -> Iterator[Node]:
    """The outermost elements of one record, with values, that nothing reads while it is mapped."""
    form = package.format
    seen: set[Path] = set(_by_reader(form))
    tree = _Tree(seen, er7=form.kind == "er7")
    watched = replace(record, node=tree.watched(record.node, ()))
    package.apply(watched, message.source, message.received, body=message.body)
    for path, node, _ in tree.counted:
        if path not in seen and (len(path) == 1 or path[:-1] in seen):
            yield node


def _by_reader(form: Format) -> Iterator[Path]:
    """What the reader itself looks at, to tell kinds of record and how the message is written."""
    for record in form.records:
        yield from (tuple(path.split(".")[:n]) for path in record.where for n in range(1, path.count(".") + 2))
        if form.kind == "csv" and "=" in record.at:
            yield (record.at.partition("=")[0].strip(),)
    if form.kind == "json" and "discriminator" in form.options:
        parts = tuple(str(form.options["discriminator"]).split("."))
        yield from (parts[:n] for n in range(1, len(parts) + 1))
    if form.kind == "er7":
        header = [("MSH", number) for number in ("1", "2", "9", "18")]
        yield from (("MSH",), *header, *(("MSH", "9", part) for part in ("1", "2", "3")))
    if form.kind == "fhir":
        yield from (("resource",), ("resource", "resourceType"))


class _Tree:
    """A record's tree, copied so that looking at it is noted in `seen`."""

    def __init__(self, seen: set[Path], *, er7: bool) -> None:
        self.seen = seen
        self.er7 = er7
        self.counted: list[tuple[Path, Node, int]] = []
        """Each element with values: its path, the node, how many values it holds."""

    def watched(self, node: Node, path: Path, *, own: bool = True) -> Node:
        return self._watched(node, path, own=own)[0]

    def _watched(self, node: Node, path: Path, *, own: bool) -> tuple[Node, int]:
        kids = _Kids()
        kids.paths, kids.seen = {}, self.seen
        values = int(own and node.value is not None and node.value != "")
        for name, nodes in node.kids.items():
            # A field of HL7 v2 without separators is its own first component: one value, by two names.
            same = self.er7 and node.value is not None
            below = path if same else (*path, name)
            made = [self._watched(one, below, own=not same) for one in nodes]
            kids[name] = [one for one, _ in made]
            kids.paths[name] = below
            values += sum(count for _, count in made)
        if path and values and own:
            self.counted.append((path, node, values))
        return Node(node.name, node.value, kids, node.type, node.pos), values


class _Kids(dict[str, list[Node]]):
    """Children, which note that they were looked up."""

    __slots__ = ("paths", "seen")

    paths: dict[str, Path]
    seen: set[Path]

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name)
        if found is None:
            return default
        self.seen.add(self.paths[name])
        return found

    def __getitem__(self, name: str) -> list[Node]:
        self.seen.add(self.paths[name])
        return super().__getitem__(name)

    def items(self) -> Any:
        self.seen.update(self.paths.values())
        return super().items()

    def values(self) -> Any:
        self.seen.update(self.paths.values())
        return super().values()
