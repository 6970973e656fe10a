"""A JSON text's places: where a value stands, and where the rule is broken that stopped the reading.

Nothing here is needed to read a good message; a scanner by tokens is slow, and enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator
from typing import Any

_TOKEN = re.compile(r'[ \t\r\n]*([{}\[\],:]|"(?:[^"\\]|\\.)*"?|[^\s{}\[\],:"]+|\S)', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")
_LONGEST_NUMBER = 100


def locate(text: str, path: list[str | int]) -> tuple[int, int]:
    """The span of the value that a path leads to, in a text that is known to be JSON."""
    tokens = _tokens(text, 0)
    token = next(tokens)
    for step in path:
        token = next(tokens)
        if isinstance(step, int):
            for _ in range(step):
                _value_end(tokens, token)
                next(tokens)
                token = next(tokens)
        else:
            while json.loads(token[1]) != step:
                next(tokens)
                _value_end(tokens, next(tokens))
                next(tokens)
                token = next(tokens)
            next(tokens)
            token = next(tokens)
    return token.start(1), _value_end(tokens, token)


def starts(text: str, wanted: Container[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], int]:
    """Where the values begin that these paths lead to, in a text that is known to be JSON; of a member, its name.

    A path that leads to what stands beside a primitive (`_name`) is the primitive's where that is not there.
    """
    found: dict[tuple[str | int, ...], int] = {}
    path: list[str | int] = []
    open_: list[str] = []
    named: int | None = None
    is_name = False
    for token in _tokens(text, 0):
        word, at = token[1], token.start(1)
        if is_name and word[0] == '"':
            path[-1], named, is_name = json.loads(word).removeprefix("_"), at, False
            continue
        if word == ":":
            continue
        if word == ",":
            last = path[-1]
            is_name = open_[-1] == "{"
            path[-1] = last + 1 if isinstance(last, int) else last
            continue
        if word not in "}]":
            here = tuple(path)
            if here in wanted:
                found.setdefault(here, at if named is None else named)
            named = None
        if word in "{[":
            open_.append(word)
            path.append("" if word == "{" else 0)
            is_name = word == "{"
        elif word in "}]":
            open_.pop()
            path.pop()
            is_name = False
    return found


def find_fault(text: str, at: int, rule: str, deepest: int, stop: int | None = None) -> int:
    """Where in a text the rule is broken for the first time; where it is not found, where the reading began."""
    names: list[set[str] | None] = []
    previous = ""
    for token in _tokens(text, at, stop):
        start, word = token.start(1), token[1]
        if word in "{[":
            names.append(set() if word == "{" else None)
            if rule == "too-deep" and len(names) > deepest:
                return start
        elif word in "}]":
            names = names[:-1]
        elif rule == "duplicate-key" and word[0] == '"' and previous in ("{", ",") and names and names[-1] is not None:
            if word in names[-1]:
                return start
            names[-1].add(word)
        elif rule in _FAULTY and _FAULTY[rule](word):
            return start
        previous = word
    return at


def value_end(text: str, at: int, stop: int | None = None) -> int | None:
    """Where the value ends that begins there, by its brackets alone; None where they do not close before `stop`."""
    tokens = _tokens(text, at, stop)
    try:
        return _value_end(tokens, next(tokens))
    except StopIteration:
        return None


def has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or has_nul(child) for name, child in value.items())
    return any(map(has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def too_long(number: str) -> bool:
    # 1E999999999 is a few bytes that somebody would later write out in full.
    return len(number) > _LONGEST_NUMBER or len(number.lower().partition("e")[2].lstrip("+-0")) > 3


def may_be_halved(text: str, start: int, end: int) -> bool:
    """Whether a stretch of a text writes surrogates as escapes, which may stand alone."""
    return _SURROGATE.search(text, start, end) is not None


def encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


_FAULTY: dict[str, Callable[[str], bool]] = {
    "not-a-number": lambda word: word.lstrip("-") in ("NaN", "Infinity"),
    "too-long-number": lambda word: word[0] in "-0123456789" and too_long(word),
    "nul": lambda word: "\\u0000" in word and has_nul(json.loads(word)),
    "lone-surrogate": lambda word: _SURROGATE.search(word) is not None and not encodable(json.loads(word)),
}


def _tokens(text: str, at: int, stop: int | None = None) -> Iterator[re.Match[str]]:
    """Tokens without a grammar: enough to find a place in a text that was read before, or was refused."""
    end = len(text) if stop is None else stop
    while found := _TOKEN.match(text, at, end):
        yield found
        at = found.end()


def _value_end(tokens: Iterator[re.Match[str]], token: re.Match[str]) -> int:
    depth = 0
    while True:
        depth += (token[1] in ("{", "[")) - (token[1] in ("}", "]"))
        if depth == 0:
            return token.end()
        token = next(tokens)
