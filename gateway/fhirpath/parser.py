"""FHIRPath grammar: a Pratt parser from tokens to the syntax tree.

https://hl7.org/fhirpath/N1/grammar.html
"""

from __future__ import annotations

from decimal import Decimal

from gateway.fhirpath.errors import FHIRPathError, Problem
from gateway.fhirpath.lexer import Token, tokens
from gateway.fhirpath.quantity import CALENDAR, Quantity
from gateway.fhirpath.syntax import (
    Binary,
    Call,
    Indexer,
    Literal,
    Member,
    Special,
    Syntax,
    TypeOperation,
    Unary,
    Variable,
)
from gateway.fhirpath.temporal import Date, DateTime, Time

# How tightly each operator binds; all are left associative.
BINDING = {
    "implies": 1,
    "or": 2,
    "xor": 2,
    "and": 3,
    "in": 4,
    "contains": 4,
    "=": 5,
    "~": 5,
    "!=": 5,
    "!~": 5,
    "<=": 6,
    "<": 6,
    ">": 6,
    ">=": 6,
    "|": 7,
    "is": 8,
    "as": 8,
    "+": 9,
    "-": 9,
    "&": 9,
    "*": 10,
    "/": 10,
    "div": 10,
    "mod": 10,
    ".": 12,
    "[": 12,
}
_UNARY = 11
_MAX_DEPTH = 200
_MAX_DIGITS = 1_000
_MAX_LENGTH = 250
"""Steps and operators behind one another: each is a level of the tree, and what reads the tree goes down it."""
TOO_DEEP = Problem("The expression has too many steps behind or within one another.", 0, "Divide it into several.")
# Keywords that are no name unless they are quoted; `as`, `contains`, `in` and `is` are names as well.
_HARD = frozenset({"and", "or", "xor", "implies", "div", "mod", "true", "false"})


class Parser:
    """Reads one expression; `parse` is what others call."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens, self.problems = tokens(source)
        self.position = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.tokens[self.position]
        self.position += token.kind != "end"
        return token

    def fail(self, text: str, token: Token, hint: str = "") -> FHIRPathError:
        return FHIRPathError(self.source, [*self.problems, Problem(text, token.at, hint)])

    def at(self, *symbols: str) -> bool:
        return self.next.kind == "symbol" and self.next.text in symbols

    def expect(self, symbol: str, hint: str) -> Token:
        if not self.at(symbol):
            raise self.fail(f"Expected {symbol!r}, found {self._shown(self.next)}.", self.next, hint)
        return self.take()

    @staticmethod
    def _shown(token: Token) -> str:
        return "the end" if token.kind == "end" else repr(token.text)

    def whole(self) -> Syntax:
        result = self.expression(0)
        if self.next.kind != "end":
            raise self.fail(f"Unexpected {self._shown(self.next)}.", self.next, "The expression is complete before it.")
        if self.problems:
            raise FHIRPathError(self.source, self.problems)
        return result

    def expression(self, floor: int) -> Syntax:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.fail("The expression is nested too deeply.", self.next, f"At most {_MAX_DEPTH} levels.")
        left = self.prefix()
        length = 0
        while True:
            token = self.next
            binding = BINDING.get(token.text, 0) if token.kind in ("symbol", "name") else 0
            if binding <= floor:
                self.depth -= 1
                return left
            self.take()
            length += 1
            if self.depth + length > _MAX_LENGTH:
                raise self.fail(TOO_DEEP.text, token, TOO_DEEP.hint)
            left = self.infix(left, token, binding)

    def infix(self, left: Syntax, token: Token, binding: int) -> Syntax:
        match token.text:
            case ".":
                return self.invocation(left)
            case "[":
                index = self.expression(0)
                self.expect("]", "An index is written as in name[0].")
                return Indexer(left, index, token.at)
            case "is" | "as":
                return TypeOperation(token.text, left, self.type_specifier(), token.at)
            case _:
                return Binary(token.text, left, self.expression(binding), token.at)

    def prefix(self) -> Syntax:
        token = self.next
        match token.kind:
            case "symbol" if token.text in "+-":
                self.take()
                return Unary(token.text, self.expression(_UNARY), token.at)
            case "symbol" if token.text == "(":
                self.take()
                inner = self.expression(0)
                self.expect(")", "A parenthesis is not closed.")
                return inner
            case "symbol" if token.text == "{":
                self.take()
                self.expect("}", "The empty collection is written {}.")
                return Literal(None, token.at)
            case "number":
                return self.number()
            case "string":
                return Literal(self.take().text, token.at)
            case "date" | "datetime" | "time":
                return self.temporal()
            case "variable":
                return Variable(self.take().text, token.at)
            case "special":
                return Special(self.take().text[1:], token.at)
            case "name" if token.text in ("true", "false"):
                return Literal(self.take().text == "true", token.at)
            case "name" | "quoted":
                return self.invocation(None)
            case _:
                hint = "FHIRPath asks with one =" if token.text == "=" else ""
                raise self.fail(f"Expected a value, found {self._shown(token)}.", token, hint)

    def number(self) -> Syntax:
        token = self.take()
        if len(token.text) > _MAX_DIGITS:
            raise self.fail(f"A number has at most {_MAX_DIGITS} digits.", token)
        value = Decimal(token.text) if "." in token.text else int(token.text.removesuffix("L"))
        unit = self.next
        if unit.kind == "string":
            self.take()
            return Literal(Quantity(Decimal(value), unit.text), token.at)
        if unit.kind == "name" and unit.text in CALENDAR:
            self.take()
            return Literal(Quantity(Decimal(value), CALENDAR[unit.text], calendar=True), token.at)
        return Literal(value, token.at)

    def temporal(self) -> Syntax:
        token = self.take()
        kind = {"date": Date, "datetime": DateTime, "time": Time}[token.kind]
        value = kind.parse(token.text[1:].removeprefix("T") if kind is Time else token.text[1:])
        if value is None:
            raise self.fail("There is no such date or time.", token)
        return Literal(value, token.at)

    def invocation(self, target: Syntax | None) -> Syntax:
        token = self.take()
        if token.kind == "special" and target is not None:
            return Call(target, "select", (Special(token.text[1:], token.at),), token.at)
        if token.kind not in ("name", "quoted") or (token.kind == "name" and token.text in _HARD):
            hint = "Put a name that is a keyword between backquotes: `div`." if token.text in _HARD else ""
            raise self.fail(f"Expected a name, found {self._shown(token)}.", token, hint)
        if not self.at("("):
            return Member(target, token.text, token.at)
        self.take()
        args: list[Syntax] = []
        while not self.at(")"):
            args.append(self.expression(0))
            if token.text == "sort" and self.next.kind == "name" and self.next.text in ("asc", "desc"):
                order = self.take()
                args[-1] = Unary("-", args[-1], order.at) if order.text == "desc" else args[-1]
            if not self.at(","):
                break
            self.take()
        self.expect(")", f"The arguments of {token.text}() are not closed.")
        return Call(target, token.text, tuple(args), token.at)

    def type_specifier(self) -> str:
        parts = [self.name()]
        if self.at("."):
            # `is System.String` names a type; `is Patient.name` cannot, a type has one qualifier only.
            after = self.tokens[self.position + 1]
            follows_call = self.tokens[self.position + 2] if after.kind != "end" else after
            if parts[0] in ("FHIR", "System") and not (follows_call.kind == "symbol" and follows_call.text == "("):
                self.take()
                parts.append(self.name())
        return ".".join(parts)

    def name(self) -> str:
        token = self.take()
        if token.kind not in ("name", "quoted"):
            raise self.fail(f"Expected the name of a type, found {self._shown(token)}.", token)
        return token.text


def parse(source: str) -> Syntax:
    """The syntax tree of an expression; raises FHIRPathError with every problem found."""
    try:
        return Parser(source).whole()
    except RecursionError:
        raise FHIRPathError(source, [TOO_DEEP]) from None
