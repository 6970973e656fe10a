"""FHIRPath tokens.

https://hl7.org/fhirpath/N1/#lexical-elements
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.fhirpath.errors import Problem

# The order matters: a date literal before `@`, a comment before `/`, two-letter operators before their first letter.
_PATTERNS = {
    "space": r"\s+|//[^\n]*|/\*.*?\*/",
    "unclosed_comment": r"/\*",
    "datetime": r"@\d{4}(?:-\d\d(?:-\d\d)?)?T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?",
    "date": r"@\d{4}(?:-\d\d(?:-\d\d)?)?",
    "time": r"@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?",
    "number": r"\d+(?:\.\d+|L\b)?",
    "string": r"'(?:[^'\\]|\\.)*'",
    "unclosed_string": r"'",
    "variable": r"%(?:(?:vs|ext)-[A-Za-z0-9-]+|[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*')",
    "special": r"\$(?:this|index|total)\b",
    "quoted": r"`(?:[^`\\]|\\.)*`",
    "name": r"[A-Za-z_][A-Za-z0-9_]*",
    "symbol": r"<=|>=|!=|!~|[-+*/&|=~<>.,()\[\]{}]",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()), re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"'": "'", '"': '"', "`": "`", "r": "\r", "n": "\n", "t": "\t", "f": "\f", "\\": "\\", "/": "/"}
_UNCLOSED = {"unclosed_comment": "The comment does not end.", "unclosed_string": "The string does not end."}


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the token's value: without quotes and escapes."""

    kind: str
    text: str
    at: int


def _plain(text: str, at: int, problems: list[Problem]) -> str:
    """The text without its escapes."""

    def replace(found: re.Match[str]) -> str:
        code = found.group(1)
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            hint = "Known are \\' \\\" \\` \\r \\n \\t \\f \\\\ \\/ and \\uXXXX."
            problems.append(Problem(f"Unknown escape \\{code}.", at + found.start() + 1, hint))
        return _ESCAPES.get(code, code)

    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(replace, text)
    # Two escapes may be the halves of one character; half a one is none, and is replaced.
    return plain if plain.isascii() else plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def tokens(source: str) -> tuple[list[Token], list[Problem]]:
    """The tokens of an expression, an `end` token last, and every lexical problem."""
    found: list[Token] = []
    problems: list[Problem] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            problems.append(Problem(f"Unexpected character {source[at]!r}.", at))
            at += 1
            continue
        kind, text = str(match.lastgroup), match.group()
        if kind in _UNCLOSED:
            problems.append(Problem(_UNCLOSED[kind], at, "Close it on the same expression."))
            break
        if kind == "variable":
            found.append(Token(kind, _plain(text[2:-1] if text[1] in "`'" else text[1:], at, problems), at))
        elif kind in ("string", "quoted"):
            found.append(Token(kind, _plain(text[1:-1], at, problems), at))
        elif kind != "space":
            found.append(Token(kind, text, at))
        at = match.end()
    found.append(Token("end", "", len(source)))
    return found, problems
