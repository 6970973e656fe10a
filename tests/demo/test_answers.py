"""What the demo shows: who has it now, what comes next, and each gap that really happens, by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.adapters.media import media_type
from gateway.app import Gateway, wire
from gateway.coordination.gaps import GAPS
from gateway.settings import Settings
from tests.demo.story import FOLDER, SCRIPT, receipts

ASKING = Asking(OPERATOR, "operation", request_id="test")
NUMBERS = {person["name"].split()[0]: person["id"] for person in SCRIPT["person"]}
GAPS_NOW = {
    "Astrid": {"named-but-not-told", "double-visit"},
    "Bengt": {"contradiction", "unanswered", "source-silent", "double-visit"},
    "Rut": {"sent-on", "unowned"},
    "Inger": {"two-owners", "unanswered"},
    "Gösta": {"owner-left", "discharge-ready-without-sip-call", "overdue"},
    "Maj": {"admitted-without-notice", "visit-while-admitted"},
    "Milan": {"done-without-report"},
}


@dataclass(frozen=True)
class Answer:
    """The document that `$who-does-what` gives, with what the tests ask of it."""

    document: dict[str, Any]

    def of(self, resource_type: str) -> list[dict[str, Any]]:
        found = (entry["resource"] for entry in self.document["entry"])
        return [resource for resource in found if resource["resourceType"] == resource_type]

    @property
    def gaps(self) -> set[str]:
        return {issue["code"]["coding"][0]["code"] for issue in self.of("DetectedIssue")}

    def gap(self, code: str) -> str:
        [issue] = [one for one in self.of("DetectedIssue") if one["code"]["coding"][0]["code"] == code]
        return str(issue["detail"])

    def section(self, title: str) -> str:
        [composition] = self.of("Composition")
        found = next(one for one in composition["section"] if title in (one["title"], one["code"]["coding"][0]["code"]))
        return str(found["text"]["div"])


class Clock:
    """Shows what the test sets."""

    now: datetime = SCRIPT["now"]

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    clock = Clock()
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    settings = Settings(database_url=f"sqlite:///{database}", sources=FOLDER / "sources.toml", log_level="error")
    gateway = wire(settings, clock)
    deliveries = [
        (received, message["source"], FOLDER / message["file"])
        for message in SCRIPT["message"]
        for received in receipts(message)
    ]
    for clock.now, source, path in sorted(deliveries, key=lambda one: one[0]):
        outcome = load(gateway, source, path)
        assert (path.name, outcome.held) == (path.name, 0)
    clock.now = SCRIPT["now"]
    yield gateway
    gateway.close()


def load(gateway: Gateway, source: str, path: Path) -> Any:
    kept = gateway.ingest.keep(gateway.sources.get(source), path.read_bytes(), media_type(path))
    return gateway.ingest.process(kept)


def answer(gateway: Gateway, name: str, at: str | None = None) -> Answer:
    patient = gateway.door.find_person(ASKING, NUMBERS[name])
    assert patient
    moment = datetime.fromisoformat(f"{at}+01:00") if at else None
    return Answer(json.loads(gateway.door.who_does_what(ASKING, patient, at=moment, base="http://127.0.0.1/fhir")))


@pytest.mark.parametrize("name", GAPS_NOW)
def test_each_person_has_the_gaps_of_the_story_and_no_other(demo: Gateway, name: str) -> None:
    assert answer(demo, name).gaps == GAPS_NOW[name]


ELSEWHERE = {"discharged-without-contact", "discharged-without-information", "sip-incomplete"}
"""The golden histories show these (tests/golden)."""


def test_every_kind_of_gap_happens_to_somebody() -> None:
    assert set().union(*GAPS_NOW.values()) == set(GAPS) - ELSEWHERE


@pytest.mark.parametrize(
    ("at", "gaps"),
    [
        ("2026-03-03T04:50:00", set()),
        ("2026-03-03T05:10:00", set()),
        ("2026-03-03T12:00:00", {"visit-while-admitted"}),
        ("2026-03-05T12:00:00", set()),
        ("2026-03-09T12:00:00", {"discharge-ready-without-sip-call"}),
        ("2026-03-10T12:00:00", set()),
    ],
)
def test_gaps_come_and_go_with_the_story(demo: Gateway, at: str, gaps: set[str]) -> None:
    assert answer(demo, "Astrid", at).gaps == gaps


def test_during_the_alarm_nurse_and_ambulance_have_it_and_after_the_handover_the_ambulance_alone(demo: Gateway) -> None:
    assert "IVPA" not in answer(demo, "Astrid", "2026-03-03T04:50:00").section("now")
    during = answer(demo, "Astrid", "2026-03-03T05:10:00").section("now")
    assert during.index("Hemsjukvården Tanum") < during.index("Ambulansen Tanum")
    after = answer(demo, "Astrid", "2026-03-03T05:40:00").section("now")
    assert after.index("Ambulansen Tanum") < after.index("Hemtjänsten Tanumshede")


def test_one_admission_told_by_two_systems_is_one_encounter(demo: Gateway) -> None:
    stays = [one for one in answer(demo, "Astrid").of("Encounter") if one["class"]["code"] == "IMP"]
    [stay] = stays
    assert (stay["status"], stay["period"]["end"][:16]) == ("finished", "2026-03-12T10:15")


def test_a_gap_names_who_must_act(demo: Gateway) -> None:
    assert "Rehabmottagningen Tanumshede" in answer(demo, "Astrid").gap("named-but-not-told")
    assert "Vårdcentralen Strömstad → Hemsjukvården Strömstad" in answer(demo, "Rut").gap("sent-on")
    assert "Karlshamns kommun" in answer(demo, "Bengt").gap("source-silent")


def test_the_next_visit_to_astrid_is_tonight_and_the_municipality_has_still_to_read(demo: Gateway) -> None:
    found = answer(demo, "Astrid")
    coming = found.section("next")
    assert coming.index("Hemtjänsten Tanumshede") < coming.index("Mobila närvårdsteamet")
    assert "Biståndsenheten Tanum" in found.section("awaited")
