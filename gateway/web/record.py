"""A source record as a table that people can read: what each element is called, and where it stands in the source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.access.explain import SourceRecord
from gateway.access.facts import Fact
from gateway.records import Position
from gateway.web.texts import Language
from gateway.web.texts.elements import ELEMENTS

_INDEX = re.compile(r"\[\d+\]")
_ROW = re.compile(r"row (\d+)(?:, column (.+))?")
_WORDS = {
    "sv": {"line": "rad", "column": "tecken", "row": "rad", "cell": "kolumn"},
    "en": {"line": "line", "column": "column", "row": "row", "cell": "column"},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One element of the resource."""

    label: str
    fact: Fact


def table(record: SourceRecord, language: Language) -> tuple[Sequence[Row], Sequence[Row]]:
    """What was read from the record, in the order in which it stands there, and what the map sets by itself."""
    rows = [Row(label(fact.path, language), fact) for fact in record.facts]
    read = [row for row in rows if row.fact.mark and not _is_technical(row.fact.path)]
    return sorted(read, key=lambda row: row.fact.mark), [row for row in rows if row not in read]


def _is_technical(path: str) -> bool:
    """Whether the map says by it only under which name or in which register a value stands."""
    return path.rpartition(".")[2] in ("system", "url", "use", "type", "resourceType")


def label(path: str, language: Language) -> str:
    """What people call an element: by its whole path, else by the first step that has a name."""
    steps = _INDEX.sub("", path).split(".")[1:]
    for length in range(len(steps), 0, -1):
        if found := ELEMENTS.get(".".join(steps[:length])):
            return found[0 if language == "sv" else 1]
    return ""


def place(position: Position | None, language: Language) -> str:
    """`rad 12, tecken 5, PID-3.1`: a place in the source's own words."""
    if position is None:
        return ""
    words = _WORDS[language]
    if found := _ROW.fullmatch(position.path):
        return f"{words['row']} {found[1]}" + (f", {words['cell']} {found[2]}" if found[2] else "")
    parts = [] if position.line is None else [f"{words['line']} {position.line}"]
    if position.column is not None:
        parts.append(f"{words['column']} {position.column}")
    return ", ".join([*parts, position.path] if position.path else parts)
