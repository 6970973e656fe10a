"""HL7's FHIRPath suite: reading its cases, running one, comparing loosely typed outputs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from gateway.definitions import load
from gateway.fhirpath import Environment, FHIRPathError, compile

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DATA = (Path(__file__).parents[2] / "../shared/data").resolve()
CASES = DATA / "fhir-test-cases/r4/fhirpath/tests-fhir-r4.xml"
INPUTS = DATA / "fhirpath-inputs-r4"


@dataclass(frozen=True)
class Case:
    group: str
    name: str
    input: str | None
    expression: str
    strict: bool
    invalid: bool
    predicate: bool
    ordered: bool
    outputs: tuple[tuple[str | None, str], ...]

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"


def cases() -> list[Case]:
    found = []
    for group in ElementTree.parse(CASES).getroot().iter("group"):
        for test in group.findall("test"):
            expression = test.find("expression")
            found.append(
                Case(
                    group=group.get("name", ""),
                    name=test.get("name", ""),
                    input=test.get("inputfile"),
                    expression=expression.text or "",
                    strict="strict" in (test.get("mode"), expression.get("mode")),
                    invalid=expression.get("invalid") is not None,
                    predicate=test.get("predicate") == "true",
                    ordered=test.get("ordered") != "false",
                    outputs=tuple((output.get("type"), output.text or "") for output in test.findall("output")),
                )
            )
    return found


@cache
def resource(name: str | None) -> dict[str, Any]:
    if name is None:
        return {"resourceType": "Patient"}
    path = INPUTS / name.replace(".xml", ".json")
    return json.loads(path.read_text(), parse_float=Decimal)


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(kind: str | None, expected: str, value: Any) -> bool:
    expected, got = expected.strip() if kind != "string" else expected, shown(value)
    if kind in ("date", "dateTime", "time", None):
        expected = expected.removeprefix("@").removeprefix("T").removesuffix("T")
    try:
        return expected == got or Decimal(expected) == Decimal(got)
    except ArithmeticError:
        return False


def run(case: Case) -> str | None:
    """What is wrong, or None."""
    focus = resource(case.input)
    environment = Environment(now=NOW, trace=lambda *_: None)
    try:
        path = compile(case.expression, focus["resourceType"], load(), strict=case.strict)
        found = path(focus, environment)
    except FHIRPathError as problem:
        return None if case.invalid else f"refused: {problem.problems[0].text}"
    if case.invalid:
        return f"not refused, but {[shown(value) for value in found]}"
    if case.predicate:
        found = [bool(found)]
    expected = list(case.outputs)
    if len(expected) != len(found):
        return f"expected {expected}, got {[shown(value) for value in found]}"
    if not case.ordered:
        expected.sort(key=lambda output: output[1])
        found = sorted(found, key=shown)
    if all(same(kind, text, value) for (kind, text), value in zip(expected, found, strict=True)):
        return None
    return f"expected {expected}, got {[shown(value) for value in found]}"
