"""What is long over is not read for an answer, and no answer is another for it: held against the whole, by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from bench.who import AT, UNITS, organisation, statement, unit
from gateway.access.answers import Answers, Told
from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.app import Gateway, wire
from gateway.coordination import as_of, see
from gateway.coordination.plans.basis import WITHHELD
from gateway.coordination.statements import GATEWAY_SOURCE, STILL_THERE
from gateway.coordination.who_does_what import document
from gateway.errors import NotFound
from gateway.fhir.json import dump
from gateway.identity.systems import HSA_ID
from gateway.ingest.rebuild import rebuild
from gateway.jobs.reindex import Reindex
from gateway.records import Link, Resource, Statement
from gateway.settings import Settings
from gateway.store import Job, Stored, UnitOfWork
from gateway.tables import bearing, naming

BEGUN = AT - timedelta(days=900)
PERSONS = [f"p{number}" for number in range(10)]
BASE = "https://samverka.example/fhir"
MISSION = "https://samverka.example/fhir/CodeSystem/mission"
LABEL = {"system": WITHHELD[0], "code": WITHHELD[1]}
SOURCE = """
[source.source-{number}]
package = "municipal-csv"
name = "System {number}"
hsa_id = "{unit}-S"
controller = "{unit}"
"""
ASKING = Asking(OPERATOR, "operation", request_id="test")
OTHER = Asking(Caller("organisation", UNITS[1], "Another", UNITS[1]), "operation", request_id="test")


class Years:
    """Two years of a person's care, as chance has it: most of it over, some of it tied to what is not."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.chance = Random(person)
        self.said: list[Statement] = []
        self.ids: list[tuple[str, str]] = []
        for number in range(self.chance.randint(3, 30)):
            self.thing(f"{person}-{number}")
        self.links = [
            Link(
                kind, id, f"{id}-other", self.chance.choice(("same", "proposed", "undone")), "by chance", self.moment()
            )
            for kind, id in self.ids
            if self.chance.random() < 0.05
        ]

    def moment(self, span: timedelta = timedelta(days=700)) -> datetime:
        return AT + timedelta(days=3) - span * self.chance.random()

    def thing(self, id: str) -> None:
        chance, kind = self.chance, self.chance.choice(("Task", "Encounter"))
        self.source = chance.randrange(len(UNITS))
        self.ids.append((kind, id))
        start = self.moment()
        end = start + timedelta(hours=chance.choice((1, 1, 1, 24, 24 * 40)))
        period = {"start": start.isoformat()} | ({"end": end.isoformat()} if chance.random() < 0.8 else {})
        body = self.task(period) if kind == "Task" else self.encounter(period)
        courses = {
            "Task": (("requested", "accepted", "completed"), ("requested", "rejected"), ("requested",)),
            "Encounter": (("planned", "finished"), ("in-progress", "finished"), ("planned", "cancelled"), ("planned",)),
        }
        for step, status in enumerate(chance.choice(courses[kind])):
            self.say(kind, id, {"status": status, **body}, start + timedelta(minutes=10 * step))

    def task(self, period: dict[str, str]) -> Resource:
        chance, body = self.chance, dict[str, Any]()
        body["code"] = {
            "coding": [{"system": MISSION, "code": chance.choice(("1177-uppdrag", "referral", "home-visit"))}]
        }
        if chance.random() < 0.4:
            body["groupIdentifier"] = {"system": "urn:group", "value": f"{self.person}-{chance.randint(0, 9)}"}
        if chance.random() < 0.2:
            body["focus"] = {"identifier": {"system": "urn:x", "value": f"{self.person}-{chance.randint(0, 20)}"}}
        if chance.random() < 0.1:
            body["basedOn"] = [{"type": "CarePlan", "identifier": {"system": "urn:plan", "value": "plan"}}]
        body |= {"intent": "order", "for": self.reference(), "authoredOn": period["start"], "executionPeriod": period}
        return body | {
            "requester": unit(self.source),
            "owner": unit(chance.choice((self.source, chance.randint(0, 9)))),
        }

    def encounter(self, period: dict[str, str]) -> Resource:
        code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": self.chance.choice(("HH", "IMP"))}
        return {
            "class": code,
            "subject": self.reference(),
            "period": period,
            "serviceProvider": unit(self.source),
        }

    def reference(self) -> dict[str, str]:
        return {"reference": f"Patient/{self.person}", "type": "Patient"}

    def say(self, kind: str, id: str, body: Resource, when: datetime) -> None:
        chance, item = self.chance, len(self.said)
        beside = bool(self.said) and self.said[-1].resource_id != id and chance.random() < 0.1
        if chance.random() < 0.02:
            body = body | {"meta": {"security": [LABEL]}}
        said = replace(
            statement(kind, id, body, when, 0),
            person=self.person,
            source=f"source-{chance.randrange(10) if chance.random() < 0.02 else self.source}",
            inbox_id=f"inbox-{self.person}",
            item=self.said[-1].item if beside else item,
            recorded=when + timedelta(hours=chance.choice((0, 0, 1, 24 * 100))),
            version=STILL_THERE if chance.random() < 0.01 else "",
            kind=chance.choice(("assert",) * 60 + ("withdraw",)),
            party=UNITS[self.source],
            digest=f"{self.person}-{item}",
        )
        self.said.append(said)


def make_known(wired: Gateway, persons: Sequence[str]) -> None:
    """The units and the persons, known since before anything was said of them."""

    def known(kind: str, resource: Resource, person: str | None) -> Statement:
        return replace(statement(kind, str(resource["id"]), resource, BEGUN, 0), person=person)

    first = [known("Organization", organisation(hsa_id), None) for hsa_id in UNITS]
    first += [known("Patient", {"resourceType": "Patient", "id": id}, id) for id in persons]
    units = {("Organization", HSA_ID, hsa_id): hsa_id.lower() for hsa_id in UNITS}
    recorder = wired.ingest.recorder  # Made when it is first asked for, which asks the store itself.
    wired.store.write(lambda uow: recorder.record(uow, first, identifiers=units), now=BEGUN)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("bearing")
    sources = folder / "sources.toml"
    sources.write_text("".join(SOURCE.format(number=number, unit=hsa_id) for number, hsa_id in enumerate(UNITS)))
    settings = Settings(database_url=f"sqlite:///{folder}/bearing.db", sources=sources, log_level="error")
    wired = wire(settings, lambda: AT)
    make_known(wired, PERSONS)
    years = [Years(person) for person in PERSONS]
    said = sorted((one for year in years for one in year.said), key=lambda one: (one.recorded, one.digest))
    for number in range(0, len(said), 40):
        some = said[number : number + 40]
        wired.store.write(lambda uow, some=some: wired.ingest.recorder.record(uow, some), now=some[-1].recorded)
    ties = [link for year in years for link in year.links]
    wired.store.write(lambda uow: wired.ingest.recorder.record(uow, [], links=ties), now=AT)
    yield wired
    wired.close()


class Whole:
    """Reads everything, and folds it: what the answers are held against."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Answers, "said", self.said)
        patch.setattr(see, "without_what_is_over", lambda said, *_: list(said))

    @staticmethod
    def said(_: Answers, uow: UnitOfWork, patient: Stored, known_at: datetime, since: datetime) -> Told:
        said = uow.statements.of_person(patient.id, known_at=known_at)
        return Told([one for one in said if one.source != GATEWAY_SOURCE], [], [patient.id])


def asked(gateway: Gateway, asking: Asking) -> dict[tuple[str, int], tuple[bytes, Any]]:
    """What is told of every person, as of times by chance, known by then or later, and some asked far back."""
    found = {}
    for person in PERSONS:
        chance = Random(f"{person} asked")
        for number in range(3):
            at = AT if number == 0 else AT - timedelta(days=chance.choice((1, 20, 200, 500)))
            known_at = at if number == 0 else at + timedelta(days=chance.choice((-30, 1, 90)))
            since = at - timedelta(days=chance.choice((1, 60, 400))) if number == 2 else None
            try:
                view = gateway.door.view(asking, person, at=at, known_at=known_at, since=since)
            except NotFound:
                continue
            found[person, number] = dump(document(view, BASE)), view.lanes
    return found


@pytest.mark.parametrize("asking", [ASKING, OTHER], ids=["operator", "organisation"])
def test_no_answer_is_another_for_what_is_not_read(
    gateway: Gateway, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asked(gateway, asking)
    Whole(monkeypatch)
    assert len(told) > len(PERSONS)
    assert asked(gateway, asking) == told


def test_most_of_what_is_over_is_not_read(gateway: Gateway) -> None:
    since = AT - timedelta(days=14)

    def read(uow: UnitOfWork) -> tuple[int, int]:
        patients = [found for id in PERSONS if (found := uow.resources.read("Patient", id))]
        fewer = sum(len(gateway.door.said(uow, one, AT, since).statements) for one in patients)
        return fewer, sum(len(uow.statements.of_person(one.id, known_at=AT)) for one in patients)

    fewer, every = gateway.store.read(read)
    assert 0 < fewer < every * 0.8, "Of these years much is tied to what is not over."


def test_most_of_what_is_read_is_not_folded_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[Any] = []
    fold = as_of.agree

    def counted(said: list[Statement], *rest: Any, **known: Any) -> Any:
        folded.append(said)
        return fold(said, *rest, **known)

    monkeypatch.setattr(as_of, "agree", counted)
    for person in PERSONS:
        gateway.door.view(ASKING, person)
    few = len(folded)
    monkeypatch.setattr(as_of, "as_stored", lambda *_, **__: None)
    for person in PERSONS:
        gateway.door.view(ASKING, person)
    assert 0 < few < (len(folded) - few) * 0.7, "Of these years much is told of after the time that is asked about."


def kept(gateway: Gateway) -> tuple[list[Any], list[Any]]:
    def read(uow: UnitOfWork) -> tuple[list[Any], list[Any]]:
        rows = uow._connection.execute(select(bearing).order_by(*bearing.primary_key)).all()
        return list(rows), list(uow._connection.execute(select(naming).order_by(*naming.primary_key)).all())

    return gateway.store.read(read)


def test_an_end_that_is_kept_and_wrong_is_found_by_a_rebuild_and_mended_by_indexing_anew(gateway: Gateway) -> None:
    before = kept(gateway)
    assert rebuild(gateway.store, gateway.ingest.recorder, lambda *_: None).different == []
    open_one = next(row for row in before[0] if row.until is None)

    def spoil(uow: UnitOfWork) -> None:
        uow._connection.execute(
            bearing.update().where(bearing.c.resource_id != open_one.resource_id).values(until=None)
        )
        mine = bearing.c.resource_id == open_one.resource_id
        uow._connection.execute(bearing.update().where(mine).values(until=AT - timedelta(days=900)))

    gateway.store.write(spoil)
    wrong = rebuild(gateway.store, gateway.ingest.recorder, lambda *_: None).different
    assert wrong == [f"{open_one.resource_type}/{open_one.resource_id}"], "That it may always matter is right of all."
    job = Job(1, "reindex", {"types": ["Encounter", "Task"], "after": 0}, {}, 0, 0, "working", AT, 0)
    handler = Reindex(gateway.ingest.recorder.keep_bearings)
    while "seq" not in job.place:
        step = gateway.store.write(lambda uow, job=job: handler(uow, job), now=AT)
        job = replace(job, place=step.place, done=step.done, total=step.total)
    assert kept(gateway) == before
