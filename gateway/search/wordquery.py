"""A query of words: all of them, phrases in quotes, AND, OR, NOT, parentheses, and an asterisk for how a word begins.

https://hl7.org/fhir/R4/search.html#text
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.search import words

MAX_TERMS = 50
MAX_DEPTH = 20
_TOKEN = re.compile(r'\s*(?:([()])|"([^"]*)"?|([^\s()"]+))')


class Unreadable(Exception):
    """The query cannot be read; the message says how one is written."""


HOW = 'It is words, "phrases", and, or, not, ( ), with not behind something that is looked for.'


@dataclass(frozen=True, slots=True)
class Query:
    """The same query for the index of each database."""

    sqlite: str
    postgresql: str


def read(text: str) -> Query:
    reader = _Reader(_TOKEN.findall(text))
    found = reader.any_of(0)
    if found is None or reader.at < len(reader.tokens):
        raise Unreadable(HOW)
    return found


class _Reader:
    """Reads by descent: alternatives of what must all be there, with what must not be."""

    def __init__(self, tokens: list[tuple[str, str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self._terms = 0

    def any_of(self, depth: int) -> Query | None:
        if depth > MAX_DEPTH:
            raise Unreadable("It has too many parentheses within one another.")
        found = self._all_of(depth)
        while found is not None and self._take("or"):
            other = self._all_of(depth)
            if other is None:
                raise Unreadable(HOW)
            found = _joined(found, "OR", "|", other)
        return found

    def _all_of(self, depth: int) -> Query | None:
        found = self._one(depth)
        while found is not None:
            joined = self._take("and")
            if self._take("not"):
                other = self._one(depth)
                if other is None:
                    raise Unreadable(HOW)
                found = _joined(found, "NOT", "& !", other)
            elif (other := self._one(depth)) is not None:
                found = _joined(found, "AND", "&", other)
            elif joined:
                raise Unreadable(HOW)
            else:
                break
        return found

    def _one(self, depth: int) -> Query | None:
        if self.at >= len(self.tokens) or self._word() in ("and", "or", "not"):
            return None
        bracket, phrase, word = self.tokens[self.at]
        if bracket == ")":
            return None
        self.at += 1
        if bracket == "(":
            found = self.any_of(depth + 1)
            if found is None or self.at >= len(self.tokens) or self.tokens[self.at][0] != ")":
                raise Unreadable(HOW)
            self.at += 1
            return found
        return self._term(phrase or word)

    def _term(self, text: str) -> Query:
        begins = text.endswith("*")
        found = words.split(text)
        self._terms += max(1, len(found))
        if self._terms > MAX_TERMS:
            raise Unreadable(f"It has at most {MAX_TERMS} words.")
        if not found:
            raise Unreadable("A word has a letter or a digit.")
        if max(map(len, found)) > words.LONGEST:
            raise Unreadable(f"A word has at most {words.LONGEST} letters.")
        sqlite = f'"{" ".join(found)}"' + (" *" if begins else "")
        postgresql = " <-> ".join(found) + (":*" if begins else "")
        return Query(sqlite, postgresql if len(found) == 1 else f"({postgresql})")

    def _word(self) -> str:
        return self.tokens[self.at][2].lower()

    def _take(self, word: str) -> bool:
        if self.at < len(self.tokens) and self._word() == word:
            self.at += 1
            return True
        return False


def _joined(one: Query, sqlite: str, postgresql: str, other: Query) -> Query:
    return Query(f"({one.sqlite} {sqlite} {other.sqlite})", f"({one.postgresql} {postgresql} {other.postgresql})")
