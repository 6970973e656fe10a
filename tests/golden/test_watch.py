"""The gap watch over golden histories: what is raised is what is missing, at every moment, though nobody asks.

The clock is passed in: it goes from message to message, and in between to where the watch itself would look again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gateway.access import watching
from gateway.access.watching import Looked, Place
from gateway.adapters.media import media_type
from gateway.coordination.plans.basis import WITHHELD
from gateway.coordination.statements import Origin, make
from gateway.errors import Unavailable
from gateway.fhir.json import dump
from gateway.ingest.rebuild import rebuild
from gateway.records import Link, Resource, Statement
from gateway.store import UnitOfWork
from gateway.store.inbox import Inbox
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
    place: Place = field(default_factory=Place)

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
        door, store = self.on.gateway.door, self.on.gateway.store
        for _ in range(20):
            looked = store.read(lambda uow: door.watch(uow, self.place))
            self.keep(looked)
            self.place = looked.place
            again = store.read(lambda uow: door.watch_again(uow, self.place, self.on.clock.now))
            if again is None or again > self.on.clock.now:
                return
        raise AssertionError("The watch comes to no end.")

    def keep(self, looked: Looked) -> None:
        self.on.gateway.store.write(lambda uow: self.on.gateway.door.keep_watched(uow, looked), now=looked.now)

    def due(self) -> list[datetime]:
        """When the watch itself would look again."""
        door, now = self.on.gateway.door, self.on.clock.now
        again = self.on.gateway.store.read(lambda uow: door.watch_again(uow, self.place, now))
        return [again] if again and again > now else []

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
        while first.run_due():
            pass
        assert not second.run_due(), "All is done."
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
            broken.setattr(watching, "_missing", fails)
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
    monkeypatch.setattr(watching.Watching, "pass_on", lambda *_: set())  # The heir takes part by what passes to it.
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


def test_a_watch_that_has_nothing_to_do_writes_nothing(directory: Path, tmp_path: Path) -> None:
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
            broken.setattr(Inbox, "heard", fails)
            with pytest.raises(Unavailable):
                watched.watch()
        assert watched.due() == []


def test_what_no_gap_is_computed_from_wakes_nobody_but_where_it_is_withheld(directory: Path, tmp_path: Path) -> None:
    told = history("021")
    with opened(told, directory, tmp_path) as on:
        watched, one = Watched(on, told), told.deliveries[0]
        on.clock.now = one.received + timedelta(minutes=3)
        on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        watched.watch()

        def looked(number: int, **more: object) -> int:
            on.clock.now += timedelta(seconds=1)
            on.gateway.store.write(
                lambda uow: on.gateway.ingest.recorder.record(
                    uow, [observation(watched.persons(uow)[0], number, on.clock.now, more)]
                ),
                now=on.clock.now,
            )
            found = on.gateway.store.read(lambda uow: on.gateway.door.watch(uow, watched.place))
            watched.keep(found)
            watched.place = found.place
            return found.looked

        label = {"security": [{"system": WITHHELD[0], "code": WITHHELD[1]}]}
        assert looked(1) == 0
        assert looked(1, meta=label) == 1
        assert looked(1) == 1, "It is withheld no more: what was hidden with it is heard again."
        assert looked(2) == 0


def observation(person: str, number: int, now: datetime, more: Mapping[str, object]) -> Statement:
    return make(
        body={
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "code": {"text": "Vikt"},
            "subject": {"reference": f"Patient/{person}"},
            "effectiveDateTime": now.isoformat(),
            **more,
        },
        origin=Origin("1177-vg"),
        record_key=f"o{number}",
        person=person,
        effective=now,
        recorded=now,
    )


def test_who_is_looked_at_with_others_is_seen_as_if_he_were_alone(directory: Path, tmp_path: Path) -> None:
    both = [history("021"), history("003")]
    with opened(both[0], directory, tmp_path) as on:
        for told in both:
            one = told.deliveries[0]
            on.clock.now = one.received
            on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        on.clock.now = both[0].deliveries[0].received + timedelta(hours=1)
        found = [on.gateway.door.find_person(ASKING, told.person) for told in both]
        persons = sorted(id for id in found if id)
        door, now = on.gateway.door, on.clock.now

        def gaps(uow: UnitOfWork, given: list[str]) -> list[Statement]:
            return door._look_at(uow, given, now)[0]

        together = on.gateway.store.read(lambda uow: gaps(uow, persons))
        alone = on.gateway.store.read(lambda uow: [said for one in persons for said in gaps(uow, [one])])
    assert {one.person for one in together} == set(persons)
    assert together == alone


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
