"""An XML document as the JSON resource that it stands for, in one pass.

https://hl7.org/fhir/R4/xml.html

Comments and processing instructions are passed over, a document type is refused, and so are entities. Every element
and attribute that R4 does not know, that comes out of its order or too often is told with its line, column and
FHIRPath. The narrative is taken over letter by letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final
from xml.parsers import expat

from gateway.definitions import Definitions
from gateway.errors import BadRequest, TooLarge
from gateway.fhir.json import DEEPEST, MOST_BYTES
from gateway.fhir.xml.markup import narrative
from gateway.fhir.xml.shapes import FHIR, Member, shapes
from gateway.issues import Issue
from gateway.records import Resource

# What a hostile document could make the answer grow to.
MOST: Final = 100
ENCODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
ASIDE: Final = ("http://www.w3.org/XML/1998/namespace}", "http://www.w3.org/2001/XMLSchema-instance}")
"""Attributes that say nothing about the resource: its language and space as XML, where its schema lies."""

Frame = tuple[dict[str, Any], Mapping[str, Member], int, int, Member]
"""What an element was found in: the object, what it may hold, how far it had come, its depth; and what was found."""


def parse(body: bytes, d: Definitions, *, most_bytes: int = MOST_BYTES, deepest: int = DEEPEST) -> Resource:
    """The one resource in the body, as JSON. BadRequest with line and column for all that JSON could not say."""
    resource, faults = read(body, d, most_bytes=most_bytes, deepest=deepest)
    if faults or resource is None:
        raise BadRequest(issues=faults)
    return resource


def read(
    body: bytes, d: Definitions, *, most_bytes: int = MOST_BYTES, deepest: int = DEEPEST
) -> tuple[Resource | None, list[Issue]]:
    """The same with what JSON could not say left out and told; None where the body could not be read to its end."""
    if len(body) > most_bytes:
        raise TooLarge(f"The body has more than {most_bytes} bytes: send it in parts.")
    reader = _Reader(body, d, deepest)
    whole = False
    try:
        reader.parser.Parse(body, True)
        whole = True
    except expat.ExpatError as error:
        text = f"The body is not well-formed XML in UTF-8 ({expat.ErrorString(error.code)})"
        reader.faults.append(_issue("structure", "xml-syntax", text, error.lineno, error.offset + 1))
    except _Refused:
        pass
    finally:
        reader.close()
    resource = reader.finished() if whole else None
    return (resource if resource else None), reader.faults


class _Refused(Exception):
    """The document is not read further; why stands in the faults."""


class _Reader:
    """expat's handlers, and the faults that they found."""

    def __init__(self, body: bytes, d: Definitions, deepest: int) -> None:
        self.faults: list[Issue] = []
        self.parser = parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        parser.EndNamespaceDeclHandler = self._namespace_ended
        self._body = body
        self._prefixes: dict[str | None, list[str]] = {}
        self._stack: list[Frame] = []
        self._document: Resource = {}
        self._uneven: list[tuple[dict[str, Any], str]] = []
        self._handle(d, deepest)

    def finished(self) -> Resource:
        """The resource, its lists of values and of what stands beside them made equally long."""
        for holder, key in self._uneven:
            values, beside = holder[key], holder.get("_" + key)
            if beside is not None:
                beside.extend([None] * (len(values) - len(beside)))
                if not any(value is not None for value in values):
                    del holder[key]
        return self._document

    def close(self) -> None:
        """Break the cycle of parser and handlers, so that memory goes now and not at the next sweep."""
        parser = self.parser
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = None
        parser.StartNamespaceDeclHandler = parser.EndNamespaceDeclHandler = None

    def _handle(self, d: Definitions, deepest: int) -> None:
        # Closures over local names: as methods they cost half as much again.
        parser, stack, fault = self.parser, self._stack, self._fault
        root = shapes(d).root
        here = self._document
        known: Mapping[str, Member] = root.shape.named
        order, level, aside, begun = -1, 0, 0, -1
        # `aside` counts the elements that are open in what is not looked at: a narrative, begun at that byte, or
        # something unknown.
        stack.append((here, known, order, level, root))

        def start(raw: str, attributes: list[str]) -> None:
            nonlocal here, known, order, level, aside, begun
            if aside:
                aside += 1
                return
            member = known.get(raw)
            if member is None:
                aside, begun = 1, -1
                self._unknown(raw, known)
                return
            kind, key, many, place, levels, shape, convert, _, _ = member
            if place <= order and (place < order or not many):
                self._misplaced(member, here, order)
            if level + levels > deepest:
                fault("too-costly", "xml-depth", f"The resource is nested more than {deepest} levels deep")
                raise _Refused
            if kind == "primitive":
                value: Any = None
                beside: dict[str, Any] = {}
                if len(attributes) == 2 and attributes[0] == "value":
                    value = attributes[1]
                else:
                    for name, text in zip(attributes[::2], attributes[1::2], strict=True):
                        if name == "value":
                            value = text
                        elif name == "id":
                            beside["id"] = text
                        elif not name.startswith(ASIDE):
                            self._attribute(member)
                if value is not None:
                    if convert is not None and (value := convert(value)) is None:
                        self._malformed(member)
                    if not many:
                        here[key] = value
                if many:
                    if key in here:
                        here[key].append(value)
                    else:
                        here[key] = [value]
                stack.append((here, known, place, level, member))
                here = beside
            elif kind == "narrative":
                aside, begun = 1, parser.CurrentByteIndex
                stack.append((here, known, place, level, member))
            elif kind == "resource":
                here["resourceType"] = key
                if attributes:
                    self._attributes(attributes, member)
                stack.append((here, known, place, level, member))
            else:
                inner: dict[str, Any] = {}
                for name, text in zip(attributes[::2], attributes[1::2], strict=True):
                    if name in shape.attributes:
                        inner[name] = text
                    elif not name.startswith(ASIDE):
                        self._attribute(member)
                if not many:
                    here[key] = inner
                elif key in here:
                    here[key].append(inner)
                else:
                    here[key] = [inner]
                stack.append((here, known, place, level, member))
                here = inner
            known, order, level = shape.named, -1, level + levels

        def end(raw: str) -> None:
            nonlocal here, known, order, level, aside, begun
            if aside:
                aside -= 1
                if aside or begun < 0:
                    return
                here["div"] = narrative(self._body, begun, parser.CurrentByteIndex, self._prefixes)
            holder, known_before, order_before, level, member = stack[-1]
            kind, key, many, _, _, _, _, _, _ = member
            if kind == "primitive":
                if here:
                    self._beside(holder, key, many, here)
                elif (holder[key][-1] is None) if many else (key not in holder):
                    self._empty()
            elif kind == "holder" and order < 0:
                self._empty()
            stack.pop()
            here, known, order = holder, known_before, order_before

        def characters(data: str) -> None:
            if not aside and not data.isspace():
                fault("structure", "xml-text", "Text stands here where only elements can: values are attributes")

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters

    def _beside(self, holder: dict[str, Any], key: str, many: bool, beside: dict[str, Any]) -> None:
        """Keep the id and the extensions of a value, in its place where it is one of several."""
        if not many:
            holder["_" + key] = beside
            return
        besides = holder.setdefault("_" + key, [])
        if not besides:
            self._uneven.append((holder, key))
        besides.extend([None] * (len(holder[key]) - 1 - len(besides)))
        besides.append(beside)

    # --- faults, told and then passed over ---------------------------------------------------------------------------

    def _fault(self, code: str, rule: str, text: str, below: str = "") -> None:
        parser = self.parser
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        self.faults.append(_issue(code, rule, text, line, column, f"{self._path() or ''}{below}" or None))
        if len(self.faults) >= MOST:
            raise _Refused

    def _path(self) -> str | None:
        """The FHIRPath of the element that is open."""
        path = ""
        for holder, _, _, _, member in self._stack[1:]:
            if member.kind == "resource":
                path = path or member.key
                continue
            path += _step(member)
            if member.many:
                path += f"[{len(holder[member.key]) - 1}]"
        return path or None

    def _unknown(self, raw: str, known: Mapping[str, Member]) -> None:
        space, _, name = raw.rpartition("}")
        around = self._stack[-1][4]
        rule = "unknown-resource-type" if around.kind == "holder" else "unknown-element"
        if space != FHIR and f"{FHIR}}}{name}" in known:
            rule, text = "xml-namespace", f"FHIR's elements are in the namespace {FHIR}"
        elif around.kind == "holder":
            text = "This is none of R4's resource types"
        else:
            text = f"R4's {around.type} has no element of this name"
            names = [member.key for member in known.values()]
            if typed := [member.key for member in known.values() if member.step == name]:
                text += f". It is written with its type, such as {typed[0]}"
            elif close := get_close_matches(name, names, n=1, cutoff=0.75):
                text += f". Did you mean {close[0]}?"
        self._fault("structure", rule, text)

    def _misplaced(self, member: Member, here: dict[str, Any], order: int) -> None:
        """An element whose turn is over, or one that comes twice and may not."""
        if member.order < order:
            text = f"{member.key} comes too late: XML has the elements in the order of their definition"
            self._fault("structure", "xml-order", text)
        elif member.kind == "resource":
            self._fault("structure", "too-many-values", "One element holds one resource: repeat the element around it")
        elif not member.many and (member.key in here or "_" + member.key in here):
            self._fault("structure", "too-many-values", f"{member.key} does not repeat")

    def _empty(self) -> None:
        self._fault("structure", "empty-element", "An element without content means nothing in FHIR: leave it out")

    def _malformed(self, member: Member) -> None:
        shown = "true or false" if member.type == "boolean" else "a number in digits"
        text = f"{member.key} is not a {member.type}: write {shown}, without white space"
        self._fault("value", "primitive-format", text, _step(member))

    def _attributes(self, attributes: list[str], member: Member) -> None:
        for name in attributes[::2]:
            if not name.startswith(ASIDE):
                self._attribute(member)

    def _attribute(self, member: Member) -> None:
        self._fault("structure", "unknown-attribute", f"{member.key} has an attribute that R4 does not give it")

    # --- what is not an element --------------------------------------------------------------------------------------

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ENCODINGS:
            self._fault("structure", "xml-encoding", "FHIR's XML is in UTF-8: send it so")
            raise _Refused

    def _doctype(self, *_: object) -> None:
        self._fault("security", "xml-doctype", "A document type and its entities are refused: leave them out")
        raise _Refused

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.setdefault(prefix, []).append(uri or "")

    def _namespace_ended(self, prefix: str | None) -> None:
        self._prefixes[prefix].pop()


def _step(member: Member) -> str:
    return f".{member.step}" if member.step == member.key else f".{member.step}.ofType({member.type})"


def _issue(code: str, rule: str, text: str, line: int, column: int, path: str | None = None) -> Issue:
    where = f"line {line}, column {column}"
    return Issue("error", code, rule, f"{text}: see {where}.", where, path)
