"""smart-fetch, a client for bulk exports, against the server at the address given: types, a group, since a time."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

FHIR = {"content-type": "application/fhir+json"}
PATIENTS = 20
"""Every second one has an observation that is final."""
IN_GROUP = 6


def stored(base: str) -> None:
    """Patients with an observation each, the first ones in a group."""
    members = [{"entity": {"reference": f"Patient/bulk-{number}"}} for number in range(IN_GROUP)]
    group = {"resourceType": "Group", "id": "bulk", "type": "person", "actual": True, "member": members}
    put(base, *(one for number in range(PATIENTS) for one in record(number)), group)


def record(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    observation = {
        "resourceType": "Observation",
        "id": f"bulk-{number}",
        "status": "final" if number % 2 else "amended",
        "code": {"text": "weight"},
        "subject": {"reference": f"Patient/bulk-{number}"},
    }
    return {"resourceType": "Patient", "id": f"bulk-{number}"}, observation


def put(base: str, *resources: dict[str, Any]) -> None:
    with httpx.Client(base_url=base, headers=FHIR, timeout=60) as client:
        for one in resources:
            client.put(f"/{one['resourceType']}/{one['id']}", json=one).raise_for_status()


def fetched(base: str, *options: str) -> set[str]:
    """What an export brings, as Type/id; each resource once."""
    command = [str(Path(sys.executable).with_name("smart-fetch")), "bulk", "--no-default-filters", "--fhir-url", base]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, *options, folder], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        files = [gzip.decompress(file.read_bytes()) for file in Path(folder).glob("*.ndjson.gz")]
    lines = [json.loads(line) for file in files for line in file.splitlines()]
    found = [f"{one['resourceType']}/{one['id']}" for one in lines]
    assert len(found) == len(set(found))
    return {one for one in found if "/bulk" in one}


def main(base: str) -> None:
    stored(base)
    numbers = range(PATIENTS)
    everybody = {f"{kind}/bulk-{number}" for kind in ("Patient", "Observation") for number in numbers}
    assert fetched(base, "--type", "Patient,Observation") == everybody
    print("of two types, kick-off, status, manifest, files")

    asked = ("--group", "bulk", "--type", "Patient,Observation", "--type-filter", "Observation?status=final")
    grouped = {f"Patient/bulk-{number}" for number in range(IN_GROUP)}
    assert fetched(base, *asked) == grouped | {f"Observation/bulk-{number}" for number in range(1, IN_GROUP, 2)}
    print("of a group, with a filter")

    since = datetime.now(UTC).isoformat()
    changed = record(3)[1] | {"status": "corrected"}
    put(base, changed)
    assert fetched(base, "--type", "Observation", "--since", since, "--since-mode", "updated") == {"Observation/bulk-3"}
    print("since a time")


main(sys.argv[1])
