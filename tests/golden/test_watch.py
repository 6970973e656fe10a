"""The gap watch over golden histories: what is raised is what is missing, at every moment, though nobody asks.

The clock is passed in: it goes from message to message, and in between to where the watch itself would look again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gateway.access import watching
from gateway.adapters.media import media_type
from gateway.errors import Unavailable
from gateway.fhir.json import dump
from gateway.ingest.rebuild import rebuild
from gateway.jobs import watching as jobs_watching
from gateway.records import Link, Resource
from gateway.store import UnitOfWork
from gateway.store.links import Links
from tests.golden.histories import ASKING, SWEDEN, History, Opened, directory_of_units, histories, opened

HISTORIES = histories()
PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of_units(tmp_path_factory.mktemp("directory"))


def history(number: str) -> History:
    return next(one for one in HISTORIES if one.name.startswith(number))


@dataclass
class Watched:
    """A history that goes on by itself, with the watch beside it."""

    on: Opened
    told: History
    seq: int = 0

    def moments(self) -> Iterator[datetime]:
        """Whenever something happens (a message comes, or the watch is to look again), and the middles in between."""
        deliveries, clock = list(self.told.deliveries), self.on.clock
        clock.now = deliveries[0].received
        while clock.now <= self.told.end:
            while deliveries and deliveries[0].received <= clock.now:
                one = deliveries.pop(0)
                source = self.on.gateway.sources.get(one.source)
                self.on.ingest.take(source, one.path.read_bytes(), media_type(one.path))
            self.watch()
            yield clock.now
            coming = [*(one.received for one in deliveries), self.told.end + timedelta(seconds=1), *self.due()]
            following = min(moment for moment in coming if moment > clock.now)
            clock.now += (following - clock.now) / 2
            if clock.now <= self.told.end:
                yield clock.now
            clock.now = following

    def watch(self) -> None:
        """What the job does in its second."""
        more = True
        while more:
            self.seq, _, more = self.on.gateway.store.write(
                lambda uow: self.on.gateway.door.watch(uow, self.seq), now=self.on.clock.now
            )

    def due(self) -> list[datetime]:
        return self.on.gateway.store.read(lambda uow: list(uow.watch.of(self.persons(uow)).values()))

    def persons(self, uow: UnitOfWork) -> list[str]:
        return sorted(set(uow.identifiers.find([("Patient", PERSONNUMMER, self.told.person)]).values()))

    def raised(self) -> list[Resource]:
        """The DetectedIssues that are stored about the person."""

        def read(uow: UnitOfWork) -> list[Resource]:
            [person] = self.persons(uow)
            said = uow.statements.of_person(person, resource_types=["DetectedIssue"])
            stored = uow.resources.read_many({(one.resource_type, one.resource_id) for one in said})
            return [stored[key].resource() for key in sorted(stored)]

        return self.on.gateway.store.read(read)

    def asked(self) -> set[tuple[str, str]]:
        """What is missing, by the answer of this moment."""
        patient = self.on.gateway.door.find_person(ASKING, self.told.person)
        assert patient
        return {(gap.code, gap.text.sv) for gap in self.on.gateway.door.view(ASKING, patient).gaps}


def is_open(issue: Resource) -> bool:
    return "end" not in issue["identifiedPeriod"]


def open_issues(issues: list[Resource]) -> set[tuple[str, str]]:
    return {(one["code"]["coding"][0]["code"], one["detail"]) for one in issues if is_open(one)}


@pytest.mark.parametrize("number", ["001", "009", "010", "017", "046"])
def test_at_every_moment_what_is_raised_and_open_is_what_is_missing(
    number: str, directory: Path, tmp_path: Path
) -> None:
    told = history(number)
    seen = set()
    with opened(told, directory, tmp_path) as on:
        watched = Watched(on, told)
        for now in watched.moments():
            asked, raised = watched.asked(), open_issues(watched.raised())
            assert {code for code, _ in asked} == {code for code, _ in raised}, now
            assert all(any(code == c and d.startswith(text) for c, d in raised) for code, text in asked), now
            seen |= {code for code, _ in asked}
        assert seen
        compared = rebuild(on.gateway.store, on.gateway.ingest.recorder, lambda _done, _total: None)
        assert compared.different == []


def test_a_gap_says_when_it_began_and_when_it_ended(directory: Path, tmp_path: Path) -> None:
    told = history("001")
    with opened(told, directory, tmp_path) as on:
        watched = Watched(on, told)
        for _ in watched.moments():
            pass
        found = {one["code"]["coding"][0]["code"]: one for one in watched.raised()}
    unanswered = found["unanswered"]
    assert unanswered["identifiedPeriod"] == {
        "start": "2026-03-12T14:38:00+01:00",
        "end": "2026-03-12T14:40:00+01:00",
    }
    assert unanswered["mitigation"][0]["date"] == "2026-03-12T14:40:00+01:00"
    assert unanswered["extension"][0]["extension"][0]["valueReference"]["display"] == "1177 på telefon Västra Götaland"


def test_a_silent_source_is_raised_though_nothing_comes_and_ended_when_it_is_heard(
    directory: Path, tmp_path: Path
) -> None:
    told = history("013")
    first, second = told.deliveries
    with opened(told, directory, tmp_path) as on:
        watched, found = Watched(on, told), []
        for now, one in (("10 18:00", first), ("11 18:01", None), ("12 07:00", second), ("12 07:01", None)):
            on.clock.now = datetime.fromisoformat(f"2026-03-{now}").replace(tzinfo=SWEDEN)
            if one is not None:
                on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
            watched.watch()
            found.append({code for code, _ in open_issues(watched.raised())})
    assert found == [set(), {"source-silent"}, set(), set()]


def test_the_watch_is_one_job_that_another_process_goes_on_with(directory: Path, tmp_path: Path) -> None:
    told = history("021")
    with opened(told, directory, tmp_path) as on:
        first, second = on.gateway.watch(), on.gateway.watch()
        one = told.deliveries[0]
        on.clock.now = one.received + timedelta(minutes=3)
        on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        assert first.run_due()
        assert not second.run_due(), "It is put off for a second, whoever asks."
        assert {code for code, _ in open_issues(Watched(on, told).raised())} == {"unanswered"}


def test_a_person_at_whom_nobody_can_look_stops_nobody_and_is_looked_at_again(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history("013")
    with opened(told, directory, tmp_path) as on:
        watched, first = Watched(on, told), told.deliveries[0]
        on.clock.now = datetime(2026, 3, 10, 18, tzinfo=SWEDEN)
        on.ingest.take(on.gateway.sources.get(first.source), first.path.read_bytes(), media_type(first.path))
        watched.watch()

        def fails(*_: object, **__: object) -> None:
            raise KeyError("unforeseen")

        on.clock.now = datetime(2026, 3, 11, 18, 1, tzinfo=SWEDEN)
        with monkeypatch.context() as broken:
            broken.setattr(watching, "missing", fails)
            watched.watch()
        assert watched.raised() == []
        assert watched.due() == [on.clock.now + watching.AGAIN]
        on.clock.now += watching.AGAIN
        watched.watch()
        assert {code for code, _ in open_issues(watched.raised())} == {"source-silent"}


def test_who_must_act_does_not_take_part_by_being_named_in_a_gap(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history("043")
    monkeypatch.setattr(watching.Watching, "pass_on", lambda *_: ())  # The heir takes part by what passes to it.
    with opened(told, directory, tmp_path) as on:
        watched = Watched(on, told)
        for _ in watched.moments():
            pass
        heir = "SE2321000131-T0425"
        assert any(heir in dump(one).decode() for one in watched.raised())
        parties = on.gateway.store.read(
            lambda uow: {party for p in watched.persons(uow) for party in uow.persons.parties(p)}
        )
        assert parties
        assert heir not in parties


def test_a_watch_that_has_nothing_to_do_writes_nothing(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_watching, "POLL", timedelta())
    told = history("021")
    with opened(told, directory, tmp_path) as on, closing(sqlite3.connect(tmp_path / "golden.db")) as beside:
        runner, one = on.gateway.watch(), told.deliveries[0]
        on.clock.now = one.received
        on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        for _ in range(3):  # What it raised itself is a change, too.
            runner.run_due()
        written = beside.execute("PRAGMA data_version").fetchone()
        assert not runner.run_due()
        assert beside.execute("PRAGMA data_version").fetchone() == written
        on.clock.now += timedelta(minutes=3)
        assert runner.run_due(), "Two minutes without an answer have passed."
        assert beside.execute("PRAGMA data_version").fetchone() != written


def test_an_error_of_the_database_is_no_reason_to_pass_a_person_over(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history("021")
    with opened(told, directory, tmp_path) as on:
        watched, one = Watched(on, told), told.deliveries[0]
        on.clock.now = one.received
        on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))

        def fails(*_: object, **__: object) -> None:
            raise OperationalError("SELECT", None, Exception("deadlock"))

        with monkeypatch.context() as broken:
            broken.setattr(Links, "of", fails)
            with pytest.raises(Unavailable):
                watched.watch()
        assert watched.due() == []


def test_a_person_who_is_found_to_be_another_has_each_gap_once(directory: Path, tmp_path: Path) -> None:
    told, other = history("021"), history("003")
    with opened(told, directory, tmp_path) as on:
        watched = Watched(on, told)
        for one in (told.deliveries[0], other.deliveries[0]):
            on.clock.now = one.received
            on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        on.clock.now = told.deliveries[0].received + timedelta(hours=1)
        watched.watch()
        ids = [on.gateway.door.find_person(ASKING, one.person) for one in (told, other)]
        first, second = sorted(id for id in ids if id)
        assert len({issue["patient"]["reference"] for issue in open_in(on)}) == 2
        tie = Link("Patient", second, first, "same", "told by hand", on.clock.now)
        on.gateway.store.write(lambda uow: on.gateway.ingest.recorder.record(uow, [], links=[tie]), now=on.clock.now)
        on.clock.now += timedelta(seconds=1)
        watched.watch()
        raised = open_in(on)
        assert {issue["patient"]["reference"] for issue in raised} == {f"Patient/{first}"}
        assert len({issue["detail"] for issue in raised}) == len(raised) == 3


def open_in(on: Opened) -> list[Resource]:
    """Every DetectedIssue that is stored and open."""
    found = on.gateway.store.read(lambda uow: list(uow.resources.all(resource_type="DetectedIssue")))
    return [one.resource() for one in found if is_open(one.resource())]
