"""Which rules and ConceptMap rows a package's cases use: a rule that no case fires is a promise nobody has checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.mapping import syntax
from gateway.mapping.cases import Case, cases
from gateway.mapping.package import Package
from gateway.mapping.syntax import Map

Place = tuple[str, int, int]
"""Map url, line, column: a rule as it stands in its file."""


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule of a map file, fired or not."""

    map: str
    group: str
    file: str
    line: int
    column: int
    text: str

    @property
    def place(self) -> Place:
        return self.map, self.line, self.column


@dataclass(slots=True)
class Coverage:
    """How often cases fire each rule, and which rows of ConceptMaps they use."""

    rules: list[WrittenRule] = field(default_factory=list)
    fired: dict[Place, int] = field(default_factory=dict)
    by_case: dict[str, set[Place]] = field(default_factory=dict)
    rows: dict[tuple[str, int], str] = field(default_factory=dict)
    """Every row of the package's own ConceptMaps, by table and number, with its code."""
    used_rows: set[tuple[str, int]] = field(default_factory=set)

    @property
    def missed(self) -> list[WrittenRule]:
        return [rule for rule in self.rules if not self.fired.get(rule.place)]

    @property
    def unused_rows(self) -> list[tuple[str, int]]:
        return [row for row in self.rows if row not in self.used_rows]

    def add(self, other: Coverage) -> None:
        """Take in what another package's cases fire: maps in common are used by several."""
        for place, count in other.fired.items():
            self.fired[place] = self.fired.get(place, 0) + count
        self.used_rows |= other.used_rows


def coverage(package: Package) -> Coverage:
    """What a package's cases use of the package's own maps and ConceptMaps."""
    found = Coverage(rules=list(written(package.maps)))
    found.rows = {(row.table, row.number): row.code for table in package.tables for row in table.rows}
    for case in cases(package):
        found.by_case[case.name] = _run(case, found)
    return found


def _run(case: Case, found: Coverage) -> set[Place]:
    fired: set[Place] = set()
    for _, result in case.results(traced=True)[0]:
        if result.trace is None:
            continue
        rules = result.trace.compiled.program.rules
        found.used_rows.update((row.table, row.number) for row in result.trace.rows)
        for number, *_ in result.trace.entries:
            rule = rules[number]
            place = (rule.map, rule.line, rule.column)
            found.fired[place] = found.fired.get(place, 0) + 1
            fired.add(place)
    return fired


def written(maps: Iterable[Map]) -> Iterator[WrittenRule]:
    """Every rule of some maps, nested ones too."""
    for found in maps:
        for group in found.groups:
            for rule in _all(group.rules):
                line, column = found.text.place(rule.span.start)
                text = found.text.line(line)[column - 1 :]
                yield WrittenRule(found.url, group.name, found.text.file, line, column, text)


def _all(rules: Iterable[syntax.Rule]) -> Iterator[syntax.Rule]:
    for rule in rules:
        yield rule
        yield from _all(rule.rules)
