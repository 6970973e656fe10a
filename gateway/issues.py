"""Issues: what could not be done with an input, where, and what to do about it.

A step returns what it could do and adds an issue for what it could not. An issue never quotes patient data: it says
where the value stands, not what it is. The wire form is `OperationOutcome.issue`
(https://hl7.org/fhir/R4/operationoutcome.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from gateway.frozen import dataclass

Severity = Literal["fatal", "error", "warning", "information"]

# What neither R4's strings nor XML can hold.
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

RULE_SYSTEM = "https://samverka.example/fhir/CodeSystem/issue"
REQUIREMENT_SYSTEM = "https://samverka.example/fhir/CodeSystem/requirement"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
_COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that could not be done.

    `code` is of http://hl7.org/fhir/issue-type; `rule` is our own stable code for it (`personnummer-check-digit`);
    `text` says what is wrong and what to do; `where` is a place in the source (`line 12, column 5`, `PID-3.1`,
    `row 7, column status`, a JSON pointer); `expression` is a FHIRPath into what a client sent, `spot` the line and the
    column of it there, from 1. What people meet in their work is told in `swedish` too, and says from which
    `requirement` it comes (`C-2`).
    """

    severity: Severity
    code: str
    rule: str
    text: str
    where: str | None = None
    expression: str | None = None
    spot: tuple[int, int] | None = None
    swedish: str | None = None
    requirement: str | None = None

    def at(self, where: str) -> Issue:
        return replace(self, where=where)

    def to_fhir(self) -> dict[str, Any]:
        placed: dict[str, Any] = {}
        if self.spot:
            line, column = self.spot
            placed["extension"] = [{"url": _LINE, "valueInteger": line}, {"url": _COLUMN, "valueInteger": column}]
        coding = [{"system": RULE_SYSTEM, "code": self.rule}]
        if self.requirement:
            coding.append({"system": REQUIREMENT_SYSTEM, "code": self.requirement})
        details: dict[str, Any] = {"coding": coding, "text": _shown(self.text)}
        if self.swedish:
            said = [{"url": "lang", "valueCode": "sv"}, {"url": "content", "valueString": _shown(self.swedish)}]
            details["_text"] = {"extension": [{"url": _TRANSLATION, "extension": said}]}
        issue: dict[str, Any] = {
            **placed,
            "severity": self.severity,
            "code": self.code,
            "details": details,
        }
        if self.where:
            issue["diagnostics"] = _shown(self.where)
        if self.expression:
            issue["expression"] = [_shown(self.expression)]
        return issue

    def to_json(self) -> dict[str, Any]:
        keys = ("severity", "code", "rule", "text", "where", "expression")
        return {key: value for key in keys if (value := getattr(self, key)) is not None}


def _shown(text: str) -> str:
    """As a FHIR string can hold it: the name of a parameter or a type comes from whoever asked, whatever is in it."""
    return _UNSHOWN.sub("\ufffd", text)


class Issues:
    """A collector that steps add to; `bad` says whether the item can still be used."""

    __slots__ = ("_found",)

    def __init__(self, found: Iterable[Issue] = ()) -> None:
        self._found = list(found)

    def __iter__(self) -> Iterator[Issue]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def bad(self) -> bool:
        """True when something is wrong enough that the item must be held."""
        return any(issue.severity in ("fatal", "error") for issue in self._found)

    def add(self, issue: Issue) -> None:
        self._found.append(issue)

    def extend(self, issues: Iterable[Issue]) -> None:
        self._found.extend(issues)

    def fatal(self, code: str, rule: str, text: str, where: str | None = None, expression: str | None = None) -> None:
        self.add(Issue("fatal", code, rule, text, where, expression))

    def error(self, code: str, rule: str, text: str, where: str | None = None, expression: str | None = None) -> None:
        self.add(Issue("error", code, rule, text, where, expression))

    def warning(self, code: str, rule: str, text: str, where: str | None = None, expression: str | None = None) -> None:
        self.add(Issue("warning", code, rule, text, where, expression))

    def information(
        self, code: str, rule: str, text: str, where: str | None = None, expression: str | None = None
    ) -> None:
        self.add(Issue("information", code, rule, text, where, expression))


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The issues as an OperationOutcome; without any, one that says all is well (`issue` is 1..*)."""
    found = [issue.to_fhir() for issue in issues]
    return {
        "resourceType": "OperationOutcome",
        "issue": found or [{"severity": "information", "code": "informational", "details": {"text": "No issues."}}],
    }
