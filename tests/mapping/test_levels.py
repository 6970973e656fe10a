"""How bad a thing is, as data: the field is skipped, the record is held, or the batch is stopped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.issues import Issues
from gateway.mapping import CompileError, Package, commands
from tests.mapping.folders import MANIFEST, RECEIVED, SOURCE, package

RULES = """
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.kind as v -> pat.gender = translate(v, '#kinds', 'code') "kind";
  src.name as v check (v != 'X') -> pat.name as n, n.text = v "name";
  src.note as v log ('a note was passed over') "noted";
"""
PEOPLE = [
    {"number": "1", "kind": "M"},
    {"number": "2", "kind": "other"},
    {"number": "3", "kind": "K", "name": "X"},
    {"number": "4", "kind": "M", "note": "n"},
]


def made(tmp_path: Path, on_error: str) -> Package:
    return package(tmp_path, RULES, manifest=MANIFEST + f"onError: {on_error}\n")


def outcomes(found: Package) -> tuple[list[tuple[str, bool, int]], list[str]]:
    """For each record its key, whether it is held and how many drafts; and the message's own issues by rule."""
    issues = Issues()
    each = list(found.each(json.dumps(PEOPLE).encode(), SOURCE, RECEIVED, issues))
    return [(result.key, result.issues.bad, len(result.drafts)) for _, result in each], [one.rule for one in issues]


ALL = [("1", False, 1), ("2", False, 1), ("3", True, 1), ("4", False, 1)]


@pytest.mark.parametrize(
    ("on_error", "expected"),
    [
        ("{}", ALL),
        ("{field: hold}", [ALL[0], ("2", True, 1), ALL[2], ALL[3]]),
        ("{record: skip}", [ALL[0], ALL[1], ("3", False, 0), ALL[3]]),
        ("{rules: {unmapped-code: hold}}", [ALL[0], ("2", True, 1), ALL[2], ALL[3]]),
        ("{field: hold, rules: {unmapped-code: skip}}", ALL),
        ("{rules: {check-failed: skip}}", [ALL[0], ALL[1], ("3", False, 0), ALL[3]]),
        ("{rules: {noted: hold}}", [*ALL[:3], ("4", True, 1)]),
    ],
)
def test_levels_are_data(tmp_path: Path, on_error: str, expected: list[tuple[str, bool, int]]) -> None:
    assert outcomes(made(tmp_path, on_error)) == (expected, [])


@pytest.mark.parametrize(
    ("on_error", "tried"),
    [("{record: stop}", 3), ("{rules: {unmapped-code: stop}}", 2), ("{rules: {check-failed: stop}}", 3)],
)
def test_a_batch_is_stopped_at_the_record_and_says_so(tmp_path: Path, on_error: str, tried: int) -> None:
    found, issues = outcomes(made(tmp_path, on_error))
    assert (len(found), found[-1][1], issues) == (tried, True, ["batch-stopped"])


def test_a_rule_that_nothing_has_is_a_mistake_of_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="nothing has the rule 'unmaped-code'") as refused:
        made(tmp_path, "{rules: {unmaped-code: hold}}").check()
    assert "did you mean 'unmapped-code'" in str(refused.value)
    made(tmp_path, "{rules: {noted: hold}}").check()


def test_a_level_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"onError\.rules\.unmapped-code"):
        made(tmp_path, "{rules: {unmapped-code: shout}}")


# --- what is told of a fault ---------------------------------------------------------------------------------------


def told(tmp_path: Path, *, values: bool) -> list[dict[str, Any]]:
    body = json.dumps(PEOPLE).encode()
    report = commands.run(made(tmp_path, "{}"), body, SOURCE, datetime(2026, 1, 1, tzinfo=UTC), values=values)
    return [fault for record in report.to_json()["records"] for fault in record["found"]]


def test_a_fault_has_its_rule_map_line_place_target_and_severity(tmp_path: Path) -> None:
    unmapped, failed, _ = told(tmp_path, values=False)
    body = json.dumps(PEOPLE)
    assert {name: unmapped[name] for name in ("severity", "rule", "line", "by", "target")} == {
        "severity": "warning",
        "rule": "unmapped-code",
        "line": "example/example.fml:5:3",
        "by": '"kind"',
        "target": "Patient.gender",
    }
    start, end = unmapped["span"]
    assert body[start:end].strip('"') == "other"
    assert unmapped["where"].startswith("line 1, column")
    assert (failed["severity"], failed["rule"], failed["by"]) == ("error", "check-failed", '"name"')


def test_values_are_withheld_unless_asked_for(tmp_path: Path) -> None:
    assert all("value" not in fault for fault in told(tmp_path, values=False))
    assert [fault.get("value") for fault in told(tmp_path, values=True)] == ["other", "X", "n"]
