"""Messages of plain XML: expat says that one is well-formed, and the tags are what stands between `<` and `>`.

Most messages hold elements, attributes and text and nothing else; cut so, they cost half of what a call for each tag
costs. One that holds more (a comment, CDATA, a document type), that has a fault, or of which something has to be told
whose place only a parser knows, is left to `xml_reader`, which gives the same of all others: tests hold both to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

from gateway.formats.node import LEAF, Node
from gateway.formats.places import Lines
from gateway.formats.record import Format, Limits, Record, recorded
from gateway.formats.xml_reader import XML, XSI_TYPE, Opened, looked_for, told
from gateway.issues import Issues
from gateway.records import Position

LARGEST = 1 << 20
Prefixes = dict[str | None, str]
Names = dict[bytes, tuple[str, str]]
"""Local and qualified names by what is written."""
_BEGUN = re.compile(rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'][Uu][Tt][Ff]-8["'])? ?\?>)?\s*(?=<[^?!])""")
_TAG = re.compile(rb"""([^\s/]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)""")
_ATTRIBUTE = re.compile(r"""([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&(?:#(?:x([0-9a-fA-F]+)|([0-9]+))|(\w+));")
_SPACES = re.compile(r"[\t\n\r]")
_MOST_NAMES = 1024
_LONGEST_TAG = 512
_SLASH = ord("/")
_NONE: Sequence[tuple[str, str]] = ()
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_XML = (("xml", XML),)
_XSI_TYPE = "{" + XSI_TYPE


class _Otherwise(Exception):
    """This message has to be read tag by tag."""


@dataclass(slots=True)
class Plain:
    """What a message holds: its records, what has to be told of it, and whether it is one of this source's."""

    root: str = ""
    known: bool = False
    records: list[Record] = field(default_factory=list)
    issues: Issues = field(default_factory=Issues)


def read(form: Format, body: bytes, limits: Limits) -> Plain | None:
    """The message; None where it has to be read tag by tag."""
    if len(body) > LARGEST or form.options.get("encoding"):
        return None
    begun = _BEGUN.match(body)
    if begun is None or _holds(body, b"<!", 0) or _holds(body, b"<?", begun.end()):
        return None
    try:
        expat.ParserCreate(None, "}").Parse(body, True)
        return _Reader(form, body, limits).read(begun.end())
    except (expat.ExpatError, _Otherwise):
        return None


def _holds(body: bytes, mark: bytes, start: int) -> bool:
    # One byte is looked for faster than two, and is mostly not there.
    return body.find(mark[1:], start) >= 0 and body.find(mark, start) >= 0


class _Reader:
    """Cuts a message that is well-formed, and so may look at each tag by itself."""

    def __init__(self, form: Format, body: bytes, limits: Limits) -> None:
        self._body = body
        self._limits = limits
        self._looked = looked_for(form)
        self._nulls = frozenset(form.options.get("null", ()))
        self._lines = Lines(body)
        self._found = Plain()
        self._opened: Opened = ([], [])

    def read(self, at: int) -> Plain:
        """The message, whose root is `at` so many bytes. Elements around records become no nodes."""
        pieces = self._body[at + 1 :].split(b"<")
        if len(pieces) > self._limits.nodes:
            raise _Otherwise
        scope, nulls, deepest = _scope(_XML), self._nulls, self._limits.depth
        names = scope.names
        outer: list[tuple[int, _Scope]] = []
        above: list[Node | None] = []
        node: Node | None = None
        for piece in pieces:
            start, at = at, at + len(piece) + 1
            tag, _, text = piece.partition(b">")
            name = names.get(tag)
            ends, attributes = False, _NONE
            if name is None:  # An end tag, one with attributes, or one that was never met.
                if tag[0] == _SLASH:
                    ends = True
                else:
                    inner, name, attributes, ends = scope.opened(tag)
                    if inner is not scope:
                        if above:
                            outer.append((len(above), scope))
                        scope, names = inner, inner.names
            if name is not None:
                above.append(node)
                if len(above) > deepest:
                    raise _Otherwise
                if node is None:
                    node = self._around(name, start)
                else:
                    local = name[0]
                    child = Node(local, None, LEAF, name[1], start)
                    siblings = node.kids
                    if siblings is LEAF:
                        node.kids = {local: [child]}
                    elif local in siblings:
                        siblings[local].append(child)
                    else:
                        siblings[local] = [child]
                    node = child
                if attributes and node is not None:
                    self._attributes(node, attributes, scope)
            if ends:
                ending, node = node, above.pop()
                if outer and outer[-1][0] == len(above):
                    scope = outer.pop()[1]
                    names = scope.names
                if node is None:
                    if ending is not None:
                        self._finish(ending, start + len(tag) + 2)
                elif nulls and ending is not None:
                    self._drop_empty(ending, node)
            if text and node is not None and not text.isspace():
                said = text.decode()
                if "&" in said or "\r" in said:
                    said = _meant(said)
                if said := said.strip():
                    node.value = said if node.value is None else f"{node.value} {said}"
        return self._found

    def _around(self, name: tuple[str, str], start: int) -> Node | None:
        """An element outside of any record: a record's own, or none that is looked at."""
        local, qname = name
        found = self._found
        found.root = found.root or qname
        known, opened = self._looked.at(qname)
        if known:
            found.known = True
        if not opened:
            return None
        self._opened = opened
        return Node(local, None, LEAF, qname, start)

    def _attributes(self, node: Node, attributes: Sequence[tuple[str, str]], scope: _Scope) -> None:
        kids = node.kids = {}
        for raw, value in attributes:
            name, qname = scope.attribute(raw)
            if value in self._nulls:
                raise _Otherwise  # It is told, with its place.
            kids.setdefault(name, []).append(Node(name, value, LEAF, qname, ~node.pos))
            if qname == _XSI_TYPE:
                node.type = scope.of_value(value)

    def _drop_empty(self, node: Node, parent: Node) -> None:
        """An element that says nothing is as if it were not there."""
        if node.kids or (node.value is not None and node.value not in self._nulls):
            return
        if node.value:
            raise _Otherwise  # It is told, with its place.
        siblings = parent.kids[node.name]
        siblings.pop()
        if not siblings:
            del parent.kids[node.name]

    def _finish(self, node: Node, end: int) -> None:
        found = self._found
        kinds, rules = self._opened
        where = self._place(node)
        for issue in told(rules, node, where):
            found.known = True
            found.issues.add(issue)
        if kinds:
            found.known = True
            found.records.append(recorded(kinds, node, (node.pos, end), where))
            if len(found.records) > self._limits.records:
                raise _Otherwise

    def _place(self, node: Node) -> Position:
        start: int = node.pos
        before = max(self._body.rfind(b"\n", 0, start), self._body.rfind(b"\r", 0, start)) + 1
        return Position(node.name, self._lines.at(start), len(self._body[before:start].decode()) + 1, start)


class Tag(NamedTuple):
    """What a start tag opens: a scope, of its own or the one around it, and whether it ends the element too."""

    scope: _Scope
    name: tuple[str, str]
    attributes: Sequence[tuple[str, str]]
    ends: bool


class _Scope:
    """What prefixes mean at a place in a message, and what names mean by them."""

    __slots__ = ("names", "prefixes", "tags")

    def __init__(self, prefixes: Prefixes) -> None:
        self.prefixes = prefixes
        self.names: Names = {}
        self.tags: dict[bytes, Tag] = {}

    def opened(self, tag: bytes) -> Tag:
        """What a start tag opens. The few that have attributes are mostly the same in every message."""
        found = self.tags.get(tag)
        if found is None:
            found = self._opened(tag)
            if len(tag) < _LONGEST_TAG and len(self.tags) < _MOST_NAMES:
                self.tags[tag] = found
        return found

    def _opened(self, tag: bytes) -> Tag:
        found = _TAG.fullmatch(tag)
        if found is None:
            raise _Otherwise  # A value holds the mark that ends a tag.
        declared: Prefixes = {}
        attributes: list[tuple[str, str]] = []
        for name, double, single in _ATTRIBUTE.findall(found[2].decode()):
            value = double or single
            if _SPACES.search(value):
                raise _Otherwise
            value = _meant(value) if "&" in value else value
            if name == "xmlns" or name.startswith("xmlns:"):
                if not value:
                    raise _Otherwise
                declared[name[6:] or None] = value
            else:
                attributes.append((name, value))
        scope = _scope(tuple({**self.prefixes, **declared}.items())) if declared else self
        return Tag(scope, scope.name(found[1]), attributes, found[3] == b"/")

    def name(self, written: bytes) -> tuple[str, str]:
        found = self.names.get(written)
        if found is None:
            prefix, _, local = written.decode().rpartition(":")
            uri = self.prefixes.get(prefix or None)
            found = (local, f"{{{uri}}}{local}" if uri else local)
            if len(self.names) < _MOST_NAMES:
                self.names[written] = found
        return found

    def attribute(self, written: str) -> tuple[str, str]:
        """An attribute without a prefix is of no namespace."""
        prefix, _, local = written.rpartition(":")
        return (local, f"{{{self.prefixes[prefix]}}}{local}") if prefix else (local, local)

    def of_value(self, value: str) -> str:
        """A qualified name that a value holds."""
        prefix, colon, local = value.strip().rpartition(":")
        known = self.prefixes.get(prefix if colon else None)
        return f"{{{known}}}{local}" if known else local


@lru_cache(maxsize=32)
def _scope(prefixes: tuple[tuple[str | None, str], ...]) -> _Scope:
    """Kept, with the names that were met in it: the messages of a source say the same over and over."""
    return _Scope(dict(prefixes))


def _meant(text: str) -> str:
    """Text with its line ends as one sign, and what its references stand for."""
    return _REFERENCE.sub(_referred, text.replace("\r\n", "\n").replace("\r", "\n"))


def _referred(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    return _ENTITIES[name] if name else chr(int(hexadecimal, 16) if hexadecimal else int(decimal))
