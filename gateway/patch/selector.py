"""The selectors of XML Patch: the part of XPath that names one node step by step, and costs no more than that.

https://www.rfc-editor.org/rfc/rfc5261#section-4.1

Steps go to children, attributes, text and comments; a predicate is a position, or compares what a relative path or `.`
finds with a text. There are no other axes and functions. A name without prefix is in the patch's default namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from lxml import etree

from gateway.fhir.xml.shapes import FHIR, XHTML

LONGEST: Final = 2000
PREFIXES: Final[Mapping[str | None, str]] = {"f": FHIR, "h": XHTML, None: FHIR}
"""Those that a selector may use without a declaration in the patch."""
NAME: Final = r"[A-Za-z_][\w.-]*"
TOKEN: Final = re.compile(
    rf"""\s*(?:(?P<text>'[^']*'|"[^"]*")|(?P<number>[0-9]{{1,9}})
    |(?P<kind>(?:text|comment|position|last)\(\s*\))|(?P<attribute>@(?:{NAME}:)?{NAME})
    |(?P<name>(?:{NAME}:)?(?:{NAME}|\*)|\*)|(?P<mark>[/\[\]=.]))""",
    re.VERBOSE,
)


class SelectorError(ValueError):
    """The selector is none of those that are read here; its text says why."""


class Attribute(NamedTuple):
    """An attribute of an element, by its full name."""

    owner: Any
    name: str


class Text(NamedTuple):
    """A text: an element's own first one (`text`), or the one behind an element (`tail`)."""

    owner: Any
    place: Literal["text", "tail"]


Node = Any
"""An lxml element or comment, an Attribute or a Text."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `name` is an element's or attribute's full name, `*` any."""

    kind: Literal["element", "attribute", "text", "comment", "self"]
    name: str
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """A position (0: the last), or a relative path and the text that it must have, None for any."""

    position: int | None
    path: tuple[Step, ...]
    text: str | None


def select(source: str, root: Any, prefixes: Mapping[str | None, str]) -> list[Node]:
    """The nodes of a document that a selector finds. SelectorError."""
    steps = _Parser(source, prefixes).steps()
    return _followed(steps, [_Document(root)])


class _Document:
    """The node above the root element."""

    def __init__(self, root: Any) -> None:
        self.root = root


def _followed(steps: tuple[Step, ...], nodes: list[Node]) -> list[Node]:
    for step in steps:
        nodes = [found for node in nodes for found in _kept(step, list(_stepped(step, node)))]
    return nodes


def _stepped(step: Step, node: Node) -> Iterator[Node]:
    if isinstance(node, _Document):
        if step.kind == "element" and _is(node.root, step.name):
            yield node.root
        return
    if step.kind == "self":
        yield node
    if isinstance(node, Attribute | Text) or not isinstance(node.tag, str):
        return
    match step.kind:
        case "element":
            yield from (child for child in node if _is(child, step.name))
        case "comment":
            yield from (child for child in node if child.tag is etree.Comment)
        case "attribute" if step.name in node.attrib:
            yield Attribute(node, step.name)
        case "text":
            if node.text:
                yield Text(node, "text")
            yield from (Text(child, "tail") for child in node if child.tail)


def _is(element: Any, name: str) -> bool:
    tag = element.tag
    if not isinstance(tag, str):
        return False
    return name in ("*", tag) or (name.endswith("}*") and tag.startswith(name[:-1]))


def _kept(step: Step, nodes: list[Node]) -> list[Node]:
    for predicate in step.predicates:
        if predicate.position is not None:
            index = predicate.position - 1
            nodes = nodes[index:][:1] if index < len(nodes) else []
        else:
            nodes = [node for node in nodes if _holds(predicate, node)]
    return nodes


def _holds(predicate: Predicate, node: Node) -> bool:
    found = _followed(predicate.path, [node])
    return bool(found) if predicate.text is None else any(text_of(one) == predicate.text for one in found)


def text_of(node: Node) -> str:
    """A node's value as a text."""
    if isinstance(node, Attribute):
        return str(node.owner.get(node.name))
    if isinstance(node, Text):
        return str(getattr(node.owner, node.place))
    return "".join(node.itertext()) if isinstance(node.tag, str) else str(node.text)


class _Parser:
    def __init__(self, source: str, prefixes: Mapping[str | None, str]) -> None:
        if len(source) > LONGEST:
            raise SelectorError(f"A selector has at most {LONGEST} characters.")
        self._prefixes = {**PREFIXES, **prefixes}
        self._tokens: list[tuple[str, str]] = []
        source, at = source.strip(), 0
        while at < len(source):
            token = TOKEN.match(source, at)
            if token is None:
                raise SelectorError(
                    f"The selector cannot be read from its character {at + 1} on: name a node by steps from the root."
                )
            kind = str(token.lastgroup)
            self._tokens.append((kind, token[kind]))
            at = token.end()
        self._at = 0

    def steps(self) -> tuple[Step, ...]:
        self._took("mark", "/")
        steps = self._path()
        if self._at < len(self._tokens):
            raise SelectorError("The selector goes on behind its end: steps are separated by one /.")
        return steps

    def _path(self) -> tuple[Step, ...]:
        steps = [self._step()]
        while self._took("mark", "/"):
            if steps[-1].kind in ("attribute", "text", "comment"):
                raise SelectorError("Nothing lies below an attribute, a text or a comment.")
            steps.append(self._step())
        return tuple(steps)

    def _step(self) -> Step:
        kind, text = self._next()
        match kind:
            case "name":
                return Step("element", self._full(text, default=True), self._predicates())
            case "attribute":
                return Step("attribute", self._full(text[1:], default=False), ())
            case "kind" if text.startswith("text"):
                return Step("text", "", self._predicates())
            case "kind" if text.startswith("comment"):
                return Step("comment", "", self._predicates())
            case "mark" if text == ".":
                return Step("self", "", ())
        raise SelectorError("A step is a name, *, @name, text() or comment(), and steps are separated by one /.")

    def _predicates(self) -> tuple[Predicate, ...]:
        found = []
        while self._took("mark", "["):
            found.append(self._predicate())
            if not self._took("mark", "]"):
                raise SelectorError("A predicate is [2], [last()], [name], [@name='text'] or [name/@name='text'].")
        return tuple(found)

    def _predicate(self) -> Predicate:
        if (number := self._took("number")) is not None:
            return _position(number)
        kind, text = self._peek()
        if kind == "kind" and text.startswith("last"):
            self._at += 1
            return Predicate(0, (), None)
        if kind == "kind" and text.startswith("position"):
            self._at += 1
            number = self._took("number") if self._took("mark", "=") else None
            if number is None:
                raise SelectorError("A position is compared with a number: [position()=2].")
            return _position(number)
        path = self._path()
        if not self._took("mark", "="):
            return Predicate(None, path, None)
        text = self._took("text") or ""
        if not text:
            raise SelectorError("A value is compared with a text in quotes.")
        return Predicate(None, path, text[1:-1])

    def _full(self, name: str, *, default: bool) -> str:
        prefix, colon, local = name.rpartition(":")
        if not colon:
            if name == "*" or not default:
                return name
            return f"{{{self._prefixes[None]}}}{local}"
        if prefix == "xml":
            return f"{{http://www.w3.org/XML/1998/namespace}}{local}"
        if prefix not in self._prefixes:
            raise SelectorError("The selector has a prefix that the patch does not declare.")
        return f"{{{self._prefixes[prefix]}}}{local}"

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _took(self, kind: str, text: str | None = None) -> str | None:
        """The next token's text, taken, where it is such a one."""
        found, content = self._peek()
        if found != kind or text not in (None, content):
            return None
        self._at += 1
        return content


def _position(number: str) -> Predicate:
    if int(number) == 0:
        raise SelectorError("Positions begin at 1.")
    return Predicate(int(number), (), None)
