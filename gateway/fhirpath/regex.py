"""Regular expressions that cannot be made to run for ever.

Python's `re` tries one way after the other, and of a repeat within a repeat there are exponentially many. What is
simple goes to `re`; the rest is read by an automaton. https://hl7.org/fhirpath/N1/#matchesregex-string-boolean
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.fhirpath.automaton import MANY, Automaton, matcher, sre
from gateway.fhirpath.errors import EvaluationError

MAX_PATTERN = 1000
MAX_STEPS = 3_000_000
MAX_TEXT = 1_000_000

# A group with a name, which Python writes with a P; what is escaped or within brackets is none.
_NAMED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?<(?![=!])", re.DOTALL)
_GROUP = re.compile(r"\$(?:(\d+)|\{(\w+)\})")


@dataclass(frozen=True, slots=True)
class _Ways:
    """How many ways through an expression there can be: `factor` times the length of the text to the `power`."""

    factor: float = 1
    power: int = 0
    nested: bool = False
    """A repeat without end of more than a single character: exponentially many."""

    def then(self, other: _Ways, times: int = 1) -> _Ways:
        factor = min(self.factor * min(other.factor, 1e6) ** min(times, 50), 1e12)
        return _Ways(factor, self.power + other.power * times, self.nested or other.nested)

    def longest(self) -> int:
        """How long a text `re` comes to an end on in good time, wherever in it the search begins; -1 for none."""
        return -1 if self.nested else min(int((MAX_STEPS / self.factor) ** (1 / (self.power + 1))) - 1, MAX_TEXT)


@dataclass(frozen=True, slots=True)
class _Expression:
    pattern: re.Pattern[str]
    longest: int
    """Longer texts are not for `re`."""


@lru_cache(maxsize=512)
def _expression(pattern: str) -> _Expression:
    if len(pattern) > MAX_PATTERN:
        raise EvaluationError("The regular expression is too long.", f"At most {MAX_PATTERN} characters.")
    try:
        pattern = pythonic(pattern)
        compiled = re.compile(pattern, re.DOTALL)
        ways = _ways(sre.parse(pattern, int(re.DOTALL)))
    except (re.error, OverflowError, RecursionError) as problem:
        raise EvaluationError("This is not a regular expression.", str(problem)) from None
    return _Expression(compiled, ways.longest())


def _ways(parts: Iterable[tuple[Any, Any]]) -> _Ways:
    total = _Ways()
    for op, value in parts:
        match str(op):
            case "MAX_REPEAT" | "MIN_REPEAT":
                total = total.then(_repeated(*value))
            case "SUBPATTERN":
                total = total.then(_ways(value[3]))
            case "BRANCH":
                branches = [_ways(branch) for branch in value[1]]
                total = total.then(
                    _Ways(
                        sum(branch.factor for branch in branches),
                        max(branch.power for branch in branches),
                        any(branch.nested for branch in branches),
                    )
                )
            case "ASSERT" | "ASSERT_NOT":
                total = total.then(_ways(value[1]))
            case "ATOMIC_GROUP" | "POSSESSIVE_REPEAT":
                total = total.then(_Ways(nested=True))
            case _:
                pass
    return total


def _repeated(least: int, most: Any, body: Any) -> _Ways:
    endless = most == sre.MAXREPEAT or most > MANY
    if len(body) == 1 and matcher(str(body[0][0]), body[0][1]) is not None:
        return _Ways(power=1) if endless else _Ways(factor=most - least + 1)
    if endless:
        return _Ways(nested=True)
    return _Ways(factor=most - least + 1).then(_ways(body), times=int(most))


@lru_cache(maxsize=128)
def _automaton(pattern: str) -> Automaton:
    return Automaton(pythonic(pattern))


def pythonic(pattern: str) -> str:
    return _NAMED.sub(lambda found: "(?P<" if found[0] == "(?<" else found[0], pattern)


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise EvaluationError("The text is too long for a regular expression.", f"At most {MAX_TEXT} characters.")
    return text


def search(pattern: str, text: str) -> bool:
    """Whether the expression is found anywhere in the text."""
    found = _expression(pattern)
    if len(text) <= found.longest:
        return found.pattern.search(text) is not None
    return _automaton(pattern).matches(_bounded(text), whole=False)


def fullmatch(pattern: str, text: str) -> bool:
    """Whether the expression is the whole text."""
    found = _expression(pattern)
    if len(text) <= found.longest:
        return found.pattern.fullmatch(text) is not None
    return _automaton(pattern).matches(_bounded(text), whole=True)


def replace(pattern: str, text: str, substitution: str) -> str:
    """The text with everything that the expression finds replaced; `$1` is the first group, `${name}` one of a name."""
    found = _expression(pattern)
    if len(_bounded(text)) > found.longest:
        hint = "Take repeats out of repeats, or match a shorter text."
        raise EvaluationError("This replacement could take for ever.", hint)
    template = _GROUP.sub(lambda one: f"\\g<{one[1] or one[2]}>", substitution.replace("\\", "\\\\"))
    try:
        return found.pattern.sub(template, text)
    except (re.error, IndexError):
        raise EvaluationError("The replacement names a group that is not there.") from None
