"""XML, in a SOAP envelope or bare: one record after another, with the place of each value.

DTDs and entities are refused, so the work is linear in the message's size. Options: `encoding`, `null` (what stands for
nothing) and `namespaces` (of messages that are known, and hold no record). https://www.w3.org/TR/xml-names/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from xml.parsers import expat

from gateway.formats.node import LEAF, Kids, Node
from gateway.formats.places import place
from gateway.formats.record import EnvelopeRule, Format, Limits, Record, RecordKind, holds, qualified, recorded
from gateway.issues import Issue, Issues
from gateway.records import Position

_XSI_TYPE = "http://www.w3.org/2001/XMLSchema-instance}type"
_FAULT = "The sender answered with a SOAP Fault instead of records. Ask it again, or ask who runs it."
_ENVELOPE = (
    EnvelopeRule("soap-fault", "{http://schemas.xmlsoap.org/soap/envelope/}Fault", _FAULT),
    EnvelopeRule("soap-fault", "{http://www.w3.org/2003/05/soap-envelope}Fault", _FAULT),
)
_CHUNK = 1 << 16
_UNKNOWN_ENCODING = ("unknown-encoding", "The declared encoding is not read here. Send UTF-8.", "line 1")
_REST = "What follows was not read: mend the record and send the message again."


class _Refused(Exception):
    """The parser must stop: `args` are the issue's code, rule and text."""


@lru_cache(maxsize=4096)
def _name(raw: str) -> tuple[str, str]:
    """expat's `namespace}local` as local and qualified name."""
    _, brace, local = raw.rpartition("}")
    return local, "{" + raw if brace else raw


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The records of a message in order. What comes before a fault in the message is still given."""
    reader = _Reader(form, _Window(body), issues, limits)
    # A single token that never ends is scanned again with each chunk: at most 64 chunks keep that linear.
    step = max(_CHUNK, len(body) // 64)
    view = memoryview(body)
    try:
        for start in range(0, len(body), step):
            try:
                reader.parser.Parse(view[start : start + step], start + step >= len(body))
            finally:
                yield from reader.finished
                reader.finished.clear()
    except expat.ExpatError as error:
        issues.fatal("structure", *_malformed(body, error, form.options.get("encoding")))
        return
    except (LookupError, ValueError):  # An encoding that Python does not know, or that expat cannot take from it.
        issues.fatal("structure", *_UNKNOWN_ENCODING)
        return
    except _Refused as refusal:
        code, rule, text = refusal.args
        issues.fatal(code, rule, text, str(reader.here()))
        return
    finally:
        reader.close()
    if not body.strip():
        issues.fatal("structure", "empty-message", "The message is empty. Send it again.")
    elif not reader.known:
        issues.error("structure", "no-known-record", _unknown(form, reader), "line 1")


def stream(form: Format, chunks: Iterable[bytes], issues: Issues, limits: Limits) -> Iterator[tuple[Record, bytes]]:
    """The records of a message that is as long as it likes, each with its own bytes, which its nodes' places count.

    What is held at a time is the record that is open and the chunk that it ends in.
    """
    window = _Window()
    reader = _Reader(form, window, issues, limits)
    try:
        for chunk in _with_end(chunks):
            window.grow(chunk, reader.needed())
            if len(window.content) > limits.bytes:
                raise _Refused("too-long", "too-large-record", f"A record is larger than {limits.bytes} bytes.")
            try:
                reader.parser.Parse(chunk, not chunk)
            finally:
                for record in reader.finished:
                    yield record, window.cut(*record.span)
                reader.finished.clear()
    except expat.ExpatError as error:
        issues.fatal("structure", *_malformed(window.content, error, form.options.get("encoding")))
    except (LookupError, ValueError):
        issues.fatal("structure", *_UNKNOWN_ENCODING)
    except _Refused as refusal:
        code, rule, text = refusal.args
        issues.fatal(code, rule, text, str(reader.here()))
    else:
        if not reader.known:
            issues.error("structure", "no-known-record", _unknown(form, reader), "line 1")
    finally:
        reader.close()


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks that hold anything, and an empty one that ends the document."""
    yield from (chunk for chunk in chunks if chunk)
    yield b""


def _unknown(form: Format, reader: _Reader) -> str:
    return (
        f"The message has none of the records of this source ({_expected(form)}); its root is {reader.root}. "
        "Check that it was sent to the right source and in a version that the source's mappings name."
    )


class _Window:
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


def position(node: Node, body: bytes) -> Position:
    """Where an element (from its start tag to its end tag) or an attribute's value stands."""
    attribute = node.pos < 0
    start = ~node.pos if attribute else node.pos
    encoding, width = _encoding(body)
    if width > 1:
        return Position(node.name, *place(body, start, encoding), start)
    if attribute:
        found = _attribute(node.name, body, start)
        start, end = found if found else (start, _tag_end(body, start))
    else:
        end = _element_end(body, start)
    return Position(("@" if attribute else "") + node.name, *place(body, start, encoding), start, end)


class _Reader:
    """expat's handlers: nodes of the record that is open, and nothing of what lies around it."""

    def __init__(self, form: Format, window: _Window, issues: Issues, limits: Limits) -> None:
        self.finished: list[Record] = []
        self.known = False
        self.root = "not readable"
        self._prefixes: dict[str | None, list[str]] = {}
        self._nulls = frozenset(form.options.get("null", ()))
        self._placeholders: list[Issue] = []
        self.parser = parser = expat.ParserCreate(form.options.get("encoding"), "}")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartNamespaceDeclHandler = self._prefix
        parser.EndNamespaceDeclHandler = lambda prefix: self._prefixes[prefix].pop() and None
        self._stack: list[Node] = []
        self._shift = 0
        self._handle(form, window, issues, limits)

    def needed(self) -> int:
        """From which byte on the message may still be looked at: of the record that is open, or what was read last.

        expat may wait with a token until more has come.
        """
        return self._stack[0].pos + self._shift if self._stack else max(self.parser.CurrentByteIndex, 0)

    def _handle(self, form: Format, window: _Window, issues: Issues, limits: Limits) -> None:
        # Closures over local names, none of which refers to another: as methods, or in a cycle that waits for the
        # garbage collector, they cost a fifth more.
        parser, finished, make, drop, nulls = self.parser, self.finished, self._node, self._drop, self._nulls
        wanted, deepest, most = _wanted(form), limits.depth, limits.nodes
        # An answer without records has something to say: that there are none. So has a receipt.
        spaces = {kind.at.partition("}")[0] for kind in form.records} - {"{*"}
        spaces |= {"{" + name for name in form.options.get("namespaces", ())}
        stack = self._stack
        text: list[str] = []
        depth = nodes = records = shift = 0
        opened: tuple[list[RecordKind], list[EnvelopeRule], Position]

        def start(raw: str, attributes: list[str]) -> None:
            nonlocal depth, nodes, opened, shift
            depth += 1
            nodes += 1
            if depth > deepest:
                raise _Refused("too-costly", "too-deep", f"Elements are nested more than {deepest} deep. {_REST}")
            if nodes > most:
                raise _Refused("too-costly", "too-large-record", f"A record has more than {most} elements.")
            local, qname = _name(raw)
            if not stack:
                nodes = 0
                if depth == 1:
                    self.root = qname
                if qname.partition("}")[0] in spaces:
                    self.known = True
                found = qualified(qname, wanted)
                if found:
                    opened = (*found, self.here(local))
                    if not window.whole:  # The nodes of a stream count from their record.
                        shift = self._shift = parser.CurrentByteIndex
                    stack.append(make(local, qname, attributes))
                return
            if attributes:
                node = make(local, qname, attributes)
            else:
                node = Node(local, None, LEAF, qname, parser.CurrentByteIndex - shift)
            parent = stack[-1]
            if text:
                _add_text(parent, text)
            siblings = parent.kids
            if siblings is LEAF:
                parent.kids = {local: [node]}
            elif local in siblings:
                siblings[local].append(node)
            else:
                siblings[local] = [node]
            stack.append(node)

        def end(raw: str) -> None:
            nonlocal depth, records
            depth -= 1
            if not stack:
                return
            node = stack.pop()
            if text:
                _add_text(node, text)
            if stack:
                if nulls and not node.kids and (node.value is None or node.value in nulls):
                    drop(node, stack[-1])
                return
            kinds, rules, where = opened
            placeholders, self._placeholders = self._placeholders, []
            for rule in rules:
                if holds(node, rule.when):
                    self.known = True
                    issues.add(Issue(rule.severity, "processing", rule.rule, rule.text, str(where)))
            if not kinds:
                return
            self.known = True
            records += 1
            if records > limits.records:
                raise _Refused("too-costly", "too-many-records", f"The message has more than {limits.records} records.")
            start = node.pos + shift
            record = recorded(kinds, node, (start, window.ended(start, parser.CurrentByteIndex)), where)
            record.issues.extend(placeholders)
            finished.append(record)

        def characters(data: str) -> None:
            # A text may come in pieces, one of which may be the blank between two words.
            if stack and (text or not data.isspace()):
                text.append(data)

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters

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
            if raw == _XSI_TYPE:
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
        self.parser.StartElementHandler = self.parser.EndElementHandler = self.parser.CharacterDataHandler = None
        self.parser.StartNamespaceDeclHandler = self.parser.EndNamespaceDeclHandler = None

    def _prefix(self, prefix: str | None, uri: str) -> None:
        self._prefixes.setdefault(prefix, []).append(uri)

    def _resolve(self, name: str) -> str:
        prefix, colon, local = name.strip().rpartition(":")
        known = self._prefixes.get(prefix if colon else None)
        return f"{{{known[-1]}}}{local}" if known else local


def _wanted(form: Format) -> dict[str, tuple[list[RecordKind], list[EnvelopeRule]]]:
    """The elements that are looked at, by qualified name."""
    wanted: dict[str, tuple[list[RecordKind], list[EnvelopeRule]]] = {}
    for kind in form.records:
        wanted.setdefault(kind.at, ([], []))[0].append(kind)
    for rule in (*_ENVELOPE, *form.envelope):
        wanted.setdefault(rule.at, ([], []))[1].append(rule)
    return wanted


def _add_text(node: Node, text: list[str]) -> None:
    joined = (text[0] if len(text) == 1 else "".join(text)).strip()
    text.clear()
    node.value = joined if node.value is None else f"{node.value} {joined}"


def _expected(form: Format) -> str:
    return ", ".join(dict.fromkeys(kind.at for kind in form.records))


def _refuse_doctype(*_: object) -> None:
    raise _Refused(
        "security", "doctype", "A document type declaration and its entities are refused. Send the message without it."
    )


def _malformed(body: bytes, error: expat.ExpatError, encoding: str | None) -> tuple[str, str, str]:
    """Rule, text and place of what expat found; a wrong encoding is told as such."""
    encoding = encoding or _encoding(body)[0]
    try:
        body.decode(encoding)
    except LookupError:
        return _UNKNOWN_ENCODING
    except UnicodeDecodeError as wrong:
        line, column = place(body, wrong.start, encoding)
        hint = "looks like ISO-8859-1" if encoding == "utf-8" else "does not fit"
        text = f"The message is declared as {encoding}, but byte 0x{body[wrong.start]:02X} {hint}. "
        return "wrong-encoding", text + "Send it in the encoding that it declares.", f"line {line}, column {column}"
    reason = expat.ErrorString(error.code)
    text = f"The message is not well-formed XML: {reason}. What follows was not read; send the whole message again."
    return "malformed-xml", text, f"line {error.lineno}, column {error.offset + 1}"


_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_QUOTED = rb"""[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*"""
_TAG = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(/?)" + _QUOTED + rb">", re.DOTALL)


def _encoding(body: bytes) -> tuple[str, int]:
    """The encoding by byte order mark or declaration, and the least width of its characters."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", 2
    declared = _DECLARED.match(body[3:] if body[:3] == b"\xef\xbb\xbf" else body)
    return (declared[1].decode("ascii").lower() if declared else "utf-8"), 1


def _tag_end(body: bytes, start: int) -> int:
    found = _TAG.match(body, start)
    return found.end() if found else body.find(b">", start) + 1


def ended(body: bytes, start: int, closing: int) -> int:
    """The end of an element whose end expat reports at `closing`: its end tag, or what follows an empty element."""
    tag_end = _tag_end(body, start)
    return closing if closing == tag_end and body.endswith(b"/>", start, tag_end) else _tag_end(body, closing)


def _element_end(body: bytes, start: int) -> int:
    depth = 0
    for found in _TAG.finditer(body, start):
        if found[1] is None:
            continue
        if not found[0].endswith(b"/>"):
            depth += -1 if found[1] else 1
        if depth <= 0:
            return found.end()
    return len(body)


def _attribute(name: str, body: bytes, start: int) -> tuple[int, int] | None:
    """The span of an attribute's value within the start tag."""
    pattern = rb"""[\s:]""" + re.escape(name.encode()) + rb"""\s*=\s*("[^"]*"|'[^']*')"""
    found = re.compile(pattern).search(body, start, _tag_end(body, start))
    return (found.start(1) + 1, found.end(1) - 1) if found else None
