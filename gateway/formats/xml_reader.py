"""expat's handlers: nodes of the record that is open, and nothing of what lies around it.

Namespaces are resolved by expat, whose names are `namespace}local`. https://www.w3.org/TR/xml-names/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from xml.parsers import expat

from gateway.formats.node import LEAF, Kids, Node
from gateway.formats.record import (
    EnvelopeRule,
    Format,
    Limits,
    Record,
    RecordKind,
    compiled,
    holds,
    qualified,
    recorded,
)
from gateway.formats.xml_places import ended
from gateway.issues import Issue, Issues
from gateway.records import Position

XML = "http://www.w3.org/XML/1998/namespace"
XSI_TYPE = "http://www.w3.org/2001/XMLSchema-instance}type"
_FAULT = "The sender answered with a SOAP Fault instead of records. Ask it again, or ask who runs it."
_ENVELOPE = (
    EnvelopeRule("soap-fault", "{http://schemas.xmlsoap.org/soap/envelope/}Fault", _FAULT),
    EnvelopeRule("soap-fault", "{http://www.w3.org/2003/05/soap-envelope}Fault", _FAULT),
)
Opened = tuple[list[RecordKind], list[EnvelopeRule]]
"""What an element that is looked at may be a record of, and what may have to be told of it."""
_MOST_NAMES = 1024
_REST = "What follows was not read: mend the record and send the message again."


class Refused(Exception):
    """The parser must stop: `args` are the issue's code, rule and text."""


class Window:
    """The bytes of a message that are at hand: all of them, or those from the open record on."""

    __slots__ = ("content", "start", "whole")

    def __init__(self, body: bytes | None = None) -> None:
        self.whole = body is not None
        self.content = body or b""
        self.start = 0

    def grow(self, chunk: bytes, keep: int) -> None:
        """Add what comes, and let go what lies before `keep`."""
        self.content = self.content[keep - self.start :] + chunk
        self.start = keep

    def cut(self, start: int, end: int) -> bytes:
        return self.content[start - self.start : end - self.start]

    def ended(self, start: int, closing: int) -> int:
        """The end of an element in the message's count."""
        return ended(self.content, start - self.start, closing - self.start) + self.start


class Reader:
    """A parser, the records it has finished, and what it knows of the message."""

    def __init__(self, form: Format, window: Window, issues: Issues, limits: Limits) -> None:
        self.finished: list[Record] = []
        self.known = False
        self.root = "not readable"
        self._prefixes: dict[str | None, list[str]] = {"xml": [XML]}
        self._nulls = frozenset(form.options.get("null", ()))
        self._placeholders: list[Issue] = []
        self._begun: int | None = None
        self._shift = 0
        self.parser = parser = expat.ParserCreate(form.options.get("encoding"), "}")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartNamespaceDeclHandler = self._prefix
        parser.EndNamespaceDeclHandler = lambda prefix: self._prefixes[prefix].pop() and None
        self._around: tuple[Any, ...] = ()
        self._within: tuple[Any, ...] = ()
        self._handle(form, window, issues, limits)

    def needed(self) -> int:
        """From which byte on the message may still be looked at: of the record that is open, or what was read last.

        expat may wait with a token until more has come.
        """
        return max(self.parser.CurrentByteIndex, 0) if self._begun is None else self._begun

    def _handle(self, form: Format, window: Window, issues: Issues, limits: Limits) -> None:
        # Closures over local names, none of which refers to another: as methods, or in a cycle that waits for the
        # garbage collector, they cost a fifth more. Within a record others listen than around it: most of a message
        # is records, and texts within one go straight into a list.
        parser, finished, make, drop, nulls = self.parser, self.finished, self._node, self._drop, self._nulls
        looked, deepest, most = looked_for(form), limits.depth, limits.nodes
        above: list[Node] = []
        text: list[str] = []
        depth = nodes = records = room = shift = 0
        node: Node
        opened: Opened
        where: Position

        def start_around(raw: str, attributes: list[str]) -> None:
            nonlocal depth, nodes, room, shift, node, opened, where
            depth += 1
            if depth > deepest:
                raise Refused("too-costly", "too-deep", f"Elements are nested more than {deepest} deep. {_REST}")
            local, qname = _name(raw)
            if depth == 1:
                self.root = qname
            known, found = looked.at(qname)
            if known:
                self.known = True
            if found:
                opened, where = found, self.here(local)
                self._begun = parser.CurrentByteIndex
                if not window.whole:  # The nodes of a stream count from their record.
                    shift = self._shift = self._begun
                nodes, room = 0, deepest - depth
                node = make(local, qname, attributes)
                self._listen(*self._within)

        def end_around(raw: str) -> None:
            nonlocal depth
            depth -= 1

        def start(raw: str, attributes: list[str]) -> None:
            nonlocal node, nodes
            nodes += 1
            if nodes > most:
                raise Refused("too-costly", "too-large-record", f"A record has more than {most} elements.")
            if len(above) >= room:
                raise Refused("too-costly", "too-deep", f"Elements are nested more than {deepest} deep. {_REST}")
            if text:
                if len(text) == 1 and text[0].isspace():  # As it mostly is between elements.
                    text.clear()
                else:
                    _say(node, text)
            local, qname = _name(raw)
            child = (
                make(local, qname, attributes)
                if attributes
                else Node(local, None, LEAF, qname, parser.CurrentByteIndex - shift)
            )
            siblings = node.kids
            if siblings is LEAF:
                node.kids = {local: [child]}
            elif local in siblings:
                siblings[local].append(child)
            else:
                siblings[local] = [child]
            above.append(node)
            node = child

        def end(raw: str) -> None:
            nonlocal depth, node, records
            if text:
                if len(text) == 1 and node.value is None:  # As it mostly is in elements without others.
                    node.value = text.pop().strip() or None
                else:
                    _say(node, text)
            if above:
                ending, node = node, above.pop()
                if nulls and not ending.kids and (ending.value is None or ending.value in nulls):
                    drop(ending, node)
                return
            depth -= 1
            start = node.pos + shift
            self._begun = None
            self._listen(*self._around)
            kinds, rules = opened
            placeholders, self._placeholders = self._placeholders, []
            for issue in told(rules, node, where):
                self.known = True
                issues.add(issue)
            if not kinds:
                return
            self.known = True
            records += 1
            if records > limits.records:
                raise Refused("too-costly", "too-many-records", f"The message has more than {limits.records} records.")
            record = recorded(kinds, node, (start, window.ended(start, parser.CurrentByteIndex)), where)
            record.issues.extend(placeholders)
            finished.append(record)

        self._around = start_around, end_around, None
        self._within = start, end, text.append
        self._listen(*self._around)

    def _listen(self, start: Any, end: Any, characters: Any) -> None:
        parser = self.parser
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters

    def _node(self, local: str, qname: str, attributes: list[str]) -> Node:
        """An element with its attributes as children."""
        kids: Kids = {}
        start = self.parser.CurrentByteIndex - self._shift
        node = Node(local, None, kids if attributes else LEAF, qname, start)
        for raw, value in zip(attributes[::2], attributes[1::2], strict=True):
            name, qname = _name(raw)
            if value in self._nulls:
                self._placeholder(value, "@" + name)
                continue
            kids.setdefault(name, []).append(Node(name, value, LEAF, qname, ~start))
            if raw == XSI_TYPE:
                node.type = self._resolve(value)
        return node

    def _drop(self, node: Node, parent: Node) -> None:
        """An element that says nothing, or that holds what the manifest's `null:` names, is as if it were not there."""
        siblings = parent.kids[node.name]
        siblings.pop()
        if not siblings:
            del parent.kids[node.name]
        if node.value:
            self._placeholder(str(node.value), node.name)

    def _placeholder(self, value: str, name: str) -> None:
        if value:
            text = "A placeholder stands in the place of a value and was passed over. Ask the source for the value."
            self._placeholders.append(Issue("information", "value", "placeholder", text, str(self.here(name))))

    def here(self, path: str = "") -> Position:
        parser = self.parser
        return Position(path, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, parser.CurrentByteIndex)

    def close(self) -> None:
        """Break the cycle of parser and handlers, so that the record's memory goes now and not at the next sweep."""
        self._listen(None, None, None)
        self._around = self._within = ()
        self.parser.StartNamespaceDeclHandler = self.parser.EndNamespaceDeclHandler = None

    def _prefix(self, prefix: str | None, uri: str) -> None:
        self._prefixes.setdefault(prefix, []).append(uri)

    def _resolve(self, name: str) -> str:
        prefix, colon, local = name.strip().rpartition(":")
        known = self._prefixes.get(prefix if colon else None)
        return f"{{{known[-1]}}}{local}" if known else local


@lru_cache(maxsize=4096)
def _name(raw: str) -> tuple[str, str]:
    """expat's `namespace}local` as local and qualified name."""
    _, brace, local = raw.rpartition("}")
    return local, "{" + raw if brace else raw


class Looked:
    """What a source's messages are looked through for, by qualified names."""

    def __init__(self, form: Format) -> None:
        self._wanted: dict[str, Opened] = {}
        for kind in form.records:
            self._wanted.setdefault(kind.at, ([], []))[0].append(kind)
        for rule in (*_ENVELOPE, *form.envelope):
            self._wanted.setdefault(rule.at, ([], []))[1].append(rule)
        # An answer without records has something to say: that there are none. So has a receipt.
        own = {kind.at.partition("}")[0] for kind in form.records} - {"{*"}
        self._spaces = own | {"{" + name for name in form.options.get("namespaces", ())}
        self._met: dict[str, tuple[bool, Opened | None]] = {}

    def at(self, qname: str) -> tuple[bool, Opened | None]:
        """Whether a name is of the source's own namespaces; and what it opens, where it is looked for."""
        found = self._met.get(qname)
        if found is None:
            found = qname.partition("}")[0] in self._spaces, qualified(qname, self._wanted)
            if len(self._met) < _MOST_NAMES:
                self._met[qname] = found
        return found


@lru_cache(maxsize=256)
def looked_for(form: Format) -> Looked:
    return Looked(form)


def told(rules: Iterable[EnvelopeRule], node: Node, where: Position) -> Iterator[Issue]:
    """What the manifest says must be told of an element."""
    for rule in rules:
        if holds(node, compiled(rule.when)):
            yield Issue(rule.severity, "processing", rule.rule, rule.text, str(where))


def _say(node: Node, text: list[str]) -> None:
    """What has come in pieces, or before and behind other elements, into the node's value; blanks are nothing."""
    said = "".join(text).strip()
    text.clear()
    if said:
        node.value = said if node.value is None else f"{node.value} {said}"


def _refuse_doctype(*_: object) -> None:
    raise Refused(
        "security", "doctype", "A document type declaration and its entities are refused. Send the message without it."
    )
