"""The tables under `r4/`: lines of `key TAB JSON`, each parsed when it is first asked for.

Made by `scripts/build-definitions` from hl7.fhir.r4.core#4.0.1 (CC0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")

FOLDER = Path(__file__).parent / "r4"


class Table(Mapping[str, T], Generic[T]):
    """Rows built on first use. Building twice in two threads is harmless: rows are values."""

    __slots__ = ("_build", "_built", "_lines")

    def __init__(self, lines: Mapping[str, Any], build: Callable[[str, Any], T]) -> None:
        self._lines = lines
        self._build = build
        self._built: dict[str, T] = {}

    def __getitem__(self, key: str) -> T:
        try:
            return self._built[key]
        except KeyError:
            line = self._lines[key]
            row = orjson.loads(line) if isinstance(line, bytes) else line
            built = self._built[key] = self._build(key, row)
            return built

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def lines(name: str) -> dict[str, bytes]:
    """The unparsed rows of a shipped table, by key."""
    rows: dict[str, bytes] = {}
    for line in (FOLDER / f"{name}.tsv").read_bytes().splitlines():
        key, _, row = line.partition(b"\t")
        rows[key.decode()] = row
    return rows
