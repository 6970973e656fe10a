"""What the workbench shows: source, map and output as lines that light up together, and the step that is looked at.

Values in; nothing is decided or mapped here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from gateway.access.bench import Bench
from gateway.access.spans import Line, Span, innermost, lines, value_span
from gateway.mapping.problems import Problem
from gateway.mapping.workbench import Step, Worked
from gateway.records import Position

Look = Literal["", "read", "unread", "at"]
SHOWN = 256 * 1024
"""Bytes of a message that are shown."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a stretch of the source is: where a click leads, and how it looks."""

    look: Look
    step: int | None = None


@dataclass(frozen=True, slots=True)
class MapLine:
    """A line of a map: `step` is the first of its rule's, `at` that the step looked at is of this line."""

    number: int
    text: str
    step: int | None
    at: bool
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line of a draft as JSON; `pending` where the step that writes it is still to come."""

    depth: int
    before: str
    value: str
    after: str
    step: int | None = None
    at: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One record on the bench, seen at one of its steps; `step` is None before the first is chosen."""

    bench: Bench
    record: int
    step: int | None
    file: str

    @property
    def worked(self) -> Worked | None:
        tried = self.bench.tried
        return tried.records[self.record] if tried and self.record < len(tried.records) else None

    @property
    def at(self) -> Step | None:
        return self.worked.steps[self.step] if self.worked and self.step is not None else None

    @property
    def files(self) -> Sequence[str]:
        return list(self.bench.package.own_files)

    @property
    def text(self) -> str:
        """The open file as it is being edited."""
        return self.bench.edited.get(self.file, self.bench.package.own_files[self.file])

    @property
    def source_text(self) -> str:
        return self.bench.body.decode(self.bench.sample.encoding, "replace")

    def marks(self) -> tuple[dict[Span, int], list[Mark]]:
        """The stretches of the source with a meaning, each with its number, and what the numbers mean."""
        meaning = [Mark("")]
        marks: dict[Span, int] = {}
        worked = self.worked
        if worked is None:
            return marks, meaning
        found: dict[Span, Mark] = {}
        for place in worked.unread:
            if span := self._span(place, worked):
                found[span] = Mark("unread")
        for index, step in enumerate(worked.steps):
            span = self._span(step.place, worked) if step.written else None
            if span and found.get(span, meaning[0]).step is None:
                found[span] = Mark("read", index)
        if self.at and (span := self._span(self.at.place, worked)):
            found[span] = Mark("at", self.step)
        for span in innermost(found):
            meaning.append(found[span])
            marks[span] = len(meaning) - 1
        return marks, meaning

    def _span(self, place: Position | None, worked: Worked) -> Span | None:
        if place is None or place.start is None or place.end is None:
            return None
        here = (place.start, place.end)
        found = value_span(self.bench.package.format.kind, self.bench.body, here, worked.record.span)
        return found if found and found[0] < found[1] else None

    def source_lines(self, marks: Mapping[Span, int]) -> Iterator[Line]:
        body = self.bench.body
        return lines(body, (0, min(len(body), SHOWN)), marks, self.bench.sample.encoding)

    def map_lines(self) -> Iterator[MapLine]:
        """The open file, with its problems under the lines that have them."""
        first: dict[int, int] = {}
        for index, step in enumerate(self.worked.steps if self.worked else ()):
            if step.rule.file == self.file:
                for number in range(step.lines[0], step.lines[1] + 1):
                    first.setdefault(number, index)
        at = self.at
        lit = range(at.lines[0], at.lines[1] + 1) if at and at.rule.file == self.file else range(0)
        for number, text in enumerate(self.text.splitlines(), start=1):
            wrong = tuple(p for p in self.bench.problems if p.file == self.file and p.line == number)
            yield MapLine(number, text, first.get(number), number in lit, wrong)

    def elsewhere(self) -> list[Problem]:
        """Problems in files that are not open."""
        return [problem for problem in self.bench.problems if problem.file != self.file]

    def output(self) -> list[list[OutputLine]]:
        """Each draft as lines of JSON."""
        worked = self.worked
        if worked is None:
            return []
        return [
            list(self._lines(worked, index, draft, str(draft["resourceType"]), 0, "", ""))
            for index, draft in enumerate(worked.drafts)
        ]

    def _lines(
        self, worked: Worked, draft: int, value: Any, path: str, depth: int, before: str, after: str
    ) -> Iterator[OutputLine]:
        if isinstance(value, dict | list) and value:
            opening, closing = "{}" if isinstance(value, dict) else "[]"
            items = _items(value, path)
            yield OutputLine(depth, before + opening, "", "")
            for index, (name, below, item) in enumerate(items):
                comma = "," if index < len(items) - 1 else ""
                yield from self._lines(worked, draft, item, below, depth + 1, name, comma)
            yield OutputLine(depth, closing + after, "", "")
            return
        step = worked.writer(draft, path)
        pending = self.step is not None and step is not None and step > self.step
        yield OutputLine(depth, before, _shown(value), after, step, step is not None and step == self.step, pending)


def _items(value: dict[str, Any] | list[Any], path: str) -> list[tuple[str, str, Any]]:
    if isinstance(value, dict):
        return [(f"{json.dumps(key)}: ", f"{path}.{key}", item) for key, item in value.items()]
    return [("", f"{path}[{index}]", item) for index, item in enumerate(value)]


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
