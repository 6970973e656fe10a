"""A mapping package in a folder of its own, for claims about what is done with packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.mapping import Package, Packages
from gateway.records import Source
from tests.mapping.maps import table

SOURCE = Source("example", "example", "Example", "SE1-S", "SE1-C")
RECEIVED = datetime(2026, 1, 15, tzinfo=UTC)
HEAD = "/// url = 'http://example.org/StructureMap/example'\n"
KINDS = table("http://example.org/ConceptMap/kinds", {"M": "male", "K": "female"})
MANIFEST = """
id: example
version: 1.0.0
title: An example
source: {format: json}
records:
  - {name: person, map: "http://example.org/StructureMap/example", key: number}
instance: {name: Example, hsa_id: SE1-S, controller: SE1-C}
"""


def package(
    folder: Path, rules: str, *, cases: Mapping[str, Any] | None = None, more: str = "", manifest: str = MANIFEST
) -> Package:
    """One group of these rules, from `src` to the Patient `pat`; cases by name with their JSON source."""
    own = folder / "example"
    (own / "conceptmaps").mkdir(parents=True, exist_ok=True)
    (own / "map.yaml").write_text(manifest, encoding="utf-8")
    (own / "example.fml").write_text(
        f"{HEAD}group Person(source src, target pat : Patient) {{\n{rules}\n}}\n{more}", encoding="utf-8"
    )
    (own / "conceptmaps/kinds.json").write_text(json.dumps(KINDS), encoding="utf-8")
    for name, source in (cases or {}).items():
        (own / "cases" / name).mkdir(parents=True, exist_ok=True)
        (own / "cases" / name / "source.json").write_text(json.dumps(source), encoding="utf-8")
    return Packages.load(folder)["example"]
