"""What the gap watch costs: CPU a change and a due time, over so many open Tasks, as both come second by second.

    python -m bench.watch [--tasks 10000] [--seconds 20] [--database sqlite|postgresql]... [--state FOLDER] [--json]
    python -m bench.watch --tasks 1000000 --state var/watch --database postgresql

Who is looked at, and what changes of them, is told in bench/watched.py: of 100 changes 25 are of Tasks (`--bearing`).
The first persons are recorded, the others are copied from them (bench/copies.py). The clock is passed in: for each
second its changes are recorded (what that costs is told apart), then the watch does all that it finds. It keeps up on
one core where it takes less than a second of CPU for each; PostgreSQL's CPU is told beside. With `--state` the database
stays in the folder: cut off, the load goes on where it was, and the next run begins with the second after the last.

    python -m bench.watch --live 30 --state FOLDER     the job itself by the wall's clock, beside a process that makes
                                                       the changes: how late each gap is raised (bench/watch_live.py)
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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from bench import databases, machine
from bench.copies import FIRST, copies, finish, tidy, without_indexes
from bench.serving import postgres_process, spent_with_children
from bench.watch_live import live
from bench.watched import APART, BEGIN, UNITS, asked_at, change, due_at, minute_of, of, of_second, unit_ids, units
from gateway.access.watching import Place
from gateway.app import Gateway, settle, wire
from gateway.settings import Settings

NAMES = ("sqlite", "postgresql")
EACH = 4
"""Open Tasks of a person."""
RANGE = 250
"""Persons of a unit of work."""
TOGETHER = 200
"""Changes of a unit of work, as many as the ingest takes of a message's items."""


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
    parser.add_argument("--feeders", type=int, default=2, help="live: by how many processes the changes are made")
    parser.add_argument("--free", action="store_true", help="live: hold no process to a core")
    parser.add_argument("--profile", action="store_true", help="tell where the watch's time goes")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    with _folder(given.state) as folder:
        rows = [row for name in given.database or NAMES if (row := _measured(name, folder, given))]
    if given.live:
        return
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
        """What moves it instead."""

    def __call__(self) -> datetime:
        return self.tick() if self.tick else self.now


def _measured(name: str, folder: Path, given: argparse.Namespace) -> Measured | None:
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
            told = live(bench, given.live, given.changes, given.bearing, feeders=given.feeders, pinned=not given.free)
            print(f"{name}: {told}")
            gateway.close()
            return None
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
            for start in range(0, len(said), TOGETHER):
                part = said[start : start + TOGETHER]
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
