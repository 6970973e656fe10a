"""Bars, drawn as SVG by the template: what each stands for is beside it as text, and in the table below.

https://www.w3.org/TR/SVG2/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 8
"""More bars than this nobody compares at a glance; all are in the table."""
WIDTH: Final = 400
"""Of the drawing, in its own units."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, its name and its value in words; `width` is None where the value is not told."""

    label: str
    said: str
    width: float | None


def bars(rows: Iterable[tuple[str, float | None, str]], *, whole: float | None = None) -> Sequence[Bar]:
    """Label, value and what is said of it: the largest first, against `whole` or the largest."""
    return in_order(sorted(rows, key=lambda row: (row[1] is None, -(row[1] or 0), row[0]))[:MOST], whole=whole)


def in_order(found: Sequence[tuple[str, float | None, str]], *, whole: float | None = None) -> Sequence[Bar]:
    """The same of rows that stand in an order of their own, such as months."""
    most = whole or max((float(value) for _, value, _ in found if value is not None), default=0) or 1
    return [
        Bar(label, said, None if value is None else round(WIDTH * min(float(value) / most, 1), 1))
        for label, value, said in found
    ]
