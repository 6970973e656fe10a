"""FHIRPath errors: every problem of an expression, each with its place, a caret and what to do.

https://hl7.org/fhirpath/N1/#formal-specifications
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Unprocessable
from gateway.issues import Issue


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an expression; `offset` counts characters from its beginning."""

    text: str
    offset: int
    hint: str = ""

    def place(self, source: str) -> tuple[int, int]:
        """Line and column, both from 1."""
        before = source[: self.offset]
        return before.count("\n") + 1, self.offset - (before.rfind("\n") + 1) + 1

    def show(self, source: str) -> str:
        """The problem with its line of the expression and a caret under the place."""
        line, column = self.place(source)
        shown = source.split("\n")[line - 1]
        hint = f"\n{self.hint}" if self.hint else ""
        return f"line {line}, column {column}: {self.text}\n  {shown}\n  {' ' * (column - 1)}^{hint}"


class FHIRPathError(Unprocessable):
    """The FHIRPath expression cannot be used."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        issues = []
        for problem in self.problems:
            line, column = problem.place(source)
            text = f"{problem.text} {problem.hint}".strip()
            issues.append(Issue("error", self.code, self.rule(), text, f"line {line}, column {column}"))
        super().__init__("\n".join(p.show(source) for p in self.problems), issues=issues)

    @classmethod
    def rule(cls) -> str:
        return "fhirpath"


class EvaluationError(Exception):
    """Raised where an evaluation cannot go on; the path that was called turns it into a FHIRPathError with a place."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
