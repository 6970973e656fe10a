"""The demo's script, read for its tests."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import formats
from gateway.issues import Issue, Issues
from gateway.mapping import MapResult, Packages
from gateway.records import Source

FOLDER = Path(__file__).parents[2] / "demo"
SCRIPT: dict[str, Any] = tomllib.loads((FOLDER / "demo.toml").read_text(encoding="utf-8"))
SOURCES = {
    id: Source(id=id, **facts)
    for id, facts in tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8"))["source"].items()
}
PACKAGES = Packages.shipped()


@dataclass(frozen=True, slots=True)
class Told:
    """A message of the demo, at its first receipt."""

    received: datetime
    source: Source
    path: Path

    def mapped(self) -> tuple[list[MapResult], list[Issue]]:
        package, body, issues = PACKAGES[self.source.package], self.path.read_bytes(), Issues()
        results = [
            package.apply(record, self.source, self.received, body=body)
            for record in formats.read(package.format, body, issues)
        ]
        return results, list(issues)


def receipts(message: dict[str, Any]) -> list[datetime]:
    received = message["received"]
    return received if isinstance(received, list) else [received]


def told(package: str | None = None) -> Iterator[Told]:
    for message in SCRIPT["message"]:
        source = SOURCES[message["source"]]
        if package in (None, source.package):
            yield Told(receipts(message)[0], source, FOLDER / message["file"])
