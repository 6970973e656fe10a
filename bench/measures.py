"""What all measures of a period cost over many missions, in one pass: CPU a Task, and the memory that it takes.

    python -m bench.measures                      on SQLite, 20,000 Tasks and then 100,000
    python -m bench.measures --tasks 5000 --database postgresql     (from Debian's package, on 127.0.0.1)

Each need has two Tasks, one refused and one carried out. CPU is of this process: all of it on SQLite. Memory is what
Python holds at the most meanwhile, beyond what it held before; it must not grow with the Tasks.
"""

from __future__ import annotations

import argparse
import resource as process
import tempfile
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bench import databases
from gateway.access.caller import OPERATOR, Asking
from gateway.access.measuring import Period
from gateway.app import Gateway, wire
from gateway.coordination.missions import DISPOSITION, MISSION, STATUS
from gateway.coordination.statements import Origin, make
from gateway.coordination.tasks import HISTORY
from gateway.identity.systems import HSA_ID
from gateway.settings import Settings
from gateway.store import SavedResource, UnitOfWork

RANGE = 500
BEGIN = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
DAYS = 180
UNITS = 300
CODES = ("1177-uppdrag", "assistansuppdrag", "ivpa-uppdrag", "mava-uppdrag")
REASONS = ("no-resource", "wrong-level", "outside-area", "not-enrolled")
ASKING = Asking(OPERATOR, "evaluate-measure")
PERIOD = Period(date(2026, 1, 1), date(2026, 6, 30))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments.add_argument("--tasks", type=int, action="append")
    given = arguments.parse_args()
    for count in given.tasks or [20_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/bench.db" if given.database == "sqlite" else databases.postgresql()
            gateway = wire(Settings(database_url=url, worker=False), lambda: datetime(2026, 7, 20, tzinfo=UTC))
            fill(gateway, count)
            run(gateway, given.database, count)
            gateway.close()


def run(gateway: Gateway, name: str, count: int) -> None:
    measures = [gateway.door.measure(ASKING, str(one["id"])) for one in gateway.definitions.of("Measure")]
    gateway.door.evaluate(ASKING, measures, Period(date(2026, 1, 1), date(2026, 1, 2)))  # Loads what is loaded once.
    before = cpu()
    reports = gateway.door.evaluate(ASKING, measures, PERIOD)
    spent = cpu() - before
    tracemalloc.start()
    gateway.door.evaluate(ASKING, measures, PERIOD)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (offers,) = [one for one in reports if one["measure"].partition("|")[0].endswith("/answered-in-time")]
    counted = offers["group"][0]["population"][0].get("count")
    print(
        f"{name}: {len(measures)} measures over {count} Tasks ({counted} offers): {spent:.1f} s CPU, "
        f"{spent / count * 1e6:.0f} µs a Task, {most / 1e6:.1f} MB at the most",
        flush=True,
    )


def fill(gateway: Gateway, count: int) -> None:
    for start in range(0, count, RANGE):
        made = [task(n) for n in range(start, min(start + RANGE, count))]
        gateway.store.write(lambda unit, made=made: _keep(unit, made))


def _keep(unit: UnitOfWork, made: list[dict[str, Any]]) -> None:
    said = [
        make(
            body=one | {"businessStatus": {"coding": [{"system": STATUS, "code": "arrived"}]}},
            origin=Origin("bench"),
            record_key=one["id"],
            person=person_of(one),
            effective=datetime.fromisoformat(one["authoredOn"]) + timedelta(minutes=30),
            recorded=BEGIN,
            version="1",
            party="SE2120001348-T0100",
            provider="SE2120001348-T0000",
            kind="assert",
        )
        for one in made
        if one["status"] == "completed"
    ]
    unit.statements.add(said)
    unit.resources.save(
        [SavedResource(resource_type="Task", id=one["id"], resource=one, person=person_of(one)) for one in made]
    )


def task(n: int) -> dict[str, Any]:
    """The two Tasks of a need follow one another."""
    need, second = divmod(n, 2)
    asked = BEGIN + timedelta(minutes=(need * 977) % (DAYS * 24 * 60) + 15 * second)
    ends = "completed" if second else "rejected"
    turns = [("requested", 0), ("accepted", 6), ("in-progress", 9), ("completed", 70)] if second else [("requested", 0)]
    turns = turns if second else [*turns, ("rejected", 4 + need % 40)]
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": f"bench-{n}",
        "status": ends,
        "intent": "order",
        "code": {"coding": [{"system": MISSION, "code": CODES[need % len(CODES)]}]},
        "groupIdentifier": {"system": "urn:bench:need", "value": str(need)},
        "for": {"reference": f"Patient/bench-p{need // 3}"},
        "requester": unit(need % 7),
        "owner": unit(7 + (need + second) % UNITS),
        "authoredOn": asked.isoformat(),
        "extension": [
            turn(asked, turns, place, unit(7 + (need + second) % UNITS) if not place else None)
            for place in range(len(turns))
        ],
    }
    if second:
        disposition = {"coding": [{"system": DISPOSITION, "code": "stayed-home" if need % 3 else "admitted"}]}
        made["output"] = [{"type": {"text": "disposition"}, "valueCodeableConcept": disposition}]
    else:
        reason = {"system": MISSION.replace("mission", "decline-reason"), "code": REASONS[need % len(REASONS)]}
        made["statusReason"] = {"coding": [reason]}
    return made


def turn(asked: datetime, turns: list[tuple[str, int]], place: int, owner: dict[str, Any] | None) -> dict[str, Any]:
    status, after = turns[place]
    period = {"start": (asked + timedelta(minutes=after)).isoformat()}
    if place + 1 < len(turns):
        period["end"] = (asked + timedelta(minutes=turns[place + 1][1])).isoformat()
    parts: list[dict[str, Any]] = [{"url": "status", "valueCode": status}, {"url": "period", "valuePeriod": period}]
    if owner:
        parts.append({"url": "owner", "valueReference": owner})
    return {"url": HISTORY, "extension": [*parts, {"url": "source", "valueString": "bench"}]}


def unit(number: int) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": f"SE2321000131-T{number:04}"}}


def person_of(one: dict[str, Any]) -> str:
    return str(one["for"]["reference"]).partition("/")[2]


def cpu() -> float:
    used = process.getrusage(process.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
