"""A package's cases: a source message, and the drafts and issues that must come of it.

`cases/<case>/source.<ext>`, `expected.json` and, where more has to be said, `case.yaml` (title, source, received).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from gateway.formats import Record
from gateway.issues import Issue, Issues
from gateway.mapping.package import MapResult, Package
from gateway.mapping.problems import CompileError, Problem
from gateway.records import Source

RECEIVED = "2026-01-15T12:00:00+01:00"
_WIDTH = 110


@dataclass(frozen=True)
class Case:
    """One case of a package, as it lies in its folder."""

    package: Package
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.package.id}/{self.folder.name}"

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        path = self.folder / "case.yaml"
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
        return found or {}

    @property
    def title(self) -> str:
        return str(self.facts.get("title", self.folder.name))

    @property
    def body(self) -> bytes:
        if self.unfit:
            shown = f"{self.package.id}/cases/{self.folder.name}"
            raise CompileError([Problem(shown, 1, 1, self.unfit)])
        return next(self.folder.glob("source.*")).read_bytes()

    @property
    def unfit(self) -> str:
        """Why it cannot be run at all; empty where it can."""
        count = len(list(self.folder.glob("source.*")))
        if count == 1:
            return ""
        held = ", ".join(sorted(path.name for path in self.folder.iterdir())) or "nothing"
        return f"a case has one source.*, this one has {count}: in its folder there is {held}"

    @property
    def source(self) -> Source:
        """The package's own source instance, with what the case says otherwise."""
        return replace(own_source(self.package), **self.facts.get("source", {}))

    @property
    def received(self) -> datetime:
        given = self.facts.get("received", RECEIVED)
        return given if isinstance(given, datetime) else datetime.fromisoformat(str(given))

    @property
    def expected(self) -> dict[str, Any] | None:
        path = self.folder / "expected.json"
        return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal) if path.is_file() else None

    def results(self, *, traced: bool = False) -> tuple[list[tuple[Record, MapResult]], Issues]:
        """Each record with what became of it, and the message's own issues."""
        issues = Issues()
        mapped = list(self.package.each(self.body, self.source, self.received, issues, traced=traced))
        return mapped, issues

    def actual(self) -> dict[str, Any]:
        """What the package makes of the source, as `expected.json` writes it."""
        mapped, issues = self.results()
        return {
            "drafts": [draft.resource for _, result in mapped for draft in result.drafts],
            "records": [_record(record, result) for record, result in mapped],
            "issues": [_issue(issue) for _, result in mapped for issue in result.issues]
            + [_issue(issue) for issue in issues],
        }

    def check(self) -> list[str]:
        """Where what came differs from what was expected; empty when the case holds."""
        if self.unfit:
            return [self.unfit]
        expected = self.expected
        if expected is None:
            return ["there is no expected.json: --update writes what comes, for you to read"]
        actual = self.actual()
        wanted = [set(issue) for issue in expected.get("issues", ())]
        actual["issues"] = [
            {key: value for key, value in issue.items() if index >= len(wanted) or key in wanted[index]}
            for index, issue in enumerate(actual["issues"])
        ]
        if "records" not in expected:
            del actual["records"]
        return list(differences(expected, actual))

    def update(self) -> bool:
        """Write what came as what is expected; True when that changed something. Read the diff before you keep it."""
        if self.unfit:
            return False
        path = self.folder / "expected.json"
        text = rendered(self.actual()) + "\n"
        if self.expected is not None and not self.check() and "records" in (self.expected or {}):
            return False
        path.write_text(text, encoding="utf-8")
        return True


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What became of a case."""

    name: str
    title: str
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.differences


def own_source(package: Package) -> Source:
    """The source instance that the package's manifest describes."""
    instance = package.manifest.instance
    facts = instance.model_dump() if instance else {"name": package.id, "hsa_id": "", "controller": ""}
    return Source(package.id, package.id, **facts)


def cases(package: Package) -> Iterator[Case]:
    """A package's cases in order of their names."""
    for folder in sorted((package.folder / "cases").glob("*/")):
        yield Case(package, folder)


def _record(record: Record, result: MapResult) -> dict[str, Any]:
    """The facts of a record that are not in its drafts."""
    found: dict[str, Any] = {"kind": record.kind, "key": result.key, "drafts": len(result.drafts)}
    for name in ("effective", "version", "party", "provider"):
        said = list(dict.fromkeys(_text(getattr(draft, name)) for draft in result.drafts))
        if any(said):
            found[name] = said[0] if len(said) == 1 else said
    withdrawn = [index for index, draft in enumerate(result.drafts) if draft.withdrawn]
    if withdrawn:
        found["withdrawn"] = withdrawn
    if result.issues.bad:
        found["held"] = True
    return found


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _issue(issue: Issue) -> dict[str, Any]:
    found = {"severity": issue.severity, "rule": issue.rule, "where": issue.where}
    return {key: value for key, value in found.items() if value}


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Each place where two JSON values differ, with both values."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in dict.fromkeys((*expected, *actual)):
            here = f"{path}.{key}" if path else str(key)
            if key not in actual:
                yield f"{here}: missing, expected {_short(expected[key])}"
            elif key not in expected:
                yield f"{here}: not expected, came {_short(actual[key])}"
            else:
                yield from differences(expected[key], actual[key], here)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            here = f"{path}[{index}]"
            if index >= len(actual):
                yield f"{here}: missing, expected {_short(expected[index])}"
            elif index >= len(expected):
                yield f"{here}: not expected, came {_short(actual[index])}"
            else:
                yield from differences(expected[index], actual[index], here)
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        yield f"{path}: expected {_short(expected)}, came {_short(actual)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def rendered(value: Any, indent: int = 0) -> str:
    """JSON for people: what fits on a line stands on a line."""
    flat = flat_json(value)
    if len(flat) + indent <= _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{pad}{json.dumps(key)}: {rendered(item, indent + 2)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + rendered(item, indent + 2) for item in value) + "\n" + " " * indent + "]"


def flat_json(value: Any) -> str:
    """JSON on one line, decimals as they are written."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {flat_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flat_json(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
