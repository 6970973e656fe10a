"""The text of a `_filter`, read into a tree by the grammar of the specification.

`and` and `or` have no precedence: they are taken from left to right. https://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

MAX_LENGTH = 8000
MAX_DEPTH = 20
"""How deep parentheses and changes between `and` and `or` go."""

OPERATORS = (
    "eq",
    "ne",
    "co",
    "sw",
    "ew",
    "gt",
    "lt",
    "ge",
    "le",
    "ap",
    "sa",
    "eb",
    "pr",
    "po",
    "ss",
    "sb",
    "in",
    "ni",
    "re",
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z_][A-Za-z0-9_-]*)*")
_WORD = re.compile(r"[A-Za-z]+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_TOKEN = re.compile(r'[^\s()\[\]"][^\s)\]]*')
_BLANK = re.compile(r"\s*")


class Malformed(Exception):
    """The text breaks the grammar: at which character (from 1), and what should stand there."""

    def __init__(self, position: int, text: str) -> None:
        super().__init__(f"At character {position}: {text}")


@dataclass(frozen=True, slots=True)
class Step:
    """A name on the way to a value, and what has to hold for what it leads to."""

    name: str
    position: int
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a path leads to, compared with a value."""

    path: tuple[Step, ...]
    operator: str
    value: str
    position: int
    """Of the operator."""


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts, or one of them."""

    word: Literal["and", "or"]
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: Filter


Filter = Comparison | Both | Negation


def parse(text: str) -> Filter:
    """The tree. Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed(MAX_LENGTH + 1, f"a filter has at most {MAX_LENGTH} characters.")
    reader = _Reader(text)
    found = reader.filter(0)
    if reader.at < len(text):
        raise reader.wrong("nothing more is expected here. Join filters by and, or or.")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._skip()

    def filter(self, depth: int) -> Filter:
        found = self._unit(depth)
        while (word := self._peek()) in ("and", "or"):
            self._take(_WORD, "")
            following = self._unit(depth)
            if isinstance(found, Both) and found.word == word:
                found = Both(found.word, (*found.parts, following))
            else:
                depth += 1
                found = Both(word, (found, following))  # type: ignore[arg-type]
        return found

    def _unit(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise self.wrong(f"filters stand at most {MAX_DEPTH} deep in one another.")
        if self._is("("):
            return self._enclosed(depth)
        if re.compile(r"not\s*\(").match(self.text, self.at):
            self._take(_WORD, "")
            return Negation(self._enclosed(depth))
        return self._test(depth)

    def _enclosed(self, depth: int) -> Filter:
        self._expect("(")
        found = self.filter(depth + 1)
        self._expect(")")
        return found

    def _test(self, depth: int) -> Comparison:
        path = [self._step(depth)]
        while self._is("."):
            self._expect(".")
            path.append(self._step(depth))
        if path[-1].filter is not None:
            raise self.wrong("behind ] follows . and a name.")
        self._blank()
        position = self.at + 1
        operator = self._take(_WORD, f"an operator is needed: {', '.join(OPERATORS)}.")
        if operator not in OPERATORS:
            raise Malformed(position, f"there is no operator of this name. There are: {', '.join(OPERATORS)}.")
        self._blank()
        return Comparison(tuple(path), operator, self._value(), position)

    def _step(self, depth: int) -> Step:
        position = self.at + 1
        name = self._take(_NAME, "the name of a search parameter is needed.", skip=False)
        if not self._is("["):
            return Step(name, position)
        self._expect("[")
        found = self.filter(depth + 1)
        self._expect("]", skip=False)
        return Step(name, position, found)

    def _value(self) -> str:
        position = self.at + 1
        if not self._is('"'):
            return self._take(_TOKEN, "a value is needed.")
        try:
            return str(json.loads(self._take(_STRING, "this string does not end.")))
        except ValueError:
            raise Malformed(position, "a string is written as in JSON.") from None

    def _peek(self) -> str:
        found = _WORD.match(self.text, self.at)
        return found[0] if found else ""

    def _is(self, char: str) -> bool:
        return self.text.startswith(char, self.at)

    def _expect(self, char: str, *, skip: bool = True) -> None:
        if not self._is(char):
            raise self.wrong(f"{char} is missing.")
        self.at += 1
        if skip:
            self._skip()

    def _take(self, form: re.Pattern[str], missing: str, *, skip: bool = True) -> str:
        found = form.match(self.text, self.at)
        if found is None:
            raise self.wrong(missing)
        self.at = found.end()
        if skip:
            self._skip()
        return found[0]

    def _blank(self) -> None:
        """There is a blank here, passed already or not."""
        self._skip()
        if not self.text[self.at - 1 : self.at].isspace():
            raise self.wrong("a blank is needed.")

    def _skip(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def wrong(self, text: str) -> Malformed:
        return Malformed(self.at + 1, text)
