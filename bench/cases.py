"""Our own validation cases beside HL7's validator: `python -m bench.cases FAMILY…` says where it differs.

A family is a file of `tests/validation/cases`, whose profiles and value sets HL7's is given too. What is printed is for
a person to judge by the specification.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import official
from gateway.errors import BadRequest
from gateway.fhir.json import parse
from tests.validation.test_cases import FAMILIES, URL, body, profiles

OUT = official.BUILT / "families"
SHOWN = 160


def main(names: list[str]) -> None:
    cases: dict[Path, tuple[str, dict[str, Any]]] = {}
    lines: list[str] = []
    for name in names or FAMILIES:
        family = FAMILIES[name]
        held = write_held(OUT / name, profiles(family))
        for place, case in enumerate(family["cases"]):
            file = OUT / name / f"{place:03}.json"
            file.write_bytes(claiming(body(case), case.get("profiles", ())))
            cases[file] = name, case
            lines.append(f"{file}\t{held}")
    told: dict[Path, list[str]] = defaultdict(list)
    for file, severity, place, text in official.run(lines, "validate"):
        if severity in ("ERROR", "FATAL"):
            told[Path(file)].append(f"{place} {text[:SHOWN]}")
    alike = 0
    for file, (name, case) in cases.items():
        if bool(told[file]) is bool(case.get("breaks")):
            alike += 1
            continue
        print(f"{name}: {case['case']}: " + ("HL7's refuses: " + told[file][0] if told[file] else "HL7's accepts"))
    print(f"{len(cases)} cases, of {alike} HL7's says the same: that they are broken, or right")


def write_held(folder: Path, resources: list[dict[str, Any]]) -> Path:
    """The profiles and value sets of a family; without those that stand on themselves, which end HL7's."""
    held = folder / "held"
    held.mkdir(parents=True, exist_ok=True)
    by_url = {one.get("url"): one for one in resources}
    for old in held.glob("*.json"):
        old.unlink()
    for place, one in enumerate(resources):
        way, base = {one.get("url")}, one.get("baseDefinition")
        while base in by_url and base not in way:
            way.add(base)
            base = by_url[base].get("baseDefinition")
        if "url" in one and base not in way:
            (held / f"{place:03}.json").write_text(json.dumps(one))
    return held


def claiming(raw: bytes, names: list[str]) -> bytes:
    """The body with its profiles in meta.profile, where it can be read."""
    if not names:
        return raw
    try:
        resource = parse(raw)
    except BadRequest:
        return raw
    meta = resource.setdefault("meta", {})
    meta["profile"] = [*meta.get("profile", ()), *(URL + name for name in names)]
    return json.dumps(resource, default=float).encode()


if __name__ == "__main__":
    main(sys.argv[1:])
