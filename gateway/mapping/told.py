"""Answers about messages, for people as text and for machines as JSON: why something is empty, what is not read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from gateway.mapping.codes import UnmappedCode
from gateway.mapping.commands import RunReport
from gateway.mapping.compare import Comparison
from gateway.mapping.unread import Unread
from gateway.mapping.whynot import WhyNot


def why_nots(found: Iterable[WhyNot]) -> tuple[str, list[dict[str, Any]]]:
    """A record, how many of its drafts lack the element, and a line for each rule that could fill it."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    every = list(found)
    # A message holds other kinds of record too: those that neither have nor make such a resource are passed over.
    concerned = [one for one in every if one.drafts or one.candidates or one.issues] or every[:1]
    for one in concerned:
        lines.append(f"record {one.kind or 'unknown'} at {one.where}: {_state(one)}")
        lines += [f"  {issue}" for issue in one.issues]
        for candidate in one.candidates:
            label = f"{candidate.rule.file}:{candidate.rule.line} {candidate.rule.label} -> {candidate.path}"
            lines.append(f"  {label}" if candidate.reached else f"  {label}: never reached")
            for stop in candidate.stops:
                by = "" if stop.rule == candidate.rule else f"{stop.rule.file}:{stop.rule.line} {stop.rule.label}: "
                places = f" ({'; '.join(stop.where)})" if stop.where else ""
                lines.append(f"      {by}{stop.text}{places}")
        data.append(one.to_json())
    return "\n".join(lines) or "the file has no record", data


def _state(one: WhyNot) -> str:
    resource = one.path.partition(".")[0]
    if one.issues:
        return "it is not mapped"
    if one.drafts and one.filled == one.drafts:
        return f"{one.path} is filled" + (f" in all {one.drafts} drafts" if one.drafts > 1 else "")
    many = len(one.candidates)
    rules = f"{many} rule{'s' if many > 1 else ''} could fill it" if many else "no rule of the map writes it"
    if not one.drafts:
        return f"there is no {resource}; {rules}"
    if one.drafts == 1:
        return f"{one.path} is empty; {rules}"
    return f"{one.path} is empty in {one.drafts - one.filled} of {one.drafts} drafts; {rules}"


def unreads(reports: Iterable[tuple[str, Unread]]) -> tuple[str, list[dict[str, Any]]]:
    """For each package a line for each element that nothing reads: how many values, and where one stands."""
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for package, found in reports:
        lost = found.unread
        lines.append(
            f"{package}: {found.lost} of {found.values} values in {found.records} records are never read"
            + (f"; {found.held} records are not mapped" if found.held else "")
        )
        lines += [f"  {one.kind}  {one.shown}  {_times(one.count, one.values)}  {one.example}" for one in lost]
        data.append(
            {
                "package": package,
                "records": found.records,
                "notMapped": found.held,
                "values": found.values,
                "unreadValues": found.lost,
                "unread": [
                    {
                        "record": one.kind,
                        "path": one.shown,
                        "count": one.count,
                        "values": one.values,
                        "example": one.example,
                    }
                    for one in lost
                ],
            }
        )
    return "\n".join(lines), data


def _times(count: int, values: int) -> str:
    return f"{count} times" if count == values else f"{count} times, {values} values"


_NAMED = 5
"""Unread elements that are named behind a run; `coverage --unread` lists them all."""


def asked_next(found: RunReport, missed: Unread, source: str, file: str) -> list[str]:
    """Behind a run: what was not read, what came to nothing, and the commands that say why."""
    if any(issue.rule == "map-invalid" for _, result in found.records for issue in result.issues):
        return []  # Nothing was mapped, so nothing was read.
    lines: list[str] = []
    if names := [one.shown for one in missed.unread]:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"never read: {', '.join(names[:_NAMED])}{more}")
        lines.append(f"  where: samverka map coverage {found.package} --unread --file {shlex.quote(file)}")
    empty = [record for record, result in found.records if not (result.drafts or result.issues)]
    if empty:
        lines.append(f"nothing came of {len(empty)} of {len(found.records)} records: no rule found what it reads")
    lacking = (_LACKING.match(issue.text) for _, result in found.records for issue in result.issues)
    if path := next((match[1] for match in lacking if match), ""):
        lines.append(f"why {path} is empty: samverka map why-not {source} {shlex.quote(file)} {path}")
    return lines


_LACKING = re.compile(r"([A-Z][A-Za-z]+\.[a-z][A-Za-z]*) must be said")


def missing_codes(found: list[UnmappedCode]) -> tuple[str, list[dict[str, Any]]]:
    """A line for each code, the most frequent first."""
    lines = [
        f"{one.count:6}  {one.code or '(withheld)'}{f' of {one.system}' if one.system else ''}"
        f"  not in {one.table}  {one.rule}  {one.example}"
        for one in found
    ]
    return "\n".join(lines) or "every code is in its table", [one.to_json() for one in found]


def compared(found: Comparison) -> tuple[str, dict[str, Any]]:
    """How many records would differ, and a line for each sort of change, the most frequent first."""
    lines = [f"{found.differing} of {found.records} records would differ"]
    for kind, counts in sorted(found.drafts.items()):
        lines.append(f"{kind}: " + ", ".join(f"{count} {how}" for how, count in counts.items() if count))
    for one in found.sorted:
        values = f"  {one.values[0]} -> {one.values[1]}" if one.values else ""
        lines.append(f"{one.count:6}  {one.kind}  {one.path}  {one.example}{values}")
    changes = [one.to_json() for one in found.sorted]
    data = {"records": found.records, "differing": found.differing, "drafts": found.drafts, "changes": changes}
    return "\n".join(lines), data
