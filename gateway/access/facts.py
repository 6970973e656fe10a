"""What a traced mapping made of a record, as facts: each value with its rule and the text it was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.access.spans import Span, innermost, value_span
from gateway.formats import Kind
from gateway.mapping import Package
from gateway.mapping.explain import Explained
from gateway.records import Position


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of the resource, what wrote it, and from where. `mark` is the stretch of the text that it was read
    from; without one, the map sets it."""

    path: str
    value: str
    rule: str
    map_line: str
    map_text: str
    place: Position | None
    table: str = ""
    mark: int = 0


def facts_of(
    made: Sequence[Explained], package: Package, body: bytes, record: Span
) -> tuple[tuple[Fact, ...], dict[Span, int]]:
    """The values as people read them, and the stretches they were read from, numbered in the order of the text."""
    places = [_bare(one.position, package.format.kind, body, record) for one in made]
    marks = {span: number for number, span in enumerate(innermost(span for span in places if span), 1)}
    facts = tuple(
        Fact(
            path=one.path,
            value=told,
            rule=one.rule.label.strip('"'),
            map_line=one.map_line,
            map_text=_line_of(package.files, one.rule.file, one.rule.line),
            place=one.position if span in marks else None,
            table=_row(one),
            mark=marks.get(span, 0) if span else 0,
        )
        for one, span in zip(made, places, strict=True)
        if (told := _told(one.value))
    )
    used = {fact.mark for fact in facts}
    return facts, {span: mark for span, mark in marks.items() if mark in used}


def _bare(place: Position | None, kind: Kind, body: bytes, record: Span) -> Span | None:
    if place is None or place.start is None or place.end is None:
        return None
    return value_span(kind, body, (place.start, place.end), record)


def _line_of(files: Mapping[str, str], name: str, line: int) -> str:
    found = files.get(name, "").splitlines()
    return found[line - 1].strip() if 0 < line <= len(found) else ""


def _row(one: Explained) -> str:
    if one.row is None:
        return ""
    return f"{one.row.table.rpartition('/')[2]}: {one.row.code} → {one.row.target_code or one.row.display or ''}"


def _told(value: Any) -> str:
    """A value in words; empty for what only holds other values, which are told by themselves."""
    if isinstance(value, dict):
        coding = (value.get("coding") or [value])[0]
        return str(coding.get("display") or coding.get("code") or value.get("text") or "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
