"""The parts of an ER7 message: segments, fields, components and subcomponents, each split when it is looked into.

http://www.hl7.eu/HL7v2x/v29/std29/ch02.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

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
        self.escapes = _escapes(self.field, component, subcomponent, self.repetition, self.escape)

    def value(self, raw: str) -> str:
        """The value that a text without separators stands for."""
        if raw.isalnum() and raw.isascii():
            return raw
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


@lru_cache(maxsize=64)
def _escapes(field: str, component: str, subcomponent: str, repetition: str, escape: str) -> Mapping[str, str]:
    """What the escape sequences of a message with these separators stand for."""
    return {
        "F": field,
        "S": component,
        "T": subcomponent,
        "R": repetition,
        "E": escape,
        "P": "#",
        "H": "",
        "N": "",
        ".br": "\n",
        ".sp": "\n",
        ".ce": "\n",
    }


class _Part(LazyNode):
    """A piece of a segment that still holds its text, because separators divide it."""

    __slots__ = ("syntax",)

    def __init__(self, name: str, raw: str, pos: int, syntax: Syntax) -> None:
        self.name = name
        self.value = None
        self.type = None
        self.pos = pos
        self.raw = raw
        self.syntax = syntax


class Segment(_Part):
    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax = self.syntax
        name, *texts = self.raw.split(syntax.field)
        offset = (self.pos >> 2) + len(name)
        if name == "MSH":
            # The first two fields of a header are the separators themselves, never to be split.
            kids["1"] = [Node("1", syntax.field, LEAF, None, offset << 2 | FIELD)]
            if texts:
                kids["2"] = [Node("2", texts[0], LEAF, None, (offset + 1) << 2 | FIELD)]
                offset += len(texts[0]) - 1
            texts = ["", "", *texts[1:]]
        repetition = syntax.repetition
        for name, text in zip(_numbers(len(texts)), texts, strict=False):
            offset += 1
            if text:
                if text.isalnum() and text.isascii():
                    kids[name] = [_Whole(name, text, offset << 2 | FIELD)]
                elif repetition in text:
                    found = self._repetitions(name, text, offset)
                    if found:
                        kids[name] = found
                elif not text.isspace():
                    kids[name] = [_field(name, text, offset << 2 | FIELD, syntax)]
                offset += len(text)
        return kids

    def _repetitions(self, name: str, text: str, offset: int) -> list[Node]:
        found: list[Node] = []
        for part in text.split(self.syntax.repetition):
            if part and not part.isspace():
                found.append(_field(name, part, offset << 2 | FIELD, self.syntax))
            offset += len(part) + 1
        return found


def _field(name: str, text: str, pos: int, syntax: Syntax) -> Node:
    """One repetition of a field."""
    component, subcomponent = syntax.parts
    if component in text or subcomponent in text:
        return _Field(name, text, pos, syntax)
    return _Whole(name, syntax.value(text), pos)


class _Field(_Part):
    """A field in components."""

    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax, offset = self.syntax, self.pos >> 2
        component, subcomponent = syntax.parts
        texts = self.raw.split(component)
        for name, text in zip(_numbers(len(texts)), texts, strict=False):
            if text:
                if text.isalnum() and text.isascii():
                    kids[name] = [_Whole(name, text, offset << 2 | COMPONENT)]
                elif subcomponent in text:
                    kids[name] = [_Component(name, text, offset << 2 | COMPONENT, syntax)]
                elif not text.isspace():
                    kids[name] = [_Whole(name, syntax.value(text), offset << 2 | COMPONENT)]
            offset += len(text) + 1
        return kids


class _Component(_Part):
    """A component in subcomponents."""

    __slots__ = ()

    def split(self) -> Kids:
        kids: Kids = {}
        syntax, offset = self.syntax, self.pos >> 2
        texts = self.raw.split(syntax.parts[1])
        for name, text in zip(_numbers(len(texts)), texts, strict=False):
            if text and not text.isspace():
                kids[name] = [Node(name, syntax.value(text), LEAF, None, offset << 2 | SUBCOMPONENT)]
            offset += len(text) + 1
        return kids


class _Whole(LazyNode):
    """A field or component without separators: it is its own first part, so that PID-3.1 works for a plain PID-3."""

    __slots__ = ()

    def __init__(self, name: str, value: Value, pos: int) -> None:
        self.name = name
        self.value = value
        self.type = None
        self.pos = pos
        self.raw = None

    @property
    def kids(self) -> Kids:  # type: ignore[override]  # Asked once where it is asked at all: an exception costs more.
        found: Kids | None = self.raw
        if found is None:
            part, value = self.pos + 1, self.value
            one = _Whole("1", value, part) if part & 3 == COMPONENT else Node("1", value, LEAF, None, part)
            found = self.raw = {"1": [one]}
        return found


_NUMBERS: Final = tuple(map(str, range(1, 256)))


def _numbers(count: int) -> Sequence[str]:
    """The names of so many fields or parts, and perhaps of more: they are numbered from 1."""
    return _NUMBERS if count <= len(_NUMBERS) else [str(number + 1) for number in range(count)]
