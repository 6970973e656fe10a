"""A mapping package that is changed between two messages: for replays, and for maps in a running gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.mapping import Packages

URL = "http://example.org/StructureMap/visits"
SYSTEM = "http://example.org/visit"
MANIFEST = """
id: visits
version: {version}
title: Visits
source: {{format: json}}
records:
  - {{name: visit, map: "{url}", key: "{key}", asOf: time}}
instance: {{name: Visits, hsa_id: SE1-V, controller: SE1-C, delivery: {delivery}}}
"""
STATUS = 'src.state as v -> enc.status = v "status";'
CLASS = "src -> enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'HH') \"class\";"
MAP = """/// url = '{url}'
group Visit(source src, target bundle : Bundle) {{
  src -> bundle.entry as e, e.resource = create('Encounter') as enc then {{
    src.id as v -> enc.identifier = id('{system}', v) "id";
    {rules}
  }} "encounter";
}}
"""


def write(
    folder: Path,
    *rules: str,
    version: str = "1",
    key: str = "id",
    delivery: str = "event",
    system: str = SYSTEM,
    case: bool = False,
) -> Packages:
    """The package as it is to be now, read anew."""
    own = folder / "visits"
    own.mkdir(parents=True, exist_ok=True)
    manifest = MANIFEST.format(version=version, url=URL, key=key, delivery=delivery)
    (own / "map.yaml").write_text(manifest, encoding="utf-8")
    text = MAP.format(url=URL, system=system, rules="\n    ".join(rules or (STATUS, CLASS)))
    (own / "visits.fml").write_text(text, encoding="utf-8")
    if case:
        below = own / "cases/planned"
        below.mkdir(parents=True, exist_ok=True)
        (below / "source.json").write_bytes(visits(("1", "planned")))
        (below / "expected.json").write_text(json.dumps({"drafts": [encounter("1", "planned")], "issues": []}))
    return Packages.load(folder)


def visits(*given: tuple[str, str], time: str = "2026-03-01T08:00:00+01:00") -> bytes:
    """A message: visits by id and state."""
    return json.dumps([{"id": id, "state": state, "time": time} for id, state in given]).encode()


def encounter(id: str, status: str) -> dict[str, Any]:
    """What the package makes of a visit."""
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": SYSTEM, "value": id}],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HH"},
    }
