"""CPU per validation, ours beside others in one run: `python -m bench.validation EXAMPLES` (a folder of R4 examples).

Microseconds from JSON text to verdict, best of several rounds: the structural check of every write, all of `$validate`
(invariants, codes, references, R4's profiles), the same with a profile; fhir.resources (R4B models); fhirkit-rs where
it is installed (bench/requirements.txt); HL7's validator, warm, where Java and Maven are (CPU of its thread).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import process_time_ns
from typing import Any

from bench import official
from bench.machine import described
from gateway.definitions import load
from gateway.fhir.check import check
from gateway.fhir.json import parse
from gateway.terminology import Terminology
from gateway.validation import Surroundings, Wanted, validate

NAMES = (
    "CarePlan-f002",
    "CarePlan-integrate",
    "Task-example1",
    "Encounter-example",
    "Encounter-f203",
    "Patient-f201",
    "Bundle-bundle-request-simplesummary",
    "Bundle-lipids",
)
PROFILE = "http://example.org/fhir/StructureDefinition/told"
ROUNDS = 15


def main(folder: Path) -> None:
    files = [folder / f"{name}.json" for name in NAMES]
    columns: dict[str, dict[Path, float]] = {}
    for name, validating in (*ours().items(), *others().items()):
        columns[name] = {file: best(validating, file.read_bytes()) for file in files}
    if shutil.which("mvn") and shutil.which("java"):
        columns["HL7's, warm"] = {file: float(cost) for file, cost in official.timed(files, 60).items()}
    for key, value in described().items():
        print(f"{key}: {value}")
    print(f"fhir.resources {version('fhir.resources')}; µs of CPU per validation\n")
    print("| resource | bytes | " + " | ".join(columns) + " |")
    print("|---|---:|" + "---:|" * len(columns))
    for file in files:
        print(
            f"| {file.stem} | {file.stat().st_size} | " + " | ".join(f"{c[file]:,.0f}" for c in columns.values()) + " |"
        )


def best(validating: Callable[[bytes], object], body: bytes) -> float:
    validating(body)
    least = float("inf")
    for _ in range(ROUNDS):
        before = process_time_ns()
        for _ in range(3):
            validating(body)
        least = min(least, (process_time_ns() - before) / 3000)
    return least


def ours() -> dict[str, Callable[[bytes], object]]:
    d = load()
    around = Surroundings(d, Terminology(d), datetime.now(UTC), told)
    return {
        "structure": lambda body: check(parse(body), d),
        "$validate": lambda body: validate(parse(body), around),
        "with a profile": lambda body: held(parse(body), around),
    }


def held(resource: dict[str, Any], around: Surroundings) -> object:
    return validate(resource, around, Wanted((f"{PROFILE}-{resource['resourceType']}",)))


def told(canonical: str) -> dict[str, Any] | None:
    """A profile of each type that holds next to nothing: what profiles cost before they ask for anything."""
    if not canonical.startswith(PROFILE):
        return None
    kind = canonical.rpartition("-")[2]
    base = f"http://hl7.org/fhir/StructureDefinition/{kind}"
    elements = [{"id": kind, "path": kind}, {"id": f"{kind}.language", "path": f"{kind}.language", "max": "1"}]
    return {
        "resourceType": "StructureDefinition",
        "url": canonical,
        "name": "Told",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": kind,
        "derivation": "constraint",
        "baseDefinition": base,
        "differential": {"element": elements},
    }


def others() -> dict[str, Callable[[bytes], object]]:
    from fhir.resources.R4B import get_fhir_model_class

    def resources(body: bytes) -> object:
        raw = import_module("orjson").loads(body)
        try:
            return get_fhir_model_class(raw["resourceType"]).model_validate(raw)
        except ValueError as error:
            return error

    found: dict[str, Callable[[bytes], object]] = {"fhir.resources": resources}
    try:
        kit = import_module("fhirkit")
    except ImportError:
        print("fhirkit-rs is not installed: pip install -r bench/requirements.txt", file=sys.stderr)
        return found
    return found | {"fhirkit-rs": lambda body: kit.validate(body)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
