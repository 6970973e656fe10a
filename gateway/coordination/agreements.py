"""What the parties have agreed between them, read from `conformance/agreements/`: whose word counts, and the limits.

Facts that are not rules stand in those files; the functions that use them stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from gateway.definitions.shipped import folder


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a status: which may follow which, and which of them may be inferred when a report is missing."""

    first: frozenset[str]
    next: Mapping[str, tuple[str, ...]]
    inferred: tuple[str, ...]
    offered: frozenset[str]
    """Waiting for the owner's answer."""
    held: frozenset[str]
    """In the hands of the owner."""
    ended: frozenset[str]
    reoffered: frozenset[str]
    """Ended, but the same need may be offered to another."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What becomes of a resource that every source has withdrawn."""

    element: str
    becomes: str
    unless: frozenset[str]


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose word counts where sources differ, as tables."""

    responsible: Mapping[str, str | None]
    """The element that names the responsible party, by resource type."""
    elements: Mapping[str, str]
    """Elements where another party's word counts, with the element that names it."""
    progress: Mapping[str, tuple[str, ...]]
    moving: frozenset[str]
    """Elements that follow from time passing: an older value does not contradict a newer one."""
    merged: frozenset[str]
    """Elements that are agreed part by part."""
    standing: frozenset[str]
    """Types of what stands for long: a source's later word replaces its earlier one, element by element."""
    withdrawn: Mapping[str, Withdrawal]
    steps: Mapping[str, Steps]


@cache
def authority() -> Authority:
    """The shipped table of authority."""
    return read_authority(read("authority"))


def read(name: str) -> dict[str, Any]:
    """One of the shipped agreements as it stands in its file."""
    path = folder("conformance") / "agreements" / f"{name}.json"
    document: dict[str, Any] = orjson.loads(path.read_bytes())
    return document


def read_authority(document: Mapping[str, Any]) -> Authority:
    return Authority(
        responsible=document["responsible"],
        elements=document["elements"],
        progress={path: tuple(codes) for path, codes in document["progress"].items()},
        moving=frozenset(document["moving"]),
        merged=frozenset(document["merged"]),
        standing=frozenset(document["standing"]),
        withdrawn={
            name: Withdrawal(row["element"], row["becomes"], frozenset(row["unless"]))
            for name, row in document["withdrawn"].items()
        },
        steps={
            name: Steps(
                first=frozenset(row["first"]),
                next={status: tuple(codes) for status, codes in row["next"].items()},
                inferred=tuple(row["inferred"]),
                offered=frozenset(row["offered"]),
                held=frozenset(row["held"]),
                ended=frozenset(row["ended"]),
                reoffered=frozenset(row["reoffered"]),
            )
            for name, row in document["steps"].items()
        },
    )
