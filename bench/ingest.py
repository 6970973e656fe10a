"""Ingest end to end: keep, parse, map, resolve, state, agree, index, save; audit and history on, durable commits.

    python -m bench.ingest [--records 2000 --records 10000] [--package NAME …] [--senders 8] [--json]
    python -m bench.ingest --courses    the event sources' cases from begin to end, instead of first messages alone
    python -m bench.ingest --database-url postgresql    a server of its own; or the URL of one, whose tables are emptied

All messages are kept first, each on its own and answered after its commit, by as many senders at once as `--senders`
says: those that come while another's commit is under way share the next one, as a server's do. Then waiting messages
are worked through until none is left, as the server's worker does. Each row of the table begins with an empty database.
`keep` is the share of a record in keeping its message: event sources send one record a message. What counts is CPU of
this process, both shares together, for the machines are shared and noisy; on PostgreSQL the server's own comes beside
it, and `rec/s` has to show that.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import logging
import pstats
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

import structlog

from bench import databases, machine
from bench.courses import COURSES, courses
from bench.generate import GENERATORS, Generated, generate
from gateway import definitions, formats
from gateway.app import settle, wire
from gateway.ingest.outcome import Outcome
from gateway.ingest.pipeline import Ingest
from gateway.issues import Issues
from gateway.mapping import Package
from gateway.mapping.sound import checked
from gateway.records import Source
from gateway.settings import Settings
from gateway.store import Store

T = TypeVar("T")

RECORDS = 10_000
SENDERS = 8
KINDS = 200
"""Messages among which every kind of a package's is."""
HEAD = (
    f"{'package':16} {'messages':>8} {'records':>8} {'held':>5} {'statements':>10} {'resources':>9} {'rec/s':>7} "
    f"{'rec/CPU s':>9} {'CPU ms/rec':>10} {'keep':>6} {'work':>6}"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: times in seconds, for all records together."""

    package: str
    messages: int
    records: int
    held: int
    statements: int
    resources: int
    seconds: float
    keep_cpu: float
    work_cpu: float

    @property
    def cpu(self) -> float:
        return self.keep_cpu + self.work_cpu

    def line(self) -> str:
        each = 1000 / self.records
        return (
            f"{self.package:16} {self.messages:8} {self.records:8} {self.held:5} {self.statements:10} "
            f"{self.resources:9} {self.records / self.seconds:7.0f} {self.records / self.cpu:9.0f} "
            f"{self.cpu * each:10.3f} {self.keep_cpu * each:6.3f} {self.work_cpu * each:6.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, action="append", help=f"may be given several times; {RECORDS}")
    parser.add_argument("--package", action="append", choices=list(GENERATORS))
    parser.add_argument("--courses", action="store_true", help="cases from their begin to their end (bench/courses.py)")
    parser.add_argument("--database-url", default="sqlite", help="sqlite, postgresql, or the URL of a PostgreSQL")
    parser.add_argument("--senders", type=int, default=SENDERS, help=f"how many send at once; {SENDERS}")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--profile", action="store_true", help="print where the time goes; it then takes twice as long")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with _database(given.database_url) as url:
        about = machine.described() | {"database": databases.version(url) or "SQLite"}
        if not given.json:
            print("\n".join(f"{name}: {text}" for name, text in about.items()))
            print(HEAD)
        rows = []
        made = courses if given.courses else generate
        for package in given.package or (COURSES if given.courses else GENERATORS):
            for count in given.records or [RECORDS]:
                rows.append(measure(package, count, url, made, senders=given.senders, profiled=given.profile))
                if not given.json:
                    print(rows[-1].line(), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if given.json:
        print(json.dumps(about | {"peak_mb": round(peak), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(f"peak resident memory: {peak:.0f} MB")


def measure(
    package: str,
    count: int,
    url: str,
    made: Callable[..., Iterator[Generated]] = generate,
    *,
    senders: int = SENDERS,
    profiled: bool = False,
) -> Measured:
    """Keep and work through `count` records of a package, from an empty database."""
    databases.empty(url)
    messages = list(made(package, count))
    gateway = wire(Settings(database_url=url), clock=lambda: datetime.now(UTC))
    ingest, source = gateway.ingest, gateway.sources.get(package)
    for message in generate(package, 1, seed=2):
        ingest.process(ingest.keep(source, message.body, "application/octet-stream"))
    _compile(gateway.packages[source.package], source, islice(made(package, count, seed=2), KINDS))
    settle()

    def keep() -> None:
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(lambda one: ingest.keep(source, one.body, "application/octet-stream"), messages))

    with _profiles(gateway.store) if profiled else _nothing():
        began = time.perf_counter()
        _, keep_cpu = _timed(keep)
        outcomes, work_cpu = _timed(lambda: list(_until_none_waits(ingest)))
        seconds = time.perf_counter() - began
    gateway.close()
    return Measured(
        package,
        messages=len(messages),
        records=sum(one.items for one in outcomes),
        held=sum(one.held for one in outcomes),
        statements=sum(one.statements for one in outcomes),
        resources=sum(one.resources for one in outcomes),
        seconds=seconds,
        keep_cpu=keep_cpu,
        work_cpu=work_cpu,
    )


def _compile(package: Package, source: Source, messages: Iterable[Generated]) -> None:
    """Map messages of all kinds, and store nothing: a service compiles its maps once, and not for each ten thousand."""
    for message in messages:
        for record in formats.read(package.format, message.body, Issues()):
            result = package.apply(record, source, datetime.now(UTC), body=message.body)
            checked(record, result, definitions.load())


def _until_none_waits(ingest: Ingest) -> Iterator[Outcome]:
    while outcomes := ingest.process_waiting():
        yield from outcomes


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


@contextmanager
def _database(name: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        if name == "sqlite":
            yield f"sqlite:///{folder}/bench.db"
        else:
            yield databases.postgresql() if name == "postgresql" else name


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _profiles(store: Store) -> Iterator[None]:
    """What this thread does, and what the thread does that writes to SQLite."""
    mapping, writing = cProfile.Profile(), cProfile.Profile()
    store.write(lambda _: writing.enable())
    mapping.enable()
    try:
        yield
    finally:
        mapping.disable()
        store.write(lambda _: writing.disable())
        for profile in (mapping, writing):
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
