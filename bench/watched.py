"""Whom the gap watch's bench has looked at: persons with four open Tasks each, and what changes of them.

A mission that nobody has answered, a visit of tomorrow, standing care and a referral. The missions' times are up 10,000
a minute, one person after the other. Of 100 changes, each of another person, some are of Tasks and the others of
Observations; one of those of Tasks refuses a mission, which is a gap at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gateway.coordination.due import TICK
from gateway.coordination.missions import MISSION
from gateway.coordination.statements import Origin, make
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_MINUTE = 10_000
APART = timedelta(minutes=1) / A_MINUTE
ANSWER = timedelta(minutes=30)
"""After it, a mission that nobody has answered is a gap: the example agreement's."""
UNITS = [f"SE2321000131-T{number:04}" for number in range(100, 400)]
PROVIDER = "SE2321000131-T0001"
SOURCES = ("bench-1", "bench-2", "bench-3")


def change(n: int, persons: int, bearing: int, now: datetime) -> Statement:
    """The nth change, person after person: of 100 some of Tasks, one of which leaves a mission with nobody.

    That is another person's in each turn: who has refused before has nothing left to refuse.
    """
    turn, place = n // persons, n % 100
    make_one = observation if place >= bearing else refused if place == turn % bearing else changed
    return make_one(n % persons, turn, now)


def of_second(second: int, changes: int, persons: int) -> range:
    """Which changes come in it: far from those whose time is up then."""
    return range(persons // 2 + second * changes, persons // 2 + (second + 1) * changes)


def units() -> Iterator[Statement]:
    for number, hsa_id in enumerate([PROVIDER, *UNITS]):
        body: Resource = {
            "resourceType": "Organization",
            "id": hsa_id.lower(),
            "identifier": [{"system": HSA_ID, "value": hsa_id}],
            "active": True,
            "name": f"Enhet {number}",
            "telecom": [{"system": "phone", "value": f"031-390 {number:04}"}],
        }
        if hsa_id != PROVIDER:
            body["partOf"] = unit(PROVIDER)
        yield said(0, hsa_id, None, body, BEGIN - timedelta(days=30))


def unit_ids() -> dict[tuple[str, str, str], str]:
    return {("Organization", HSA_ID, hsa_id): hsa_id.lower() for hsa_id in (PROVIDER, *UNITS)}


def of(person: int) -> Iterator[Statement]:
    """The Patient, and what is open about him."""
    key = f"bench-p{person}"
    yield said(
        person,
        key,
        key,
        {
            "resourceType": "Patient",
            "id": key,
            "identifier": [{"system": "urn:example:bench", "value": key}],
            "name": [{"family": "Testberg", "given": [f"Nummer {person}"]}],
        },
        BEGIN - timedelta(days=10),
    )
    asked = asked_at(person)
    yield task(person, 0, "requested", MISSION, "1177-uppdrag", asked, asked)
    begun = BEGIN - timedelta(days=1, minutes=person % 600)
    tomorrow = (BEGIN + timedelta(days=1, minutes=person % 600)).isoformat()
    for status, when in (("requested", begun), ("accepted", begun + timedelta(minutes=9))):
        visit = {"executionPeriod": {"start": tomorrow}}
        yield task(person, 1, status, MISSION, "home-visit", begun, when, visit)
    for status, when in (("accepted", begun), ("in-progress", begun + timedelta(minutes=30))):
        yield task(person, 2, status, MISSION, "care-service", begun, when)
    yield task(person, 3, "requested", MISSION, "referral", begun, begun)


def asked_at(person: int) -> datetime:
    """When his mission was asked for: it is due when as much time has passed as an answer may take."""
    return BEGIN - ANSWER + person * APART


def due_at(person: int) -> datetime:
    """When the watch is to look at him again, as things are before anything is due."""
    return asked_at(person) + ANSWER + TICK


def minute_of(person: int) -> str:
    """The same as minute and second, as they are written in what was said."""
    return asked_at(person).time().isoformat().removeprefix(f"{(BEGIN - ANSWER).hour}:")


def changed(person: int, turn: int, now: datetime) -> Statement:
    """The visit is moved by some minutes: it may matter, and does not."""
    begun = BEGIN - timedelta(days=1, minutes=person % 600)
    moved = (BEGIN + timedelta(days=1, minutes=person % 600 + 5 * (turn + 1))).isoformat()
    return task(person, 1, "accepted", MISSION, "home-visit", begun, now, {"executionPeriod": {"start": moved}})


def refused(person: int, turn: int, now: datetime) -> Statement:
    """Whom the mission was asked of says no."""
    return task(person, 0, "rejected", MISSION, "1177-uppdrag", asked_at(person), now)


def observation(person: int, turn: int, now: datetime) -> Statement:
    """Something that no gap is computed from."""
    id = f"bench-o{person}-{turn}"
    body: Resource = {
        "resourceType": "Observation",
        "id": id,
        "identifier": [{"system": "urn:example:bench", "value": id}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/bench-p{person}", "type": "Patient"},
        "performer": [unit(UNITS[person % len(UNITS)])],
        "effectiveDateTime": now.isoformat(),
        "valueQuantity": {"value": 60 + person % 40, "unit": "/min"},
    }
    return said(person, id, f"bench-p{person}", body, now)


def task(
    person: int,
    n: int,
    status: str,
    system: str,
    code: str,
    asked: datetime,
    when: datetime,
    more: Resource | None = None,
) -> Statement:
    id = f"bench-t{person}-{n}"
    body: Resource = {
        "resourceType": "Task",
        "id": id,
        "identifier": [{"system": "urn:example:bench", "value": id}],
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": system, "code": code}]},
        "for": {"reference": f"Patient/bench-p{person}", "type": "Patient"},
        "requester": unit(UNITS[(person + n) % len(UNITS)]),
        "owner": unit(UNITS[(person + n + 7) % len(UNITS)]),
        "authoredOn": asked.isoformat(),
        "description": "Bedömning i hemmet",
    }
    return said(person + n, id, f"bench-p{person}", body | (more or {}), when)


def said(number: int, key: str, person: str | None, body: Resource, when: datetime) -> Statement:
    return make(
        body=body,
        origin=Origin(SOURCES[number % len(SOURCES)]),
        record_key=key,
        person=person,
        effective=when,
        recorded=when,
        party=UNITS[number % len(UNITS)],
        provider=PROVIDER,
    )


def unit(hsa_id: str) -> Resource:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}
