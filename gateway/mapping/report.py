"""Reports on packages, for people as text and for machines as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.formats import Record
from gateway.mapping.cases import CaseReport, flat_json, rendered
from gateway.mapping.commands import CheckReport, RunReport
from gateway.mapping.coverage import Coverage
from gateway.mapping.explain import Explained
from gateway.mapping.mutate import MutationReport

SHOWN = 20
"""Differences of a case that are listed; the rest is counted."""
A_CASE = "put a message into cases/NAME/source.EXT of the package, and run samverka map test with --update"


def checks(reports: Iterable[CheckReport]) -> tuple[str, list[dict[str, Any]], bool]:
    """Text, JSON, and whether all is well."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    well = True
    for report in reports:
        well = well and report.passed
        state = "ok" if report.passed else counted(len(report.problems), "problem", "problems")
        maps = counted(report.maps, "map", "maps")
        records = counted(report.records, "kind of record", "kinds of record")
        lines.append(f"{report.package}: {maps}, {records}: {state}")
        lines += [str(problem) for problem in report.problems]
        problems = [problem.to_issue().to_json() for problem in report.problems]
        data.append({"package": report.package, "maps": report.maps, "problems": problems})
    return "\n".join(lines), data, well


def counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def tests(reports: Iterable[CaseReport]) -> tuple[str, list[dict[str, Any]], bool]:
    """Text, JSON, and whether every case holds."""
    found = list(reports)
    lines: list[str] = []
    for report in found:
        lines.append(f"{'ok  ' if report.passed else 'FAIL'} {report.name}: {report.title}")
        lines += [f"       {difference}" for difference in report.differences[:SHOWN]]
        if len(report.differences) > SHOWN:
            lines.append(f"       and {len(report.differences) - SHOWN} more")
    failed = sum(not report.passed for report in found)
    lines.append(f"{counted(len(found), 'case', 'cases')}, {failed} failed" if found else f"no case: {A_CASE}")
    data = [{"case": r.name, "title": r.title, "passed": r.passed, "differences": r.differences} for r in found]
    return "\n".join(lines), data, bool(found) and not failed


def covered(reports: Iterable[tuple[str, Coverage]]) -> tuple[str, list[dict[str, Any]], bool]:
    """Text, JSON, and whether every rule is fired."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    well = True
    for package, found in reports:
        missed, unused = found.missed, found.unused_rows
        well = well and not missed
        lines.append(
            f"{package}: {len(found.rules) - len(missed)} of {len(found.rules)} rules fired, "
            f"{len(found.rows) - len(unused)} of {len(found.rows)} ConceptMap rows used"
        )
        if found.by_case:
            lines += [f"  not fired  {rule.file}:{rule.line}:{rule.column}  {rule.text.strip()}" for rule in missed]
            lines += [f"  not used   {row[0]} row {row[1]} ({found.rows[row]})" for row in unused]
        else:
            lines.append(f"  no case: {A_CASE}")
        data.append(
            {
                "package": package,
                "rules": len(found.rules),
                "missed": [f"{rule.file}:{rule.line}:{rule.column}" for rule in missed],
                "rows": len(found.rows),
                "unusedRows": [f"{table}#{number}" for table, number in unused],
            }
        )
    return "\n".join(lines), data, well


def altered(
    reports: Iterable[tuple[str, MutationReport]], *, least: float = 0.9
) -> tuple[str, list[dict[str, Any]], bool]:
    """Text, JSON, and whether enough rules are held by a case."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    well = True
    for package, found in reports:
        well = well and found.rule_share >= least
        lines.append(
            f"{package}: {len(found.noticed)} of {found.total} alterations noticed; "
            f"{found.rule_share:.1%} of the rules cannot be altered unnoticed"
        )
        lines += [f"  unnoticed  {mutant}" for mutant in found.survived] if found.cases else [f"  no case: {A_CASE}"]
        data.append(
            {
                "package": package,
                "alterations": found.total,
                "noticed": len(found.noticed),
                "share": round(found.share, 4),
                "ruleShare": round(found.rule_share, 4),
                "unnoticed": [str(mutant) for mutant in found.survived],
            }
        )
    return "\n".join(lines), data, well


def explained(found: Iterable[tuple[Record, list[Explained]]]) -> tuple[str, list[dict[str, Any]]]:
    """A line for each value: path, rule, map line, place in the message, ConceptMap row."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for record, values in found:
        lines.append(f"record {record.kind or 'unknown'} at {record.position}")
        for one in values:
            said = "" if one.value is None else f" = {flat_json(one.value)}"
            origin = f" <- {one.position}" if one.position else ""
            through = f" via {one.row.table.rpartition('/')[2]} row {one.row.number}" if one.row else ""
            lines.append(f"  [{one.draft}] {one.path}{said} <- {one.map_line} {one.rule.label}{origin}{through}")
        data.append({"record": record.kind, "where": str(record.position), "values": [v.to_json() for v in values]})
    return "\n".join(lines), data


def ran(report: RunReport) -> tuple[str, dict[str, Any]]:
    """Drafts as JSON, issues as lines."""
    lines: list[str] = []
    for (record, result), found in zip(report.records, report.found, strict=True):
        key = f" {result.key}" if result.key else ""
        lines.append(f"record {record.kind or 'unknown'}{key} at {record.position}")
        lines += [rendered(draft.resource) for draft in result.drafts]
        lines += [f"  {i.severity} {i.rule}: {i.text} ({i.where})" for i in result.issues]
        lines += [f"    {one.target}: {flat_json(one.value)}" for one in found if one.value is not None]
    lines += [f"{i.severity} {i.rule}: {i.text} ({i.where})" for i in report.issues]
    return "\n".join(lines), report.to_json()
