"""Problems of a map: each with its place, a caret under it and a hint; all of them in one error.

A map that is wrong in three places says so three times in one run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from gateway.errors import Unprocessable
from gateway.issues import Issue
from gateway.mapping.syntax import Span, Text


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at `file:line:column`, and what may be meant."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""
    excerpt: str = ""
    width: int = 1

    def __str__(self) -> str:
        lines = [f"{self.file}:{self.line}:{self.column}: {self.text}"]
        if self.excerpt:
            gap = "".join("\t" if char == "\t" else " " for char in self.excerpt[: self.column - 1])
            lines += [f"    {self.excerpt}", f"    {gap}{'^' * max(1, self.width)}"]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)

    def to_issue(self) -> Issue:
        text = f"{self.text}: {self.hint}" if self.hint else self.text
        return Issue("error", "invalid", "map-invalid", text, f"{self.file}:{self.line}:{self.column}")


class CompileError(Unprocessable):
    """The map cannot be compiled."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
        super().__init__(
            "\n".join(str(problem) for problem in self.problems),
            issues=[problem.to_issue() for problem in self.problems],
        )


class Problems:
    """A collector; `stop()` raises when anything was found."""

    __slots__ = ("_seen", "found")

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._seen: set[tuple[str, int, int, str]] = set()

    def add(self, text: Text, span: Span, message: str, hint: str = "") -> None:
        line, column = text.place(span.start)
        key = (text.file, line, column, message)
        if key in self._seen:  # A group that is compiled for several types says the same thing once.
            return
        self._seen.add(key)
        excerpt = text.line(line)
        width = min(span.end, span.start + len(excerpt) - column + 1) - span.start
        self.found.append(Problem(text.file, line, column, message, hint, excerpt, width))

    def stop(self) -> None:
        if self.found:
            raise CompileError(self.found)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest of the known words; empty when none is near."""
    candidates = list(known)
    near = get_close_matches(word, candidates, n=2, cutoff=0.6) or [c for c in candidates if c.lower() == word.lower()]
    return f"did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


_LISTED = 12
"""So many names are read at a glance; more are looked up."""


def meant_or_known(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest of the known words, else with all of them where they are few."""
    every = list(known)
    return did_you_mean(word, every) or (f"there are {', '.join(every)}" if 0 < len(every) <= _LISTED else "")
