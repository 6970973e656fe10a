"""What a resource costs on its way in and out: `python -m bench.resources` (CPU, best of seven rounds).

Loading the definitions, the structural check, FHIR XML read and written, on a synthetic Patient of 3 kB.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.machine import described
from gateway.definitions import load
from gateway.definitions.snapshot import Shipped
from gateway.fhir import json, xml
from gateway.fhir.check import check

NAME = {"use": "official", "family": "Tolvansson", "given": ["Tolvan", "T"], "period": {"start": "2020-01-01"}}
ADDRESS = {"use": "home", "line": ["Gatan 1", "c/o T"], "city": "Skövde", "postalCode": "54100"}
TELECOM = {"system": "phone", "value": "0500-123", "use": "home", "rank": 1}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:oid:1.2", "value": "1"}] * 5,
    "active": True,
    "name": [NAME] * 9,
    "telecom": [TELECOM] * 5,
    "gender": "female",
    "birthDate": "1970-01-01",
    "address": [ADDRESS] * 9,
    "contact": [{"name": NAME, "telecom": [TELECOM]}] * 3,
    "generalPractitioner": [{"reference": "Practitioner/1"}] * 3,
}


def micros(work: Callable[[], object], times: int = 100) -> float:
    """CPU of one call."""
    rounds = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - begun) / times)
    return min(rounds) * 1e6


def main() -> None:
    definitions = load()
    as_json, as_xml = json.dump(PATIENT), xml.dump(PATIENT, definitions)
    console = Console()
    for name, value in described().items():
        console.print(f"{name}: {value}")
    table = Table("what", "µs CPU")
    for what, took in (
        ("load the definitions", micros(Shipped, 1)),
        ("read JSON", micros(lambda: json.parse(as_json))),
        ("check the structure", micros(lambda: check(PATIENT, definitions))),
        ("read XML", micros(lambda: xml.parse(as_xml, definitions))),
        ("write XML", micros(lambda: xml.dump(PATIENT, definitions))),
    ):
        table.add_row(what, f"{took:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
