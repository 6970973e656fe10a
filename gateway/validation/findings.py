"""What a validation has found: issues in the order they were found, bounded in number and in time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from gateway.issues import Issue, Severity

MOST: Final = 500
"""Errors that are told, and as many others: what a hostile Bundle could make the answer grow to."""
SECONDS: Final = 20.0


class Enough(Exception):
    """No more is looked at: there are too many issues, or it takes too long."""


class Findings:
    """Adds issues, each place and rule once. Errors are looked for to their limit, however many warnings there are."""

    def __init__(self, *, most: int = MOST, seconds: float = SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self.issues: list[Issue] = []
        self._seen: set[tuple[str, str | None, str]] = set()
        self._left = {True: most, False: most}
        self._clock = clock
        self._end = clock() + seconds
        self._looks = 0

    def add(self, severity: Severity, code: str, rule: str, text: str, expression: str) -> None:
        self.put(Issue(severity, code, rule, text, expression=expression))

    def put(self, issue: Issue) -> None:
        key = (issue.rule, issue.expression, issue.text)
        if key in self._seen:
            return
        is_error = issue.severity in ("fatal", "error")
        self._left[is_error] -= 1
        if self._left[is_error] < 0:
            if self._left[is_error] == -1:
                kind = "errors" if is_error else "warnings"
                text = f"There are more {kind} than are told: these are the first. Mend them, and validate again."
                self.issues.append(Issue("warning", "incomplete", "too-many-issues", text))
            if is_error:
                raise Enough
            return
        self._seen.add(key)
        self.issues.append(issue)

    def tick(self) -> None:
        """Enough, where the time is up."""
        self._looks += 1
        if self._looks % 64 == 0 and self._clock() > self._end:
            text = "Validation took too long and was ended: what is told is not all. Send less at once."
            self.issues.append(Issue("error", "too-costly", "validation-too-costly", text))
            raise Enough

    def aside(self) -> Findings:
        """Findings of a trial, which has as much time as is left."""
        return Findings(seconds=self._end - self._clock(), clock=self._clock)
