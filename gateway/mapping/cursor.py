"""Where a parser stands in a map: tokens one by one, problems noted at them; names, literals and expressions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn, cast

from gateway.mapping.lexer import Token, tokens
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Expression, Literal, Span, Text

_CLOSING = {"(": ")", "[": "]", "{": "}"}


MOST = (2**31 - 1, 2**63 - 1)
"""Of a whole number, and of one that ends with L: https://hl7.org/fhir/R5/datatypes.html#integer"""


class Wrong(Exception):
    """The problem is noted; go on at the next rule or group."""


class Cursor:
    """A text's tokens and a place among them."""

    def __init__(self, text: Text, problems: Problems) -> None:
        self.text = text
        self.problems = problems
        found, self.comments = tokens(text, problems)
        header = next((i for i, t in enumerate(found) if t.kind == "name" and t.text == "group"), len(found))
        self.metadata = [t for t in found[:header] if t.kind == "metadata"]
        self.tokens = [t for t in found if t.kind != "metadata"]
        self.at = 0

    # What stands here

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, count: int) -> Token:
        """The token that many further on; behind the last there is the end."""
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def is_op(self, text: str) -> bool:
        token = self.token
        return token.kind == "op" and token.text == text

    def is_word(self, text: str) -> bool:
        token = self.token
        return token.kind == "name" and token.text == text

    def wrong(self, message: str, hint: str = "", span: Span | None = None) -> NoReturn:
        token = self.token
        self.problems.add(self.text, span or Span(token.start, max(token.end, token.start + 1)), message, hint)
        raise Wrong

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def op(self, text: str, hint: str = "") -> Token:
        if not self.is_op(text):
            self.wrong(f"expected '{text}' here, found {self._shown()}", hint)
        return self.take()

    def word(self, text: str) -> Token:
        if not self.is_word(text):
            self.wrong(f"expected '{text}' here, found {self._shown()}")
        return self.take()

    def maybe(self, text: str) -> bool:
        if self.is_op(text) or self.is_word(text):
            self.at += 1
            return True
        return False

    def identifier(self, what: str = "a name") -> Token:
        if self.token.kind not in ("name", "delimited"):
            self.wrong(f"expected {what} here, found {self._shown()}")
        return self.take()

    def string(self, what: str) -> str:
        if self.token.kind not in ("string", "quoted"):
            self.wrong(f"expected {what} in quotes here, found {self._shown()}")
        return self.take().value

    def _shown(self) -> str:
        return "the end of the file" if self.token.kind == "end" else f"'{self.token.text}'"

    def since(self, start: int) -> Span:
        return Span(start, self.tokens[self.at - 1].end if self.at else start)

    def documentation(self, first: int, end: int, following: int) -> str | None:
        """The comments on lines of their own before the token number `first`, and what stands behind `end` on its line.

        `following` is where the next token begins.
        """
        content = self.text.content
        # What stands behind the token before it, on that one's line, belongs to that one.
        own = content.find("\n", self.tokens[first - 1].end) if first else 0
        lines = self._comments(own, self.tokens[first].start) if own >= 0 else []
        stop = content.find("\n", end)
        lines += self._comments(end, min(following, len(content) if stop < 0 else stop))
        return "\n".join(lines) or None

    def _comments(self, low: int, high: int) -> list[str]:
        """The lines of the comments that begin there, without their marks."""
        at = bisect_left(self.comments, low, key=lambda span: span.start)
        found: list[str] = []
        while at < len(self.comments) and self.comments[at].start < high:
            text = self.text.content[self.comments[at].start : self.comments[at].end]
            text = text.lstrip("/") if text.startswith("//") else text[2:-2]
            found += [line for part in text.splitlines() if (line := part.strip())]
            at += 1
        return found

    def path(self, what: str) -> tuple[str, ...]:
        parts = [self._part(what)]
        while self.is_op("."):
            self.take()
            parts.append(self._part("an element"))
        return tuple(parts)

    def _part(self, what: str) -> str:
        token = self.identifier(what)
        return token.value if token.kind == "delimited" else token.text

    def parenthesised(self) -> Expression:
        self.op("(")
        found = self.expression(lambda: self.is_op(")"))
        self.op(")")
        return found

    def _behind_parenthesis(self) -> Token:
        depth = 0
        for token in self.tokens[self.at :]:
            if token.kind == "op":
                if depth == 0 and token.text not in _CLOSING:
                    return token
                depth += 1 if token.text in _CLOSING else -1 if token.text in _CLOSING.values() else 0
            elif depth == 0:
                return token
        return self.tokens[-1]

    def expression(self, ends: Callable[[], bool]) -> Expression:
        """FHIRPath up to where `ends()` says, outside all brackets."""
        first = self.token
        closing: list[str] = []
        while closing or not ends():
            token = self.token
            if token.kind == "end":
                self.wrong("this expression does not end", span=Span(first.start, max(first.end, first.start + 1)))
            if token.kind == "op":
                if token.text in _CLOSING:
                    closing.append(_CLOSING[token.text])
                elif token.text in _CLOSING.values() and (not closing or closing.pop() != token.text):
                    self.wrong(f"'{token.text}' closes nothing")
            self.at += 1
        span = self.since(first.start)
        if span.end <= span.start:
            self.wrong("an expression is missing here")
        return Expression(self._without_comments(span), span)

    def _without_comments(self, span: Span) -> str:
        found = self.text.content[span.start : span.end]
        for comment in self.comments:
            if span.start <= comment.start < span.end:
                low, high = comment.start - span.start, comment.end - span.start
                found = found[:low] + " " * (high - low) + found[high:]
        return found

    def literal(self) -> Literal:
        token = self.token
        if token.text == "-" and self.ahead(1).kind == "number":
            self.take()
            number = self.literal()
            return Literal(-cast("int | Decimal", number.value), Span(token.start, number.span.end))
        value: str | int | Decimal | bool
        if token.kind in ("string", "quoted"):
            value = token.value
        elif token.kind == "number":
            digits = token.text.rstrip("L")
            value = Decimal(digits) if "." in digits else int(digits)
            if isinstance(value, int) and value > MOST["L" in token.text]:
                self.wrong("a whole number has 32 bits, with L behind it 64: write a decimal, or a text")
        elif token.kind == "date":
            value = token.text[1:]
        elif token.text in ("true", "false"):
            value = token.text == "true"
        else:
            self.wrong(f"expected a value, a variable or a transform here, found {self._shown()}")
        self.take()
        return Literal(value, token.span)
