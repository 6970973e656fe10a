"""What concerns very many at once is looked into as there is room: nobody waits for it, and nobody is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.access import watching
from gateway.access.standpoints import Units, UnitsKept
from gateway.access.watching import Looked, Place
from gateway.app import Gateway, wire
from gateway.coordination.due import TICK
from gateway.coordination.missions import MISSION
from gateway.coordination.statements import Origin, make
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.settings import Settings
from gateway.store import UnitOfWork

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNIT, OTHER, CLOSING = (f"SE2321000131-T{number:04}" for number in (100, 101, 102))
PERSONS = [f"p{number:02}" for number in range(9)]


class Watched:
    """A gateway whose clock and watch go by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = BEGIN
        self.gateway: Gateway = wire(Settings(database_url=f"sqlite:///{folder}/watch.db"), lambda: self.now)
        self.place = Place()

    def record(self, *said: Statement) -> None:
        recorder = self.gateway.ingest.recorder
        self.gateway.store.write(lambda uow: recorder.record(uow, said, identifiers=ids(said)), now=self.now)

    def look(self, busy: Sequence[str] = ()) -> Looked:
        door = self.gateway.door
        return self.gateway.store.read(lambda uow: door.watch(uow, self.place, busy))

    def keep(self, looked: Looked) -> None:
        self.gateway.store.write(lambda uow: self.gateway.door.keep_watched(uow, looked), now=looked.now)
        self.place = Place.read(looked.place.written())

    def step(self) -> set[str]:
        looked = self.look()
        self.keep(looked)
        return set(looked.about)

    def settle(self) -> None:
        """What is there is looked at; nothing is left."""
        for _ in range(20):
            if not self.step():
                return
        raise AssertionError("The watch comes to no end.")

    def due(self, person: str) -> datetime | None:
        return self.gateway.store.read(lambda uow: uow.watch.of([person])).get(person)

    def raised(self) -> list[tuple[str, str, int]]:
        """Each gap that was ever raised: of whom, what, and how many versions it has."""

        def read(uow: UnitOfWork) -> list[tuple[str, str, int]]:
            said = [one for one in uow.statements.all() if one.resource_type == "DetectedIssue"]
            found = {(str(one.person), one.body["code"]["coding"][0]["code"]) for one in said}
            return sorted((*key, sum(str(one.person) == key[0] for one in said)) for key in found)

        return self.gateway.store.read(read)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    made.record(organisation(UNIT), organisation(OTHER), *(one for person in PERSONS for one in care(person, UNIT)))
    made.now += timedelta(hours=6)  # No time of theirs is up in the hours after.
    made.settle()
    yield made
    made.gateway.close()


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PERSONS", 4)
    monkeypatch.setattr(watching, "PAGE", 2)


@pytest.mark.usefixtures("_small")
def test_a_changed_unit_is_a_reason_to_look_at_everybody_in_its_care_a_part_in_each_step(watched: Watched) -> None:
    watched.now += timedelta(seconds=1)
    watched.record(organisation(UNIT, active=False))
    steps = []
    while looked := watched.step():
        steps.append(looked)
    assert max(map(len, steps)) <= 4
    assert sorted(person for looked in steps for person in looked) == PERSONS, "Each once."
    assert [(person, code) for person, code, _ in watched.raised()] == [(person, "owner-left") for person in PERSONS]
    assert watched.place.changed == {}


@pytest.mark.usefixtures("_small")
def test_who_changes_meanwhile_is_looked_at_in_the_next_step(watched: Watched) -> None:
    watched.now += timedelta(seconds=1)
    watched.record(organisation(UNIT, active=False))
    watched.step()
    for number in range(3):
        watched.now += timedelta(seconds=1)
        watched.record(*care(f"new{number}", OTHER, watched.now))
        assert f"new{number}" in watched.step()
    watched.settle()
    assert {person for person, _, _ in watched.raised()} == set(PERSONS)


@pytest.mark.usefixtures("_small")
def test_whose_time_is_up_meanwhile_is_looked_at_in_the_next_step(watched: Watched) -> None:
    watched.record(*care("asked", OTHER, watched.now, status="requested"))
    watched.settle()
    watched.now += timedelta(minutes=30)
    watched.record(organisation(UNIT, active=False))
    watched.step()
    watched.now += timedelta(seconds=1)
    assert "asked" in watched.step()
    assert ("asked", "unanswered", 1) in watched.raised()


def test_who_is_being_written_waits_and_has_each_gap_once(watched: Watched) -> None:
    asked = watched.now
    watched.record(*care("asked", OTHER, asked, status="requested"))
    watched.now += timedelta(seconds=1)
    watched.settle()
    watched.now += timedelta(minutes=31)
    first = watched.look()
    assert set(first.about) == {"asked"}
    watched.place = first.place
    watched.record(*care("asked", OTHER, asked, status="requested", priority="urgent"))
    second = watched.look(busy=first.about)  # Its snapshot knows the change, and not what the first one found.
    assert not second.about
    watched.keep(first)
    watched.keep(second)
    watched.now += timedelta(seconds=1)
    assert watched.step() == {"asked"}, "What changed meanwhile is not forgotten."
    watched.settle()
    assert watched.raised() == [("asked", "unanswered", 2)], "Raised, and said anew with what has changed."


def test_a_unit_that_is_to_close_has_nobody_look_but_those_in_its_care(watched: Watched) -> None:
    closes, asked = watched.now + timedelta(minutes=10), watched.now
    watched.record(organisation(CLOSING), *care("theirs", CLOSING, asked), *care("another", UNIT, asked))
    watched.now += timedelta(seconds=3)
    watched.settle()
    before = watched.due("another")
    watched.record(closing(CLOSING, closes), *care("another", UNIT, asked, priority="urgent"))
    watched.now += timedelta(seconds=1)
    assert {"theirs", "another"} <= watched.step(), "In one step."
    assert watched.due("theirs") == closes + TICK
    assert watched.due("another") == before


def test_units_are_kept_from_step_to_step_until_one_of_them_changes(watched: Watched) -> None:
    kept, key, other = UnitsKept(), ("Organization", HSA_ID, UNIT), ("Organization", HSA_ID, OTHER)

    def step(seq: int, keys: set[tuple[str, str, str]], *, all_there: bool = True) -> tuple[Units, int]:
        def read(uow: UnitOfWork) -> tuple[Units, int]:
            changes = uow.changes.after(seq)
            kept.follow(seq, changes, all_there=all_there)
            return kept.of(uow, keys, watched.now), changes[-1].seq if changes else seq

        return watched.gateway.store.read(read)

    first, last = step(0, {key})
    watched.record(*care("asked", OTHER, watched.now))
    second, last = step(last, {key})
    assert second is first
    both, last = step(last, {key, other})
    assert both is not first
    assert both.asked == {key, other}
    assert step(last, {other})[0] is both
    watched.record(organisation(UNIT, active=False))
    changed, after = step(last, {key})
    assert changed is not both
    assert closed(both) is False
    assert closed(changed) is True
    assert step(after, {key})[0] is changed
    assert step(after, {key}, all_there=False)[0] is not changed, "There may be a change beyond."
    again = step(after, {key})[0]
    assert step(after + 1, {key})[0] is not again, "Another watched meanwhile."


def closed(units: Units) -> bool:
    directory = units.all_for([])
    assert directory is not None
    found = directory.resource(f"{HSA_ID}|{UNIT}")
    assert found is not None
    return found["active"] is False


def closing(hsa_id: str, when: datetime) -> Statement:
    url = "http://hl7.org/fhir/StructureDefinition/organization-period"
    one = organisation(hsa_id)
    body = one.body | {"id": one.resource_id, "extension": [{"url": url, "valuePeriod": {"end": when.isoformat()}}]}
    return said(hsa_id, None, body, BEGIN + timedelta(seconds=2))


def organisation(hsa_id: str, *, active: bool = True) -> Statement:
    body: Resource = {
        "resourceType": "Organization",
        "id": hsa_id.lower(),
        "identifier": [{"system": HSA_ID, "value": hsa_id}],
        "active": active,
        "name": f"Enhet {hsa_id[-4:]}",
        "telecom": [{"system": "phone", "value": "0522-00 00 00"}],
    }
    return said(hsa_id, None, body, BEGIN if active else BEGIN + timedelta(seconds=1))


def ids(statements: Sequence[Statement]) -> dict[tuple[str, str, str], str]:
    units = (one for one in statements if one.resource_type == "Organization")
    return {("Organization", HSA_ID, one.record_key): one.resource_id for one in units}


def care(
    person: str, hsa_id: str, asked: datetime = BEGIN, *, status: str = "accepted", priority: str = "routine"
) -> Iterator[Statement]:
    yield said(person, person, {"resourceType": "Patient", "id": person, "name": [{"family": "Testberg"}]}, asked)
    unit = {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}
    body: Resource = {
        "resourceType": "Task",
        "id": f"t-{person}",
        "status": status,
        "intent": "order",
        "priority": priority,
        "code": {"coding": [{"system": MISSION, "code": "1177-uppdrag"}]},
        "for": {"reference": f"Patient/{person}", "type": "Patient"},
        "requester": unit | {"identifier": {"system": HSA_ID, "value": OTHER}},
        "owner": unit,
        "authoredOn": asked.isoformat(),
    }
    yield said(f"t-{person}", person, body, asked + timedelta(seconds=priority == "urgent"))


def said(key: str, person: str | None, body: Resource, when: datetime) -> Statement:
    return make(
        body=body, origin=Origin("source"), record_key=key, person=person, effective=when, recorded=when, party=OTHER
    )
