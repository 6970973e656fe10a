"""What is counted of a Measure as case after case comes by: a few numbers a cell, however many cases there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from gateway.coordination.measures.cases import POPULATIONS, UNKNOWN, Case, Value
from gateway.coordination.measures.definition import Definition, Group

TENTHS: Final = 10
"""Minutes are kept in tenths: no source tells a time that is finer than a few seconds."""
LONGEST: Final = 400 * 24 * 60 * TENTHS
"""What takes longer is told as so long: that bounds what is kept."""


@dataclass(slots=True)
class Cell:
    """The cases of one stratum: how many, how many count, and how long those took."""

    every: int = 0
    counted: int = 0
    tenths: Counter[int] = field(default_factory=Counter)

    def add(self, case: Case, group: Group) -> None:
        self.every += 1
        if group.counted is not None and group.counted not in case.populations:
            return
        self.counted += 1
        if group.observation is not None:
            self.tenths[min(round(case.minutes[group.observation] * TENTHS), LONGEST)] += 1

    def quantile(self, share: float) -> float:
        """The minutes that no more than so large a share took: the nearest rank; halfway between two for the half."""
        total = sum(self.tenths.values())
        rank = share * total
        if share == 0.5 and total % 2 == 0:
            return (self._at(total // 2) + self._at(total // 2 + 1)) / 2 / TENTHS
        return self._at(ceil(rank)) / TENTHS

    def _at(self, rank: int) -> int:
        seen = 0
        for tenths in sorted(self.tenths):
            seen += self.tenths[tenths]
            if seen >= rank:
                return tenths
        raise ValueError("there is no case of this rank")


@dataclass(slots=True)
class Table:
    """One group: the total, and by dimension the cell of each value. Each case is in one cell of a dimension.

    Groups that differ by their statistic alone have the same cells.
    """

    group: Group
    total: Cell = field(default_factory=Cell)
    strata: dict[str, dict[Value, Cell]] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """A Measure that is being counted, divided by those of its dimensions that are asked for."""

    definition: Definition
    tables: list[Table] = field(init=False)
    dimensions: frozenset[str] | None = None
    """As a caller names them; None: all."""
    _counted: Mapping[str, Sequence[Table]] = field(init=False)
    """By kind of case, the tables that it may be in; those that share their cells once."""
    _names: dict[tuple[str, str], Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = []
        apart: dict[Hashable, Table] = {}
        for group in self.definition.groups:
            named = tuple((code, dimension) for _, code, dimension in group.stratifiers)
            table = Table(group)
            table.strata = {of: {} for code, of in named if self.dimensions is None or code in self.dimensions}
            same = apart.setdefault((group.every, group.counted, group.observation, named), table)
            table.total, table.strata = same.total, same.strata
            self.tables.append(table)
        self._counted = {
            kind: [one for one in apart.values() if one.group.every in names] for kind, names in POPULATIONS.items()
        }

    def add(self, kind: str, case: Case) -> None:
        """A case of a kind: a key of POPULATIONS."""
        for table in self._counted[kind]:
            group = table.group
            if group.every not in case.populations:
                continue
            # Of times, those that took none are no cases: see `definition.py`.
            if group.observation is not None and group.observation not in case.minutes:
                continue
            table.total.add(case, group)
            for dimension, cells in table.strata.items():
                value = self._one(case.dimensions.get(dimension, UNKNOWN))
                cell = cells.get(value)
                if cell is None:
                    cell = cells[value] = Cell()
                cell.add(case, group)

    def _one(self, value: Value) -> Value:
        """The same code is the same stratum, whatever it was called last."""
        key = (value.system, value.code)
        return self._names.get(key) or self._names.setdefault(key, value)


def add_all(tallies: Iterable[Tally], found: Iterable[tuple[str, Case]]) -> None:
    every = list(tallies)
    for kind, case in found:
        for tally in every:
            tally.add(kind, case)
