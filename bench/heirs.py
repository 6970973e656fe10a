"""What it costs that a unit closes: its open Tasks, each of another person, pass to the heir by the gap watch.

    python -m bench.heirs [--tasks 10000] [--database sqlite|postgresql]...

The clock is passed in. The unit's last day is told and has passed, and the watch goes step by step until it has nothing
to do: CPU of all steps (of the process; a PostgreSQL's own is beside), the longest step, and the most memory that the
process had. In the end every Task is the heir's, or it says how many are not.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import machine
from bench.watch import NAMES, RANGE, Clock, _database
from bench.watched import PROVIDER, said, unit
from gateway.access.watching import Place
from gateway.app import Gateway, settle, wire
from gateway.definitions import CANONICAL
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.settings import Settings

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
LAST = "2026-03-04"
DAY_AFTER = datetime(2026, 3, 4, 23, 0, 1, tzinfo=UTC)
"""Swedish midnight has passed."""
CLOSES, HEIR = "SE2321000131-T0100", "SE2321000131-T0200"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run; CPU and longest step in seconds."""

    database: str
    tasks: int
    steps: int
    cpu: float
    longest: float
    wall: float
    megabytes: float
    left: int

    def line(self) -> str:
        figures = f"{self.cpu:8.1f} {1000 * self.cpu / self.tasks:8.2f} {self.longest:8.2f} {self.wall:8.1f}"
        return f"{self.database:10} {self.tasks:7} {self.steps:6} {figures} {self.megabytes:8.0f} {self.left:6}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--database", action="append", choices=NAMES)
    given = parser.parse_args()
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    names = ("CPU, s", "ms each", "longest", "wall, s", "MB", "left")
    print(f"{'database':10} {'tasks':>7} {'steps':>6} " + " ".join(f"{name:>8}" for name in names))
    for name in given.database or NAMES:
        with TemporaryDirectory() as folder:
            print(_measured(name, Path(folder), given.tasks).line(), flush=True)


def _measured(name: str, folder: Path, tasks: int) -> Measured:
    with _database(name, folder) as (url, _):
        clock = Clock()
        clock.now = BEGIN
        gateway = wire(Settings(database_url=url, worker=False), clock)
        settle()
        _load(gateway, tasks, BEGIN)
        place, _ = _watched(gateway, Place())  # What is there before: nobody is looked at for it again.
        clock.now = DAY_AFTER
        _record(gateway, [_organisation(CLOSES, DAY_AFTER, last=LAST)], DAY_AFTER)
        began, wall = time.process_time(), time.monotonic()
        _, steps = _watched(gateway, place)
        spent, passed = time.process_time() - began, time.monotonic() - wall
        left = gateway.store.read(
            lambda uow: sum(_is_of(one.resource(), CLOSES) for one in uow.resources.all(resource_type="Task"))
        )
        gateway.close()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Measured(name, tasks, len(steps), spent, max(steps), passed, memory, left)


def _watched(gateway: Gateway, place: Place) -> tuple[Place, list[float]]:
    """Steps until there is nothing to do; the CPU of each."""
    steps: list[float] = []
    store, door = gateway.store, gateway.door
    while True:
        before = time.process_time()
        store.number_changes()
        looked = store.read(lambda uow, place=place: door.watch(uow, place))
        store.write(lambda uow, looked=looked: door.keep_watched(uow, looked), now=looked.now)
        place = looked.place
        steps.append(time.process_time() - before)
        again = store.read(lambda uow, place=place: door.watch_again(uow, place, gateway.clock()))
        if again is None or again > gateway.clock():
            return place, steps


def _load(gateway: Gateway, tasks: int, at: datetime) -> None:
    units = [_organisation(one, at) for one in (PROVIDER, CLOSES, HEIR)]
    ids = {("Organization", HSA_ID, one): one.lower() for one in (PROVIDER, CLOSES, HEIR)}
    gateway.store.write(lambda uow: gateway.ingest.recorder.record(uow, units, identifiers=ids), now=at)
    for first in range(0, tasks, RANGE):
        _record(gateway, [one for n in range(first, min(first + RANGE, tasks)) for one in _of(n, at)], at)


def _record(gateway: Gateway, statements: list[Statement], at: datetime) -> None:
    gateway.store.write(lambda uow: gateway.ingest.recorder.record(uow, statements), now=at)


def _organisation(hsa_id: str, at: datetime, last: str | None = None) -> Statement:
    period = {"start": "2020-01-01"} | ({"end": last} if last else {})
    told: list[Resource] = [
        {"url": "http://hl7.org/fhir/StructureDefinition/organization-period", "valuePeriod": period}
    ]
    told += [{"url": f"{CANONICAL}/StructureDefinition/replaced-by", "valueReference": unit(HEIR)}] if last else []
    body: Resource = {"resourceType": "Organization", "id": hsa_id.lower(), "name": hsa_id, "extension": told}
    body["identifier"] = [{"system": HSA_ID, "value": hsa_id}]
    return said(0, hsa_id, None, body, at)


def _of(number: int, at: datetime) -> Iterator[Statement]:
    """A Patient, and a Task of his that the unit has in hand."""
    key = f"heir-p{number}"
    yield said(number, key, key, {"resourceType": "Patient", "id": key, "active": True}, at)
    task: Resource = {
        "resourceType": "Task",
        "id": f"heir-t{number}",
        "status": "accepted",
        "intent": "order",
        "code": {"text": "Hembesök"},
        "for": {"reference": f"Patient/{key}"},
        "authoredOn": (at - timedelta(hours=2)).isoformat(),
        "requester": unit(PROVIDER),
        "owner": unit(CLOSES),
    }
    yield said(number, task["id"], key, task, at)


def _is_of(task: Resource, hsa_id: str) -> bool:
    return bool(task.get("owner", {}).get("identifier", {}).get("value") == hsa_id)


if __name__ == "__main__":
    main()
