"""The parts of an ER7 message: segments, fields, components and subcomponents, each split when it is looked into.

http://www.hl7.eu/HL7v2x/v29/std29/ch02.html
"""

from __future__ import annotations

import re

from gateway.formats.node import EXPLICIT_NULL, LEAF, Kids, LazyNode, Node, Value

SEGMENT, FIELD, COMPONENT, SUBCOMPONENT = range(4)
"""How deep a node lies; its `pos` is `offset * 4 + level`."""


class Syntax:
    """A message's separators and charset, shared by its nodes."""

    __slots__ = ("encoding", "escape", "escapes", "field", "parts", "repetition")

    def __init__(self, header: str) -> None:
        self.field = header[3]
        given = header[4:].partition(self.field)[0]
        component, self.repetition, self.escape, subcomponent = [*given, *"^~\\&"[len(given) :]][:4]
        self.parts = (component, subcomponent)
        self.encoding = "latin-1"
        self.escapes = {
            "F": self.field,
            "S": component,
            "T": subcomponent,
            "R": self.repetition,
            "E": self.escape,
            "P": "#",
            "H": "",
            "N": "",
            ".br": "\n",
            ".sp": "\n",
            ".ce": "\n",
        }

    def value(self, raw: str, deeper: tuple[str, ...] = ()) -> str | None:
        """The value that a text stands for, or None where separators of a deeper level divide it."""
        if raw.isalnum() and raw.isascii():
            return raw
        for separator in deeper:
            if separator in raw:
                return None
        if raw == '""':
            return EXPLICIT_NULL
        if self.escape in raw:
            raw = self._unescape(raw)
        return (raw if raw.isascii() else self.decode(raw)).strip()

    def decode(self, raw: str) -> str:
        return raw.encode("latin-1").decode(self.encoding, "replace")

    def _is_code(self, code: str) -> bool:
        return self.escaped(code) is not None

    def escaped(self, code: str) -> str | None:
        """What stands for an escape sequence, or None where it is none that we know."""
        if code[:1] == "X" and len(code) > 1:
            try:
                return bytes.fromhex(code[1:]).decode("latin-1")
            except ValueError:
                return None
        return self.escapes.get(code)

    def _unescape(self, raw: str) -> str:
        """Plain stretches and escapes in turn; what is not an escape stays as it was sent."""
        parts = raw.split(self.escape)
        out = parts[:1]
        del parts[0]
        i = 0
        while i < len(parts):
            meant = self.escaped(parts[i]) if i + 1 < len(parts) else None
            if meant is None:
                out.append(self.escape + parts[i])
                i += 1
            else:
                out += meant, parts[i + 1]
                i += 2
        return "".join(out)

    def unknown_escape(self, segment: str) -> bool:
        """Whether some value of a segment holds an escape character that is no part of an escape sequence."""
        codes = segment.split(self.escape)[1::2]
        if segment.count(self.escape) == 2 * len(codes) and all(map(self._is_code, codes)):
            return False  # As it mostly is: codes hold no separators, so that each stands within one value.
        separators = "".join((self.field, self.repetition, *self.parts))
        for raw in re.split(f"[{re.escape(separators)}]", segment):
            if self.escape in raw:
                parts = raw.split(self.escape)
                if len(parts) % 2 == 0 or any(self.escaped(code) is None for code in parts[1::2]):
                    return True
        return False


class _Part(LazyNode):
    """A piece of a segment that still holds its text."""

    __slots__ = ("syntax",)

    def __init__(self, name: str, raw: str, pos: int, syntax: Syntax, value: Value = None) -> None:
        self.name = name
        self.value = value
        self.type = None
        self.pos = pos
        self.raw = raw
        self.syntax = syntax


class Segment(_Part):
    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax = self.syntax
        texts = self.raw.split(syntax.field)
        number, offset = 0, self.pos >> 2
        if self.name == "MSH":
            # The first two fields of a header are the separators themselves, never to be split.
            kids["1"] = [Node("1", syntax.field, LEAF, None, (offset + 3) << 2 | FIELD)]
            if len(texts) > 1:
                kids["2"] = [Node("2", texts[1], LEAF, None, (offset + 4) << 2 | FIELD)]
            offset += len(texts[0]) + 1 + len("".join(texts[1:2]))
            number, texts = 2, texts[1:]
        else:
            offset += len(texts[0])
        repetition, (component, _) = syntax.repetition, syntax.parts
        for text in texts[1:]:
            number += 1
            offset += 1
            if text:
                name = str(number)
                if repetition in text:
                    found = self._repetitions(name, text, offset)
                    if found:
                        kids[name] = found
                elif component in text:
                    kids[name] = [_Field(name, text, offset << 2 | FIELD, syntax)]
                elif not text.isspace():
                    kids[name] = [_Field(name, text, offset << 2 | FIELD, syntax, syntax.value(text, syntax.parts))]
                offset += len(text)
        return kids

    def _repetitions(self, name: str, text: str, offset: int) -> list[Node]:
        syntax = self.syntax
        found: list[Node] = []
        for part in text.split(syntax.repetition):
            if part and not part.isspace():
                found.append(_Field(name, part, offset << 2 | FIELD, syntax, syntax.value(part, syntax.parts)))
            offset += len(part) + 1
        return found


class _Field(_Part):
    """A field without separators is its own first component: PID-3.1 works for a plain PID-3."""

    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax, offset = self.syntax, self.pos >> 2
        lower = syntax.parts[1:]
        for number, text in enumerate(self.raw.split(syntax.parts[0]), 1):
            if text and not text.isspace():
                name = str(number)
                value = text if text.isalnum() and text.isascii() else syntax.value(text, lower)
                kids[name] = [_Component(name, text, offset << 2 | COMPONENT, syntax, value)]
            offset += len(text) + 1
        return kids


class _Component(_Part):
    """So is a component its own first subcomponent."""

    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax, offset = self.syntax, self.pos >> 2
        for number, text in enumerate(self.raw.split(syntax.parts[1]), 1):
            if text and not text.isspace():
                name = str(number)
                kids[name] = [Node(name, syntax.value(text), LEAF, None, offset << 2 | SUBCOMPONENT)]
            offset += len(text) + 1
        return kids
