"""What the gap watch costs: CPU a change and a due time, over so many open Tasks, as both come second by second.

    python -m bench.watch [--tasks 10000] [--seconds 20] [--database sqlite|postgresql]... [--state FOLDER] [--json]
    python -m bench.watch --tasks 1000000 --state var/watch --database postgresql

Each person has four open Tasks: a mission that nobody has answered, a visit of tomorrow, standing care and a referral.
The missions' times are up 10,000 a minute, one after the other. Of 100 changes, each of another person, 25 are of Tasks
and 75 of Observations (`--bearing`); one of those of Tasks refuses a mission, which is a gap at once. The first persons
are recorded, the others are copied from them (bench/copies.py). The clock is passed in: for each second its changes are
recorded (what that costs is told apart), then the watch does all that it finds. It keeps up on one core where it takes
less than a second of CPU for each; PostgreSQL's CPU is told beside. With `--state` the database stays in the folder:
cut off, the load goes on where it was, and the next run begins with the second after the last.

    python -m bench.watch --live 30 --state FOLDER     the job itself by the wall's clock, another process making the
                                                       changes: how long after it began each gap is raised
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from bench import databases, machine
from bench.copies import FIRST, copies, finish, tidy, without_indexes
from bench.serving import postgres_process, spent, spent_with_children
from gateway.access.watching import Place
from gateway.app import Gateway, settle, wire
from gateway.coordination.due import TICK
from gateway.coordination.missions import MISSION
from gateway.coordination.statements import Origin, make
from gateway.identity.systems import HSA_ID
from gateway.jobs.runner import Runner
from gateway.jobs.watching import WATCH
from gateway.records import Resource, Statement
from gateway.settings import Settings

NAMES = ("sqlite", "postgresql")
EACH = 4
"""Open Tasks of a person."""
RANGE = 250
"""Persons of a unit of work."""
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_MINUTE = 10_000
APART = timedelta(minutes=1) / A_MINUTE
ANSWER = timedelta(minutes=30)
"""After it, a mission that nobody has answered is a gap: the example agreement's."""
UNITS = [f"SE2321000131-T{number:04}" for number in range(100, 400)]
PROVIDER = "SE2321000131-T0001"
SOURCES = ("bench-1", "bench-2", "bench-3")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. CPU is in milliseconds: of the watch's process, and of its database's server."""

    database: str
    tasks: int
    seconds: int
    changes: int
    due: int
    raised: int
    ended: int
    cpu_second: float
    database_cpu_second: float
    worst_second: float
    record_change: float
    load_task: float
    first_look: float

    def line(self) -> str:
        told = (self.cpu_second, self.database_cpu_second, self.worst_second, self.record_change, self.first_look)
        figures = " ".join(f"{figure:9.2f}" for figure in told)
        return f"{self.database:10} {self.tasks:9} {self.changes:8} {self.due:7} {self.raised:7} {figures}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--changes", type=int, default=1_000, help="a second")
    parser.add_argument("--bearing", type=int, default=25, help="of 100 changes, those of Tasks")
    parser.add_argument("--database", action="append", choices=NAMES)
    parser.add_argument("--state", type=Path, help="a folder that the databases stay in")
    parser.add_argument("--live", type=int, help="let the job go by the wall's clock for so many seconds")
    parser.add_argument("--profile", action="store_true", help="tell where the watch's time goes")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    with _folder(given.state) as folder:
        rows = [_measured(name, folder, given) for name in given.database or NAMES]
    if given.json:
        print(json.dumps(machine.described() | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    print(f"{'':45} {'CPU of the watch, ms a second':>29} {'ms, each':>19}")
    names = ("its server", "worst", "change", "1st look")
    print(f"{'database':10} {'tasks':>9} {'changes':>8} {'due':>7} {'raised':>7} {'process':>9}", end=" ")
    print(" ".join(f"{name:>9}" for name in names))
    print("\n".join(row.line() for row in rows))


class Clock:
    """What time it is: it is moved by hand."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.tick: Callable[[], datetime] | None = None

    def __call__(self) -> datetime:
        return self.tick() if self.tick else self.now


def _measured(name: str, folder: Path, given: argparse.Namespace) -> Measured:
    with _database(name, folder) as (url, server):
        clock = Clock()
        # Its connections have a name, by which their part of the server's CPU is found.
        ours = f"{url}?application_name=watch" if server else url
        gateway = wire(Settings(database_url=ours, worker=False), clock)
        settle()
        bench = Bench(gateway, clock, url, given.tasks // EACH, server, folder / f"{name}-watch.json")
        bench.load()
        bench.look()
        if given.live:
            late = bench.live(given.live, given.changes, given.bearing)
            gateway.close()
            raise SystemExit(f"{name}: {late}")
        profiler = cProfile.Profile() if given.profile else None
        found = bench.run(name, given, profiler)
        gateway.close()
        return found


class Bench:
    """A gateway with the clock in hand, and how far it is: kept beside the database."""

    def __init__(self, gateway: Gateway, clock: Clock, url: str, persons: int, server: int | None, place: Path) -> None:
        self.gateway, self.clock, self.url, self.persons = gateway, clock, url, persons
        self.server, self.place = server, place
        self.raised = self.ended = 0
        self.state: dict[str, Any] = {
            "loaded": 0,
            "indexes": None,
            "load_cpu": 0.0,
            "looked": 0,
            "look_cpu": 0.0,
            "seen": False,
            "place": {},
            "second": 0,
        }
        if place.exists():
            self.state |= json.loads(place.read_text())

    def keep(self, **now: Any) -> None:
        self.state |= now
        self.place.write_text(json.dumps(self.state))

    def cpu(self) -> tuple[float, float]:
        return time.process_time(), spent_with_children(self.server) if self.server else 0.0

    def load(self) -> None:
        """The persons that are not there yet: through the recorder, as the ingest does it, set-wise."""
        recorder, store = self.gateway.ingest.recorder, self.gateway.store
        self.clock.now = BEGIN - timedelta(minutes=1)
        if not self.state["loaded"]:
            store.write(lambda uow: recorder.record(uow, [*units()], identifiers=unit_ids()), now=self.clock.now)
        while (first := self.state["loaded"]) < min(self.persons, FIRST):
            last = min(first + RANGE, self.persons, FIRST)
            said = [one for person in range(first, last) for one in of(person)]
            before = time.process_time()
            store.write(lambda uow, said=said: recorder.record(uow, said), now=self.clock.now)
            self.keep(loaded=last, load_cpu=self.state["load_cpu"] + time.process_time() - before)

        if self.state["loaded"] < self.persons:
            self.copy()

    def copy(self) -> None:
        """The others: copies of the first ones."""
        if asked_at(self.persons) >= BEGIN:
            raise SystemExit("So many are due within more than half an hour: their times are not written alike.")
        engine = create_engine(self.url)
        with engine.connect() as connection:
            if self.state["indexes"] is None:
                indexes = without_indexes(connection)
                connection.commit()
                self.keep(indexes=indexes)
            for loaded in copies(connection, self.state["loaded"], self.persons, APART, minute_of):
                connection.commit()
                self.keep(loaded=loaded)
            finish(connection, self.state["indexes"])
            connection.commit()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            tidy(connection)
        self.keep(indexes=None)

    def look(self) -> None:
        """The first look at everybody, before anything is due: at the first persons; the others are their copies."""
        store, first = self.gateway.store, min(self.persons, FIRST)
        if self.state["seen"]:
            return
        self.clock.now = BEGIN - timedelta(minutes=1)
        store.write(lambda uow: uow.changes.number(limit=10_000_000))
        if not self.state["place"]:  # The units were there before anybody: their changes concern everybody.
            self.keep(place={"seq": 1 + len(UNITS)})
        expected = {f"bench-p{n}": due_at(n) for n in range(self.persons)}
        persons = [*expected][:first]
        while store.read(lambda uow: uow.watch.of(persons)) != {one: expected[one] for one in persons}:
            before, _ = self.cpu()
            looked, _ = self.watch()
            self.keep(looked=self.state["looked"] + looked, look_cpu=self.state["look_cpu"] + self.cpu()[0] - before)
            if not looked:
                raise SystemExit("Not everybody is to be looked at when his mission is due.")
        others = {one: due for one, due in expected.items() if self.persons > first}
        if others:
            store.write(lambda uow: uow.watch.expect(others))
            last = store.read(lambda uow: uow.changes.last())
            self.keep(place=self.state["place"] | {"seq": last})
        self.keep(seen=True)

    def watch(self) -> tuple[int, bool]:
        """A step, as the job takes it; at how many persons was looked, and whether more wait."""
        store, door = self.gateway.store, self.gateway.door
        store.number_changes()
        looked = store.read(lambda uow: door.watch(uow, Place.read(self.state["place"])))
        store.write(lambda uow: door.keep_watched(uow, looked), now=looked.now)
        self.state["place"] = looked.place.written()
        ended = sum("mitigation" in one.body for one in looked.said)
        self.raised += len(looked.said) - ended
        self.ended += ended
        return looked.looked, looked.more

    def run(self, name: str, given: argparse.Namespace, profiler: cProfile.Profile | None) -> Measured:
        """Second by second."""
        seconds, changes = given.seconds, given.changes
        recorder, store = self.gateway.ingest.recorder, self.gateway.store
        spent: list[tuple[float, float]] = []
        recording, due, self.raised, self.ended = 0.0, 0, 0, 0
        first = self.state["second"]
        for second in range(first, first + 1 + seconds):
            if second == first + 1:  # The first one is not measured: what is compiled once is.
                recording, due, self.raised, self.ended = 0.0, 0, 0, 0
                spent.clear()
            self.clock.now = BEGIN + timedelta(seconds=second + 1)
            numbers = of_second(second, changes, self.persons)
            said = [change(n, self.persons, given.bearing, self.clock.now) for n in numbers]
            began = time.process_time()
            for start in range(0, len(said), 100):
                part = said[start : start + 100]
                store.write(lambda uow, part=part: recorder.record(uow, part), now=self.clock.now)
            recording += time.process_time() - began
            due += store.read(lambda uow: len(uow.watch.due(self.clock.now, limit=1_000_000)))
            mark, more = self.cpu(), True
            if profiler:
                profiler.enable()
            while more:
                _, more = self.watch()
            if profiler:
                profiler.disable()
            now = self.cpu()
            spent.append((now[0] - mark[0], now[1] - mark[1]))
            self.keep(second=second + 1)
        if profiler:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
        return Measured(
            database=name,
            tasks=self.persons * EACH,
            seconds=seconds,
            changes=seconds * changes,
            due=due,
            raised=self.raised,
            ended=self.ended,
            cpu_second=1000 * sum(one for one, _ in spent) / seconds,
            database_cpu_second=1000 * sum(one for _, one in spent) / seconds,
            worst_second=1000 * max(sum(one) for one in spent),
            record_change=1000 * recording / max(1, seconds * changes),
            load_task=1000 * self.state["load_cpu"] / max(1, self.persons * EACH),
            first_look=1000 * self.state["look_cpu"] / max(1, self.state["looked"]),
        )

    def live(self, seconds: int, changes: int, bearing: int) -> str:
        """The job by the wall's clock, beside a process that makes changes and one that hears of what is committed."""
        store, clock, first = self.gateway.store, self.clock, self.state["second"]
        clock.now = BEGIN + timedelta(seconds=first)
        while self.watch()[1]:  # What is left of the last run; and what is loaded and compiled once is.
            pass
        store.number_changes()  # Nothing of it is heard of now.
        context = get_context("spawn")
        begun, together, late = context.Value("d"), context.Barrier(3), context.Queue()
        shared = (self.url, begun, together, first, seconds)
        others = [
            context.Process(target=feed, args=(*shared, changes, bearing, self.persons)),
            context.Process(target=hear, args=(*shared, late)),
        ]
        for one in others:
            one.start()
        runner, job = self.standing()
        while together.n_waiting < len(others):
            time.sleep(0.05)
        begun.value = time.time()
        clock.tick = ticking(begun, first)
        together.wait()
        before = self.spent_alone()
        runner.start()
        heard = late.get()
        spent = [1000 * (now - then) / seconds for now, then in zip(self.spent_alone(), before, strict=True)]
        runner.stop()
        for one in others:
            one.join()
        found = store.read(lambda uow: uow.jobs.get(job))
        assert found is not None
        self.keep(place=dict(found.place), second=first + seconds)
        told = [f"{seconds} s, {spent[0]:.0f} ms of CPU a second, and {spent[1]:.0f} of its server's processes"]
        for code, times in sorted(heard.items()):
            times.sort()
            half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
            told.append(
                f"  {len(times)} {code}: p50 {half:.2f} s, p99 {most:.2f} s, max {times[-1]:.2f} s after it began"
            )
        return "\n".join(told)

    def standing(self) -> tuple[Runner, int]:
        """The job, where the bench is, and its number."""
        store, place = self.gateway.store, self.state["place"]
        runner = self.gateway.watch()
        (job,) = store.read(lambda uow: uow.jobs.of_kind(WATCH, unfinished=True))
        store.write(lambda uow: uow.jobs.claim("bench", [WATCH], lease=timedelta(seconds=1)))
        store.write(lambda uow: uow.jobs.progress(job.number, "bench", place=place, done=0, total=0, lease=timedelta()))
        return runner, job.number

    def spent_alone(self) -> tuple[float, float]:
        """CPU of this process, and of those that PostgreSQL has for its connections."""
        if self.server is None:
            return time.process_time(), 0.0
        with create_engine(self.url).connect() as connection:
            named = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'watch'")
            return time.process_time(), sum(spent(pid) for pid in connection.scalars(named))


def ticking(begun: Any, first: int) -> Callable[[], datetime]:
    """The bench's clock by the wall's: it was `first` seconds after its beginning when the processes began."""
    return lambda: BEGIN + timedelta(seconds=first + time.time() - begun.value)


def feed(
    url: str, begun: Any, together: Any, first: int, seconds: int, changes: int, bearing: int, persons: int
) -> None:
    """The changes of some seconds, as they come by the wall's clock: in a process of its own."""
    clock = Clock()
    gateway = wire(Settings(database_url=url, worker=False), clock)
    recorder, store = gateway.ingest.recorder, gateway.store
    settle()
    together.wait()
    clock.tick = ticking(begun, first)
    cpu, made = time.process_time(), 0
    while (gone := time.time() - begun.value) < seconds:
        until = int(gone * changes)
        numbers = range(first * changes + made, first * changes + min(until, made + 100))
        said = [change(persons // 2 + n, persons, bearing, clock()) for n in numbers]
        if said:
            store.write(lambda uow, said=said: recorder.record(uow, said), now=clock())
        made += len(said)
        if made >= until:
            time.sleep(0.02)
    cpu = 1000 * (time.process_time() - cpu) / seconds
    gateway.close()
    print(f"{made} changes of {seconds * changes}, {cpu:.0f} ms of CPU a second")


def hear(url: str, begun: Any, together: Any, first: int, seconds: int, late: Any) -> None:
    """How long after each gap began it can be read, and is in the change log: by a process that follows that.

    Numbering what is committed is the part of whoever follows, as it is of who notifies (ingest/housekeeping.py).
    """
    gateway = wire(Settings(database_url=url, worker=False))
    store = gateway.store
    seq = store.read(lambda uow: uow.changes.last())
    found: dict[str, list[float]] = {}
    together.wait()
    clock = ticking(begun, first)
    while time.time() < begun.value + seconds:
        time.sleep(0.05)
        store.number_changes()
        now = clock()
        new = store.read(lambda uow, seq=seq: uow.changes.after(seq, limit=10_000))
        issues = [("DetectedIssue", one.id) for one in new if one.resource_type == "DetectedIssue"]
        for one in store.read(lambda uow, issues=issues: uow.resources.read_many(issues)).values():
            issue = one.resource()
            if "end" not in issue["identifiedPeriod"]:
                start = datetime.fromisoformat(issue["identifiedPeriod"]["start"])
                found.setdefault(issue["code"]["coding"][0]["code"], []).append((now - start).total_seconds())
        seq = new[-1].seq if new else seq
    gateway.close()
    late.put(found)


def change(n: int, persons: int, bearing: int, now: datetime) -> Statement:
    """The nth change, person after person: of 100 some of Tasks, one of which leaves a mission with nobody."""
    make_one = observation if n % 100 >= bearing else changed if n % 100 else refused
    return make_one(n % persons, n // persons, now)


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


@contextmanager
def _database(name: str, folder: Path) -> Iterator[tuple[str, int | None]]:
    """The URL, and the process of the server where there is one."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/watch.db", None
        return
    with databases.kept(folder) as server:
        yield f"{server}/postgres", postgres_process(folder)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix="watch-"))
    made.chmod(0o755)  # PostgreSQL runs as a user of its own.
    yield made
    shutil.rmtree(made)


if __name__ == "__main__":
    main()
