"""Tokens of the FHIR Mapping Language, FHIRPath's included: the two are written into one another.

https://build.fhir.org/ig/HL7/mapping-language-ig/grammar.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Span, Text

_DATE = r"\d{4}(?:-\d\d(?:-\d\d)?)?"
_TIME = r"\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?"
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<metadata>^[ \t]*///(?!/)(?:[ \t]*[\w.]+[ \t]*=[ \t]*\"\"\"[\s\S]*?\"\"\"|[^\n]*))
    | (?P<comment>//[^\n]*|/\*[\s\S]*?\*/)
    | (?P<string>'(?:\\.|[^'\\\n])*')
    | (?P<quoted>"(?:\\.|[^"\\\n])*")
    | (?P<delimited>`(?:\\.|[^`\\\n])*`)
    | (?P<date>@(?:T{_TIME}|{_DATE}(?:T(?:{_TIME})?(?:Z|[+-]\d\d:\d\d)?)?))
    | (?P<number>\d+(?:\.\d+)?L?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<op>->|<<|>>|\.\.|<=|>=|>-|<-|!=|!~|==|[-+*/=<>|&~.,:;(){{}}\[\]%$@])
    """,
    re.VERBOSE | re.MULTILINE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_UNTERMINATED = {"'": "string", '"': "string", "`": "delimited name", "/*": "comment"}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def named(self) -> str:
        """What a name is, written plainly or between backquotes."""
        return self.value if self.kind == "delimited" else self.text

    @property
    def value(self) -> str:
        """What a string, quoted or delimited token holds."""
        return unescape(self.text[1:-1])


def unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        return chr(int(code[1:], 16)) if code[0] == "u" and len(code) == 5 else _ESCAPED.get(code, code)

    return whole_characters(_ESCAPE.sub(one, text))


def whole_characters(text: str) -> str:
    """Text whose escapes may have been two halves of a character; half a one is none, and is replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def tokens(text: Text, problems: Problems) -> tuple[list[Token], list[Span]]:
    """All tokens, an `end` token last; and the spans of the comments. What is no token is a problem and is passed."""
    content = text.content
    found: list[Token] = []
    comments: list[Span] = []
    at = 0
    while at < len(content):
        match = _TOKEN.match(content, at)
        if match is None:
            opening = next((mark for mark in _UNTERMINATED if content.startswith(mark, at)), None)
            if opening:
                at = _unterminated(text, at, opening, found, problems)
            else:
                problems.add(text, Span(at, at + 1), f"unexpected character {content[at]!r}")
                at += 1
            continue
        kind = match.lastgroup or ""
        if kind == "comment":
            comments.append(Span(at, match.end()))
        elif kind != "space":
            found.append(Token(kind, match.group(), at, match.end()))
        at = match.end()
    found.append(Token("end", "", len(content), len(content)))
    return found, comments


def _unterminated(text: Text, at: int, opening: str, found: list[Token], problems: Problems) -> int:
    """Note it, and go on behind it as if it were closed at the end of its line, before the rule's `;`."""
    end = text.content.find("\n", at)
    end = len(text.content) if end < 0 else end
    problems.add(text, Span(at, end), f"this {_UNTERMINATED[opening]} does not end", "close it on its line")
    written = text.content[at:end].rstrip()
    if opening == "/*":
        return len(text.content)
    end = at + len(written.removesuffix(";")) or end
    kind = "delimited" if opening == "`" else "string"
    found.append(Token(kind, text.content[at:end] + opening, at, end))
    return end
