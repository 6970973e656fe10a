"""Which cells of a table are not told: those of 1 to 4, and as many more as keep those from being computed.

A table is a total and the cells that it is divided into; its reader knows the total, every cell that is told, which
cells are not, and that none of those is empty. He must not be able to say of any of them that it is not 1, 2, 3, 4 or
5: so at least two are not told, and together they hold at least five more than one each leaves over.

Where some of a cell's cases count (a share), both those that do and those that do not are numbers of persons.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

LEAST: Final = 5
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Part:
    """The cases of a cell, and how many of them count."""

    every: int
    counted: int

    @property
    def rest(self) -> int:
        return self.every - self.counted


@dataclass(frozen=True, slots=True)
class Told(Generic[K]):
    """What is told of a table. Where `strata` is None, not even which there are."""

    total: bool
    counted: bool
    """Of the total: how many count."""
    strata: Mapping[K, bool] | None
    """The cells whose number of cases is told are True."""
    shares: frozenset[K]
    """Those of them of which it is told how many count."""


def is_small(number: int) -> bool:
    return 0 < number < LEAST


def is_risky(part: Part) -> bool:
    """Whether the share of a cell names a few."""
    return is_small(part.counted) or is_small(part.rest)


def suppress(total: Part, strata: Mapping[K, Part]) -> Told[K]:
    """What may be told of a total and of the cells that it is divided into."""
    if is_small(total.every):
        return Told(False, False, None, frozenset())
    hidden = _hidden(strata)
    if hidden is None:
        return Told(True, not is_risky(total), None, frozenset())
    shares = _shares(total, strata, hidden)
    return Told(True, not is_risky(total), {key: key not in hidden for key in strata}, shares)


def _hidden(strata: Mapping[K, Part]) -> set[K] | None:
    """The cells whose number is not told; None where no choice of them keeps the small ones."""
    hidden = {key for key, part in strata.items() if is_small(part.every)}
    rest = _by_size(strata, hidden)
    while hidden and not (len(hidden) > 1 and _sum(strata, hidden).every >= len(hidden) + LEAST - 1):
        if not rest:
            return None
        hidden.add(rest.pop(0))
    return hidden


def _shares(total: Part, strata: Mapping[K, Part], hidden: set[K]) -> frozenset[K]:
    """The cells of which it is told how many count."""
    kept = hidden | {key for key, part in strata.items() if is_risky(part)}
    if not is_risky(total):  # Else it is not told, and nothing can be taken from it.
        rest = _by_size(strata, kept)
        while kept and not _is_open(strata, kept):
            if not rest:
                break
            kept.add(rest.pop(0))
        if kept and not _is_open(strata, kept):
            return frozenset()
    return frozenset(strata.keys() - kept)


def _is_open(strata: Mapping[K, Part], kept: set[K]) -> bool:
    """Whether any of these cells may have as few, or as many, that count as it pleases."""
    left = _sum(strata, kept)
    if len(kept) < 2 or is_small(left.counted) or is_small(left.rest):
        return False
    for key in kept:
        part = strata[key]
        others = left.every - part.every
        low, high = max(0, left.counted - others), min(part.every, left.counted)
        if high - low < min(LEAST - 1, part.every):
            return False
    return True


def _by_size(strata: Mapping[K, Part], without: set[K]) -> list[K]:
    """The smallest first; of one size, in the order in which they stand."""
    return sorted((key for key in strata if key not in without), key=lambda key: strata[key].every)


def _sum(strata: Mapping[K, Part], keys: set[K]) -> Part:
    return Part(sum(strata[key].every for key in keys), sum(strata[key].counted for key in keys))
