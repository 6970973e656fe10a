"""A regular expression as an automaton that reads each character once: slower than `re`, and never exponentially so.

Python's own parser takes the expression apart; what needs to look back or ahead is refused.
https://swtch.com/~rsc/regexp/regexp2.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from gateway.fhirpath.errors import EvaluationError

sre: Any = import_module("re._parser")
"""The module that `re` parses with: typeshed does not describe it."""

MANY = 50
"""From this number of repetitions on, a repeat counts as one without end."""
MAX_STATES = 2000
MAX_WORK = 3_000_000

Matcher = Callable[[str], bool]

_CATEGORIES: dict[str, Matcher] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
}


def _category(name: str) -> Matcher:
    positive = _CATEGORIES.get(name)
    if positive is not None:
        return positive
    negative = _CATEGORIES[name.replace("_NOT_", "_")]
    return lambda char: not negative(char)


def _one_of(parts: Iterable[tuple[Any, Any]]) -> Matcher:
    negated = False
    singles: set[str] = set()
    ranges: list[tuple[str, str]] = []
    categories: list[Matcher] = []
    for op, value in parts:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                singles.add(chr(value))
            case "RANGE":
                ranges.append((chr(value[0]), chr(value[1])))
            case _:
                categories.append(_category(str(value)))

    def matches(char: str) -> bool:
        found = (
            char in singles
            or any(low <= char <= high for low, high in ranges)
            or any(category(char) for category in categories)
        )
        return found is not negated

    return matches


def matcher(op: str, value: Any) -> Matcher | None:
    """What one character has to be; None for what is more than a character."""
    match op:
        case "LITERAL":
            return chr(value).__eq__
        case "NOT_LITERAL":
            return chr(value).__ne__
        case "ANY":
            return lambda _: True
        case "IN":
            return _one_of(value)
        case _:
            return None


class Automaton:
    """States are numbers: `reads` has what a state's character must be and the next state, `leaps` the states that are
    reached without a character, some of them only where a condition holds.
    """

    def __init__(self, pattern: str) -> None:
        self.reads: dict[int, tuple[Matcher, int]] = {}
        self.leaps: dict[int, list[tuple[str | None, int]]] = {}
        self.states = 1
        parsed = sre.parse(pattern, int(sre.SRE_FLAG_DOTALL))
        if parsed.state.flags & ~(int(sre.SRE_FLAG_DOTALL) | int(sre.SRE_FLAG_UNICODE)):
            raise _unsupported()
        self.end = self._sequence(parsed, 0)

    def _state(self) -> int:
        self.states += 1
        if self.states > MAX_STATES:
            raise EvaluationError("The regular expression is too large.", "Repeat less, or fewer times.")
        return self.states - 1

    def _leap(self, start: int, end: int, condition: str | None = None) -> None:
        self.leaps.setdefault(start, []).append((condition, end))

    def _sequence(self, parts: Iterable[tuple[Any, Any]], start: int) -> int:
        for op, value in parts:
            start = self._part(str(op), value, start)
        return start

    def _part(self, op: str, value: Any, start: int) -> int:
        reads = matcher(op, value)
        if reads is not None:
            end = self._state()
            # A state reads one character: where several ways lead on, each has a state of its own.
            entry = self._state()
            self._leap(start, entry)
            self.reads[entry] = (reads, end)
            return end
        if op == "SUBPATTERN" and not value[1] and not value[2]:
            return self._sequence(value[3], start)
        if op == "BRANCH":
            end = self._state()
            for branch in value[1]:
                self._leap(self._sequence(branch, self._after(start)), end)
            return end
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, body = value
            return self._repeat(least, most, body, start)
        if op == "AT":
            end = self._state()
            self._leap(start, end, str(value))
            return end
        raise _unsupported()

    def _after(self, start: int) -> int:
        state = self._state()
        self._leap(start, state)
        return state

    def _repeat(self, least: int, most: Any, body: Any, start: int) -> int:
        for _ in range(least):
            start = self._sequence(body, start)
        if most == sre.MAXREPEAT:
            again = self._after(start)
            self._leap(self._sequence(body, again), again)
            return self._after(again)
        end = self._state()
        for _ in range(most - least):
            self._leap(start, end)
            start = self._sequence(body, self._after(start))
        self._leap(start, end)
        return end

    def matches(self, text: str, *, whole: bool) -> bool:
        """Whether the expression is found in the text, or is the `whole` of it."""
        if self.states * (len(text) + 1) > MAX_WORK:
            raise EvaluationError("The text is too long for this regular expression.")
        current = self._reach({0}, text, 0)
        for position, char in enumerate(text):
            if not whole and self.end in current:
                return True
            moved = {self.reads[state][1] for state in current if state in self.reads and self.reads[state][0](char)}
            if not whole:
                moved.add(0)
            current = self._reach(moved, text, position + 1)
        return self.end in current

    def _reach(self, states: set[int], text: str, position: int) -> set[int]:
        """All states that are reached without a character more."""
        found = set(states)
        open_ = list(states)
        while open_:
            for condition, state in self.leaps.get(open_.pop(), ()):
                if state not in found and (condition is None or _holds(condition, text, position)):
                    found.add(state)
                    open_.append(state)
        return found


def _is_word(text: str, position: int) -> bool:
    return 0 <= position < len(text) and _CATEGORIES["CATEGORY_WORD"](text[position])


def _holds(condition: str, text: str, position: int) -> bool:
    match condition:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return position == 0
        case "AT_END":
            return position == len(text) or text[position:] == "\n"
        case "AT_END_STRING":
            return position == len(text)
        case "AT_BOUNDARY":
            return _is_word(text, position - 1) != _is_word(text, position)
        case "AT_NON_BOUNDARY":
            return _is_word(text, position - 1) == _is_word(text, position)
        case _:
            raise _unsupported()


def _unsupported() -> EvaluationError:
    hint = "Look-around, back references and flags cannot be combined with repeats within repeats."
    return EvaluationError("This regular expression could take for ever.", hint)
