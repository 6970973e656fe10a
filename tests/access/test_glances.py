"""A glance at what is stored shows what a look at all that was said shows: held over histories by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from bench.who import AT, UNITS, unit
from gateway.access import watching
from gateway.access.glances import evidence_of, glances
from gateway.access.reading import heard_by_all
from gateway.access.standpoints import Units, standpoints
from gateway.app import Gateway, wire
from gateway.coordination.gap import Gap
from gateway.coordination.glance import glance, with_evidence
from gateway.coordination.picture import READ
from gateway.records import Resource, Statement
from gateway.settings import Settings
from gateway.store import UnitOfWork
from tests.coordination.test_bearing import LABEL, SOURCE, Years, make_known

PERSONS = [f"q{number}" for number in range(42)]
Seen = dict[str, tuple[list[Gap], datetime | None]]


KINDS = ("plain", "plain", "withheld", "to come", "contradicted", "of another", "tied")


class Weeks(Years):
    """Four weeks of a person's care, most of it open; with one thing, in most, for which a glance is not enough."""

    def __init__(self, person: str) -> None:
        self.kind = KINDS[int(person[1:]) % len(KINDS)]
        super().__init__(person)
        self.links = self.links if self.kind == "tied" else []

    def moment(self, span: timedelta = timedelta(days=28)) -> datetime:
        return AT - timedelta(hours=1) - span * self.chance.random()

    def task(self, period: dict[str, str]) -> Resource:
        body = super().task(period)
        if "focus" in body:
            body["focus"]["type"] = "ServiceRequest"
        return body

    def say(self, kind: str, id: str, body: Resource, when: datetime) -> None:
        chance = self.chance
        super().say(kind, id, body, when)
        said = replace(self.said.pop(), recorded=when, source=f"source-{self.source}", kind="assert")
        plain = {name: value for name, value in said.body.items() if name != "meta"}
        hidden = self.kind == "withheld" and chance.random() < 0.2
        said = replace(said, body=plain | {"meta": {"security": [LABEL]}} if hidden else plain)
        self.said.append(said)
        if chance.random() > 0.3:
            return
        other = body | {"status": chance.choice(("requested", "accepted", "in-progress"))}
        if self.kind == "to come":
            self.beside(said, other, effective=AT + timedelta(hours=30))
        if self.kind == "contradicted" and kind == "Task":
            self.beside(
                said,
                body | {"owner": unit(chance.randint(0, 9))},
                source="source-other",
                effective=when + timedelta(minutes=2),
            )
        if self.kind == "of another":
            self.beside(said, other, person=f"q{int(self.person[1:]) - 1}", effective=when + timedelta(minutes=50))

    def beside(self, said: Statement, body: Resource, **changed: Any) -> None:
        known = {name: said.body[name] for name in ("resourceType", "identifier") if name in said.body}
        more = replace(said, body=body | known, digest=f"{said.digest}-beside", **changed)
        self.said.append(replace(more, record_key=f"{said.record_key}-beside") if "source" in changed else more)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("glances")
    sources = folder / "sources.toml"
    sources.write_text("".join(SOURCE.format(number=number, unit=hsa_id) for number, hsa_id in enumerate(UNITS)))
    settings = Settings(database_url=f"sqlite:///{folder}/glances.db", sources=sources, log_level="error")
    wired = wire(settings, lambda: AT)
    make_known(wired, PERSONS)
    weeks = [Weeks(person) for person in PERSONS]
    said = [one for each in weeks for one in each.said]
    Random(7).shuffle(said)
    for number in range(0, len(said), 60):
        part = said[number : number + 60]
        wired.store.write(lambda uow, part=part: wired.ingest.recorder.record(uow, part), now=AT)
    links = [link for each in weeks for link in each.links]
    wired.store.write(lambda uow: wired.ingest.recorder.record(uow, [], links=links), now=AT)
    yield wired
    wired.close()


@pytest.mark.parametrize("after", [timedelta(), timedelta(minutes=20), timedelta(days=2), timedelta(days=9)])
def test_a_glance_shows_what_a_look_at_all_that_was_said_shows(gateway: Gateway, after: timedelta) -> None:
    now = AT + after
    door = gateway.door

    def glanced(uow: UnitOfWork) -> Seen:
        stored = glances(
            uow, PERSONS, now, READ, watching.LABEL, gateway.door._rooms.sources, lambda keys: Units(uow, keys, now)
        )
        found = {p: glance(one.patient, one.agreed, one.directory, one.heard, at=now) for p, one in stored.items()}
        shown = evidence_of(uow, [gap for gaps, _ in found.values() for gap in gaps])
        return {person: (with_evidence(gaps, shown), again) for person, (gaps, again) in found.items()}

    def looked(uow: UnitOfWork) -> Seen:
        seen = standpoints(uow, PERSONS, now, READ, watching.LABEL, heard_by_all, door.about)
        return {person: watching._missing(one, now) for person, one in seen.items()}

    found, expected = gateway.store.read(glanced), gateway.store.read(looked)
    assert len(found) > len(PERSONS) / 5
    assert any(gaps for gaps, _ in found.values())
    assert found == {person: expected[person] for person in found}
