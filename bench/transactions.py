"""What a transaction costs for one entry: created, created on conditions with references, and updated.

    python -m bench.transactions                    both databases (PostgreSQL from Debian's package, on 127.0.0.1)
    python -m bench.transactions --database sqlite --entries 1000 --profile

Each Bundle is one request to a server in this process; CPU is this process's, client included: all of SQLite's.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource as process
import tempfile
from typing import Any

import orjson

from bench import databases
from gateway.access.caller import OPERATOR, Asking
from gateway.access.commands import Body, Command, Create, Matching, Update
from gateway.app import wire
from gateway.fhir.entries import read
from gateway.settings import Settings

BASE = "http://127.0.0.1/fhir"
ASKING = Asking(OPERATOR, "transaction")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    arguments.add_argument("--entries", type=int, default=1000)
    arguments.add_argument("--profile", action="store_true")
    given = arguments.parse_args()
    for name in given.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/bench.db" if name == "sqlite" else databases.postgresql()
            run(name, url, given.entries, profile=given.profile)


def run(name: str, url: str, count: int, *, profile: bool) -> None:
    gateway = wire(Settings(database_url=url, worker=False))
    kinds = {
        "created": bundle(count, lambda n: {"method": "POST", "url": "Observation"}, refer=False, named="a"),
        "created, each referring to another entry": bundle(
            count, lambda n: {"method": "POST", "url": "Observation"}, refer=True, named="b"
        ),
        "created where no identifier is": bundle(
            count,
            lambda n: {"method": "POST", "url": "Observation", "ifNoneExist": f"identifier=urn:bench|c-{n}"},
            refer=False,
        ),
        "found by their identifiers": bundle(
            count,
            lambda n: {"method": "POST", "url": "Observation", "ifNoneExist": f"identifier=urn:bench|c-{n}"},
            refer=False,
        ),
        "updated": bundle(
            count, lambda n: {"method": "PUT", "url": f"Observation/own-{n}"}, refer=False, own=True, named="d"
        ),
    }
    for what, sent in kinds.items():
        raw = orjson.dumps(sent)
        profiler = cProfile.Profile() if profile else None
        before = cpu()
        if profiler:
            profiler.enable()
        transact(gateway, raw)
        if profiler:
            profiler.disable()
        spent = cpu() - before
        print(f"{name}: {count} entries {what}: {spent / count * 1e6:.0f} µs CPU an entry", flush=True)
        if profiler:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
    gateway.close()


def transact(gateway: Any, raw: bytes) -> None:
    """What the interaction does, without HTTP."""
    door = gateway.door
    body = Body(raw)
    entries = read(door.parsed("Bundle", body), door.definitions, BASE)
    commands: dict[int, Command] = {}
    for entry in entries:
        resource = door.whole("Observation", entry.resource)
        if entry.method == "POST":
            condition = entry.conditions.get("ifNoneExist")
            wanted = Matching((("identifier", condition.partition("=")[2]),), BASE) if condition else None
            commands[entry.index] = Create(resource_type="Observation", resource=resource, if_none_exist=wanted)
        else:
            commands[entry.index] = Update(
                resource_type="Observation", target=entry.path.partition("/")[2], resource=resource
            )
    done, _ = door.transact(ASKING, body, commands, entries=entries, base=BASE, then=lambda inside: None)
    assert len(done) == len(entries)


def bundle(count: int, request: Any, *, refer: bool, own: bool = False, named: str = "c") -> dict[str, Any]:
    entries = []
    for number in range(count):
        resource: dict[str, Any] = {
            "resourceType": "Observation",
            "identifier": [{"system": "urn:bench", "value": f"{named}-{number}"}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systoliskt blodtryck"},
            "effectiveDateTime": "2026-03-02T08:15:00+01:00",
            "valueQuantity": {"value": 100 + number % 60, "unit": "mmHg", "system": "http://unitsofmeasure.org"},
        }
        if own:
            resource["id"] = f"own-{number}"
        if refer:
            resource["hasMember"] = [{"reference": urn((number + 1) % count)}]
        entries.append({"fullUrl": urn(number), "resource": resource, "request": request(number)})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def urn(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def cpu() -> float:
    used = process.getrusage(process.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
