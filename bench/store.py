"""What the store costs for one record: 2 statements, 2 resources, 20 search rows, an item, an audit row.

    python -m bench.store                       both databases (PostgreSQL from Debian's package, on 127.0.0.1)
    python -m bench.store --database sqlite --records 20000 --profile

Records come in ranges of 100, each one unit of work, as the ingest does it. CPU is this process's: all of SQLite's.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import resource as process
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import databases
from gateway.records import Message, Resource, Statement
from gateway.store import Item, SavedResource, Store, UnitOfWork

RANGE = 100
PERSONS = 1000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)
SYSTEM = "urn:oid:1.2.752.129.2.1.4.1#SE2321000131-S000000000101"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    arguments.add_argument("--records", type=int, default=10_000)
    arguments.add_argument("--profile", action="store_true")
    given = arguments.parse_args()
    for name in given.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/bench.db" if name == "sqlite" else databases.postgresql()
            run(url, given.records, profile=given.profile)


def run(url: str, records: int, *, profile: bool) -> None:
    with Store.open(url, index=index) as store:
        kept = Message("bench", "bench", b"<bench/>", "text/xml", NOW)
        store.write(lambda unit: unit.inbox.keep(kept))
        store.write(lambda unit: unit.inbox.claim("bench", "bench", lease=LEASE))
        ranges = range(0, records, RANGE)
        measure(url, "new records", records, [work(start, "in-progress") for start in ranges], store, profile)
        measure(url, "every record again, unchanged", records, [work(s, "in-progress") for s in ranges], store, profile)
        measure(url, "every record again, changed", records, [work(s, "finished") for s in ranges], store, profile)
        keys = [("Encounter", record_id("Encounter", n)) for n in range(0, records, 7)]
        reads(url, store, keys)
        assert store.read(lambda unit: unit.audit.verify()) == []
        assert store.read(lambda unit: sum(unit.resources.count().values())) == 2 * records


Work = Callable[[UnitOfWork], None]


def measure(url: str, what: str, records: int, works: list[Work], store: Store, profile: bool) -> None:
    profiler = cProfile.Profile()
    if profile:
        store.write(lambda _: profiler.enable())
    cpu, began = _cpu(), time.perf_counter()
    for each in works:
        store.write(each)
    seconds, used = time.perf_counter() - began, _cpu() - cpu
    _say(url, what, f"{records / seconds:6.0f} records/s, {1000 * used / records:.3f} ms CPU a record")
    if profile:
        store.write(lambda _: profiler.disable())
        pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


def reads(url: str, store: Store, keys: list[tuple[str, str]]) -> None:
    cpu, began = _cpu(), time.perf_counter()
    for kind, id in keys:
        assert store.read(lambda unit, kind=kind, id=id: unit.resources.read(kind, id))  # type: ignore[misc]
    seconds, used = time.perf_counter() - began, _cpu() - cpu
    _say(url, "reads, one by one", f"{len(keys) / seconds:6.0f} reads/s, {1000 * used / len(keys):.3f} ms CPU a read")


def work(start: int, status: str) -> Work:
    """A range of records as a unit of work; made before the clock starts, for mapping is not measured here."""
    said = [one for n in range(start, start + RANGE) for one in statements(n, status)]
    items = [
        Item("bench", n, "careContact3", "done", (n, n + 1), f"record-{n}", (), 2) for n in range(start, start + RANGE)
    ]
    identified = {(one.resource_type, SYSTEM, one.record_key): one.resource_id for one in said}

    def do(unit: UnitOfWork) -> None:
        known = unit.identifiers.find(identified)
        unit.identifiers.claim({key: id for key, id in identified.items() if key not in known})
        unit.lock({one.person for one in said if one.person})
        new = unit.statements.add(said)
        touched = {(one.resource_type, one.resource_id): one for one in said if one.digest in new}
        unit.links.of([id for _, id in touched])
        latest = {(one.resource_type, one.resource_id): one for one in unit.statements.of_resources(touched)}
        unit.resources.save([saved(one) for one in latest.values()])
        unit.inbox.save_items(items)
        unit.audit.add([{"resourceType": "AuditEvent", "action": "C", "entity": item.key} for item in items])
        unit.inbox.progress("bench", "bench", next_item=0, lease=LEASE)

    return do


def record_id(kind: str, n: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}|{n}"))


def statements(n: int, status: str) -> list[Statement]:
    person = str(uuid.uuid5(uuid.NAMESPACE_OID, f"person|{n % PERSONS}"))
    return [
        Statement(
            digest=hashlib.sha256(f"{kind}|{n}|{status}".encode()).hexdigest(),
            source="bench",
            party="SE2321000131-E000000000211",
            provider="SE2321000131",
            resource_type=kind,
            resource_id=record_id(kind, n),
            person=person,
            record_key=f"record-{n}",
            effective=NOW,
            version="1",
            recorded=NOW,
            kind="assert",
            body=body(kind, n, person, status),
            inbox_id="bench",
            item=n,
            map_hash="0" * 64,
        )
        for kind in ("Encounter", "Task")
    ]


def body(kind: str, n: int, person: str, status: str) -> Resource:
    unit = {"system": "urn:oid:1.2.752.29.4.19", "value": "SE2321000131-E000000000211"}
    return {
        "resourceType": kind,
        "identifier": [{"system": SYSTEM, "value": f"record-{n}"}],
        "status": status,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "53651000052107", "display": "vårdkontakt"}]},
        "subject": {"type": "Patient", "reference": f"Patient/{person}"},
        "period": {"start": "2026-03-01T10:00:00+01:00", "end": "2026-03-01T11:00:00+01:00"},
        "participant": [{"individual": {"type": "Practitioner", "identifier": unit, "display": "Karin Provläkare"}}],
        "serviceProvider": {"type": "Organization", "identifier": unit, "display": "MÄVA avdelning 52, NÄL"},
        "note": [{"text": "Besök för bedömning inför hemgång, samråd med kommunens hemsjukvård."}],
    }


def saved(one: Statement) -> SavedResource:
    return SavedResource(
        resource_type=one.resource_type,
        id=one.resource_id,
        resource=one.body,
        person=one.person,
        contributors=(one.source,),
    )


def index(resource: Resource) -> dict[str, list[tuple[Any, ...]]]:
    """Ten rows, spread over the tables as an Encounter's are."""
    key = resource["identifier"][0]["value"]
    reference = resource["subject"]["reference"]
    return {
        "search_token": [(n, 100 + n, SYSTEM, f"{key}-{n}" if n == 0 else f"code-{n}", 0) for n in range(5)],
        "search_reference": [(n, 200 + n, "Patient", reference, 0) for n in range(2)],
        "search_date": [(n, 300 + n, 1_772_355_600_000_000 + n, 1_772_355_600_000_001 + n, 3) for n in range(2)],
        "search_string": [(0, 400, key, key, 3)],
    }


def _cpu() -> float:
    used = process.getrusage(process.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(url: str, what: str, figures: str) -> None:
    print(f"{url.partition(':')[0].partition('+')[0]:12} {what:32} {figures}")


if __name__ == "__main__":
    main()
