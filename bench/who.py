"""What `$who-does-what` costs for a person with much care behind him: `python -m bench.who`.

500 Tasks and 2,000 Encounters over two years, 5,976 statements, as CPU of one answer through the door: decided, read
from the database, folded where it must be, looked at, written down and recorded. What PostgreSQL itself uses is left
out; SQLite is a part of the process. Then the parts that are no database's, for what is read of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import databases, machine
from gateway import logs
from gateway.access.answers import Told, unfolded
from gateway.access.caller import OPERATOR, Asking
from gateway.app import Gateway, wire
from gateway.coordination.as_stored import Thing
from gateway.coordination.facts import Heard
from gateway.coordination.look import look
from gateway.coordination.see import begins, see
from gateway.coordination.statements import Origin, make
from gateway.coordination.view import View
from gateway.coordination.who_does_what import document
from gateway.fhir.json import dump
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Source, Statement
from gateway.settings import Settings
from gateway.store import Stored, UnitOfWork
from tests import postgres

AT = datetime.fromisoformat("2026-03-12T14:30:00+01:00")
TASKS, ENCOUNTERS, ROUNDS = 500, 2000, 25
BATCH = 100
BASE = "https://samverka.example/fhir"
ASKING = Asking(OPERATOR, "operation", request_id="bench")
STILL_OPEN = 16
UNITS = [f"SE2321000131-T{number:04}" for number in range(100, 110)]
PATIENT: Resource = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Testberg", "given": ["Astrid"]}]}
MISSION = "https://samverka.example/fhir/CodeSystem/mission"
CODES = ("1177-uppdrag", "assistansuppdrag", "referral", "home-visit")
STEPS = ("requested", "accepted", "in-progress", "completed")


def main() -> None:
    console = Console()
    for name, value in machine.described().items():
        console.print(f"{name}: {value}")
    table = Table("database", "the whole answer", "look", "document", "statements read", title="CPU, ms", box=None)
    with TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/who.db", *([databases.postgresql()] if postgres.binaries() else [])]
        for url in urls:
            table.add_row(url.partition(":")[0].partition("+")[0], *measured(url))
    console.print(f"{TASKS} Tasks, {ENCOUNTERS} Encounters; the least of {ROUNDS} rounds")
    console.print(table)


def measured(url: str) -> tuple[str, ...]:
    """The figures on one database."""
    logs.configure("console", "error")
    gateway = wire(Settings(database_url=url, log_level="error"), lambda: AT)
    try:
        fill(gateway)
        patient, told, stored = gateway.store.read(lambda uow: read(gateway, uow))
        units = [organisation(hsa_id) for hsa_id in UNITS]
        heard = [Heard(Source("ward", "p", "Ward", UNITS[0], UNITS[0], cadence=86400), AT)]

        def looked() -> View:
            given: dict[str, Any] = {"organisations": units, "heard": heard, "stored": stored}
            return look(see(patient, told.statements, at=AT, known_at=AT, **given))

        view = looked()
        figures = (
            lambda: gateway.door.who_does_what(ASKING, str(PATIENT["id"]), base=BASE),
            looked,
            lambda: dump(document(view, BASE)),
        )
        return *(f"{best(figure):.1f}" for figure in figures), str(len(told.statements))
    finally:
        gateway.close()


def read(gateway: Gateway, uow: UnitOfWork) -> tuple[Resource, Told, Mapping[Thing, Stored]]:
    """The patient, and what is read of his care for an answer of now: what was said, and what need not be folded."""
    stored = uow.resources.read("Patient", str(PATIENT["id"]))
    assert stored is not None
    told = gateway.door.said(uow, stored, AT, begins(AT))
    return stored.resource(), told, unfolded(uow, told, told.statements, (), AT)


def fill(gateway: Gateway) -> None:
    """Everything that was said, in the order in which it was recorded."""
    begun = AT - timedelta(days=900)
    units = [statement("Organization", str(one["id"]), one, begun, 0, person=None) for one in map(organisation, UNITS)]
    known = {("Organization", HSA_ID, hsa_id): hsa_id.lower() for hsa_id in UNITS}
    first = [statement("Patient", "p1", PATIENT, begun, 0), *units]
    gateway.store.write(lambda uow: gateway.ingest.recorder.record(uow, first, identifiers=known), now=begun)
    said = sorted([*tasks(), *encounters()], key=lambda one: one.recorded)
    for number in range(0, len(said), BATCH):
        some = said[number : number + BATCH]
        gateway.store.write(partial(_record, gateway, some), now=some[-1].recorded)


def _record(gateway: Gateway, some: list[Statement], uow: UnitOfWork) -> None:
    gateway.ingest.recorder.record(uow, some)


def best(work: Callable[[], Any]) -> float:
    """The least CPU of some rounds, in milliseconds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found) * 1000


def tasks() -> list[Statement]:
    """Missions, referrals and visits, one every 17 hours; the latest are open."""
    said = []
    for number in range(TASKS):
        asked = AT - timedelta(hours=17 * number + 3)
        code = CODES[number % len(CODES)]
        body: Resource = {
            "intent": "order",
            "code": {"coding": [{"system": MISSION, "code": code}]},
            "for": {"reference": "Patient/p1", "type": "Patient"},
            "requester": unit(number + 3),
            "owner": unit(number),
            "authoredOn": asked.isoformat(),
            "description": "Bedömning i hemmet",
        }
        if code == "home-visit":
            body["executionPeriod"] = {"start": (asked + timedelta(hours=5)).isoformat()}
        for step, status in enumerate(STEPS[: 1 + number % 4 if number < STILL_OPEN else 4]):
            told = {"output": [{"type": {"text": "report"}, "valueString": "klart"}]} if status == "completed" else {}
            said.append(statement("Task", f"t{number}", {"status": status, **body, **told}, asked, step))
    return said


def encounters() -> list[Statement]:
    """Visits, calls and stays, one every nine hours, each told when it was planned and when it was over."""
    said = []
    for number in range(ENCOUNTERS):
        start = AT - timedelta(hours=9 * number + 1)
        body: Resource = {
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": ("AMB", "HH", "VR", "IMP")[number % 4],
            },
            "subject": {"reference": "Patient/p1", "type": "Patient"},
            "serviceProvider": unit(number),
            "period": {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()},
        }
        said.append(statement("Encounter", f"e{number}", {"status": "planned", **body}, start - timedelta(days=2), 0))
        said.append(statement("Encounter", f"e{number}", {"status": "finished", **body}, start, 3))
    return said


def statement(kind: str, id: str, body: Resource, when: datetime, step: int, *, person: str | None = "p1") -> Statement:
    moment = when + timedelta(minutes=10 * step)
    return make(
        body={"resourceType": kind, "id": id, "identifier": [{"system": "urn:x", "value": id}], **body},
        origin=Origin("ward", "inbox", step),
        record_key=id,
        person=person,
        effective=moment,
        recorded=moment,
        party=UNITS[0],
        provider=UNITS[0],
    )


def unit(number: int) -> Resource:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": UNITS[number % len(UNITS)]}}


def organisation(hsa_id: str) -> Resource:
    made: Resource = {"resourceType": "Organization", "id": hsa_id.lower(), "name": f"Unit {hsa_id[-4:]}"}
    return made | {
        "identifier": [{"system": HSA_ID, "value": hsa_id}],
        "telecom": [{"system": "phone", "value": "031-390 06 00"}],
    }


if __name__ == "__main__":
    main()
