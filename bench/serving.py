"""How fast the FHIR endpoint answers on PostgreSQL, and what it costs, beside a bare application that only reads.

    python -m bench.serving                              every figure, 8 and 16 connections
    python -m bench.serving --figure read --connections 16 --seconds 10

It needs PostgreSQL's server and wrk (Debian: `apt-get install postgresql wrk`) and asyncpg (`pip install -r
bench/requirements.txt`). 100,000 resources are loaded once and kept under var/bench; a load that was interrupted goes
on. Each run works on a copy of them. One worker process; commits wait for the disk; every access is recorded. wrk,
server and database share the cores. Each figure is taken right after one of the bare application (bench/bare.py), so
that both met the machine in one mood, and when the gateway has nothing to do beside. `server` and `database` are
microseconds of CPU for each request.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from sqlalchemy import create_engine, text

from bench import databases, machine, population
from tests import postgres

ROOT = Path(__file__).resolve().parents[1]
RESOURCES = 100_000
CONNECTIONS = (8, 16)
SECONDS = 6.0
ASKED = 20_000
"""So many different requests are made; then they come again."""
RESTS = 0.06
"""Seconds of CPU in a second: a server that waits uses less."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """What is asked for: paths to get, or bodies to post to an address. `wanted` a second, where the bare application
    answers `BARE`."""

    name: str
    wanted: int
    post: str | None = None


BARE = 4400
FIGURES = (
    Figure("read", 2600),
    Figure("search of 20", 900),
    Figure("chain", 600),
    Figure("include", 600),
    Figure("create", 700, post="/fhir/Observation"),
    Figure("transaction of 2", 350, post="/fhir"),
)


def asked(figure: str, persons: int) -> Iterator[str]:
    """The requests of a figure, in an order that jumps about."""
    for n in range(ASKED):
        person, other = n * 7919 % persons, n * 31 % population.OBSERVATIONS
        match figure:
            case "read":
                yield f"/fhir/Observation/{population.observation_id(person, other)}"
            case "search of 20":
                yield f"/fhir/Observation?subject=Patient/{population.patient_id(person)}&_count=20"
            case "chain":
                yield f"/fhir/Observation?subject:Patient.identifier={population.SYSTEM}%7Cp-{person}&_count=20"
            case "include":
                query = "&_include=Observation:subject&_count=20"
                yield f"/fhir/Observation?subject=Patient/{population.patient_id(person)}{query}"
            case "create":
                new = population.observation(person, n, f"Patient/{population.patient_id(person)}")
                yield orjson.dumps(new).decode()
            case "transaction of 2":
                yield orjson.dumps(population.transaction(n)).decode()


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of wrk: how many a second, milliseconds, and CPU for each in microseconds."""

    rate: float
    p50: float
    p99: float
    failed: int
    server: float
    database: float


@dataclass(frozen=True, slots=True)
class Row:
    figure: str
    connections: int
    wanted: int
    measured: Measured
    bare: Measured

    @property
    def ratio(self) -> float:
        return self.measured.rate / self.bare.rate

    def line(self) -> str:
        one, wanted = self.measured, self.wanted / BARE
        return (
            f"{self.figure:17} {self.connections:5} {one.rate:8.0f} {one.p50:7.1f} {one.p99:7.1f} {one.server:8.0f} "
            f"{one.database:8.0f} {self.bare.rate:8.0f} {self.bare.server:6.0f} {self.bare.database:6.0f} "
            f"{self.ratio:6.2f} {wanted:6.2f} {'yes' if self.ratio >= wanted else 'no':>4} {one.failed:6}"
        )


HEAD = (
    f"{'figure':17} {'conn.':>5} {'a second':>8} {'p50 ms':>7} {'p99 ms':>7} {'server':>8} {'database':>8} "
    f"{'bare/s':>8} {'server':>6} {'datab.':>6} {'ratio':>6} {'wanted':>6} {'met':>4} {'failed':>6}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", action="append", choices=[one.name for one in FIGURES])
    parser.add_argument("--connections", type=int, action="append", help="8 and 16")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each figure; {SECONDS:g}")
    parser.add_argument("--resources", type=int, default=RESOURCES, help=f"{RESOURCES}")
    parser.add_argument("--keep", type=Path, default=ROOT / "var" / "bench", help="where the database stays; var/bench")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk: apt-get install wrk")
    figures = [one for one in FIGURES if given.figure is None or one.name in given.figure]
    with databases.kept(given.keep) as server:
        load(server, given.keep, given.resources)
        url = copied(server)
        about = machine.described() | {
            "database": f"{databases.version(url)}, durable, {given.resources} resources",
            "load": subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split("Copyright")[0].strip(),
            "cores are shared with": f"a load of {os.getloadavg()[0]:.1f} before",
        }
        if not given.json:
            print("\n".join(f"{name}: {told}" for name, told in about.items()))
        rows, told = measured(
            url, given.keep, figures, given.connections or CONNECTIONS, given.seconds, given.resources
        )
    if given.json:
        print(json.dumps(about | told | {"rows": [asdict(one) | {"ratio": one.ratio} for one in rows]}, indent=2))
    else:
        print("\n".join(f"{name}: {text}" for name, text in told.items()))


def measured(
    url: str, folder: Path, figures: list[Figure], connections: Sequence[int], seconds: float, resources: int
) -> tuple[list[Row], dict[str, str]]:
    """The rows as they come, printed on the way; then memory and start."""
    persons, rows = resources // population.EACH, []
    with ExitStack() as stack:
        database = postgres_process(folder)
        started, ours, address = stack.enter_context(served(url))
        start_cpu = spent(ours)
        bare, bare_address = stack.enter_context(bare_served(url))
        rest(ours, longest=120)
        for figure in figures:
            lines = asked(figure.name, persons)
            (folder / f"{figure.name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "bare.txt").write_text("\n".join(asked("read", persons)) + "\n", encoding="utf-8")
        print(HEAD, flush=True)
        for count in connections:
            for figure in figures:
                for warm in (True, False):  # Both have seen it once before it counts.
                    length = 1.0 if warm else seconds
                    one = wrk(bare_address, folder / "bare.txt", None, count, length, bare, database)
                    two = wrk(address, folder / f"{figure.name}.txt", figure.post, count, length, ours, database)
                rows.append(Row(figure.name, count, figure.wanted, two, one))
                print(rows[-1].line(), flush=True)
        told = {
            "from the start of the process to the first answer": f"{started:.2f} s, {start_cpu:.2f} s of CPU",
            "resident memory of the server": f"{resident(ours):.0f} MB",
        }
    return rows, told


def wrk(
    address: str, file: Path, post: str | None, connections: int, seconds: float, server: int, database: int
) -> Measured:
    """Load for so long; what wrk says of it, and what both processes spent meanwhile."""
    script = ROOT / "bench" / "wrk" / ("bodies.lua" if post else "paths.lua")
    told = {"PATHS": str(file), "BODIES": str(file), "ADDRESS": post or ""}
    before = spent(server), spent_with_children(database)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", script, address]
    done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=True)
    after = spent(server), spent_with_children(database)
    line = next(one for one in done.stdout.splitlines() if one.startswith("MEASURED"))
    found = json.loads(line.partition(" ")[2])
    requests = max(1, found["requests"])
    return Measured(
        rate=requests / found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        failed=found["failed"],
        server=(after[0] - before[0]) / requests * 1e6,
        database=(after[1] - before[1]) / requests * 1e6,
    )


# --- the data


def load(server: str, folder: Path, resources: int) -> None:
    """Let the database `loaded` hold so many; what is there already is not loaded again."""
    made_database(server, "loaded")
    done = folder / "loaded.json"
    persons = resources // population.EACH
    if done.exists() and json.loads(done.read_text()) == {"persons": persons, "rested": True}:
        return
    from bench.transactions import ASKING, BASE
    from gateway.access.commands import Body, Command, Update
    from gateway.app import wire
    from gateway.errors import NotFound
    from gateway.fhir.entries import read
    from gateway.settings import Settings

    gateway = wire(Settings(database_url=f"{server}/loaded", worker=False))
    door = gateway.door
    for person in range(persons):
        if person % 10 == 0:
            print(f"\rloading {person * population.EACH} of {resources}", end="", file=sys.stderr, flush=True)
        try:
            door.read(ASKING, "Observation", population.observation_id(person, population.OBSERVATIONS - 1))
            continue
        except NotFound:
            pass
        body = Body(orjson.dumps(population.loading(person)))
        entries = read(door.parsed("Bundle", body), door.definitions, BASE)
        commands: dict[int, Command] = {
            one.index: Update(
                resource_type=one.path.partition("/")[0],
                target=one.path.partition("/")[2],
                resource=door.whole(one.path.partition("/")[0], one.resource),
            )
            for one in entries
        }
        door.transact(ASKING, body, commands, entries=entries, base=BASE, then=lambda inside: None)
    gateway.close()
    with served(f"{server}/loaded") as (_, process, _):  # What follows from so much at once is worked out beside.
        rest(process, longest=1800)
    statement(f"{server}/loaded", "VACUUM ANALYZE")
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    done.write_text(json.dumps({"persons": persons, "rested": True}))


def copied(server: str) -> str:
    """A fresh copy of what is loaded: each run finds the same."""
    statement(f"{server}/postgres", "DROP DATABASE IF EXISTS run")
    statement(f"{server}/postgres", "CREATE DATABASE run TEMPLATE loaded")
    return f"{server}/run"


def made_database(server: str, name: str) -> None:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()


def statement(url: str, sql: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(sql))
    engine.dispose()


# --- the processes


@contextmanager
def served(url: str) -> Iterator[tuple[float, int, str]]:
    """`samverka serve` on the database: how long it took to answer, its process and its address."""
    command = [sys.executable, "-m", "gateway", "serve", "--database-url", url]
    with running(command, {"SAMVERKA_LOG_LEVEL": "warning"}) as (began, process, address):
        yield time.perf_counter() - began, process, address


@contextmanager
def bare_served(url: str) -> Iterator[tuple[int, str]]:
    """The bare application, by the same HTTP server."""
    command = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--no-access-log", "--log-level", "warning"]
    with running(command, {"BARE_DATABASE": url.replace("+psycopg", "")}) as (_, process, address):
        yield process, address


@contextmanager
def running(command: list[str], variables: Mapping[str, str]) -> Iterator[tuple[float, int, str]]:
    port = postgres.free_port()
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    environment: dict[str, Any] = {**os.environ, **variables}
    process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=environment)
    try:
        while True:
            try:
                httpx.get(f"{address}/health")
                break
            except httpx.TransportError:
                if process.poll() is not None or time.perf_counter() - began > 60:
                    raise SystemExit(f"{' '.join(command)} did not start.") from None
                time.sleep(0.01)
        yield began, process.pid, address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def postgres_process(folder: Path) -> int:
    """The server's first process: its own file says which."""
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def spent(process: int) -> float:
    """Seconds of CPU that a process has used, and those of its children that ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(one) for one in fields[11:15]) / TICKS


def spent_with_children(process: int) -> float:
    """The same with the children that live."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return spent(process) + sum(spent(int(one)) for one in children if Path(f"/proc/{one}").exists())


def rest(process: int, *, longest: float) -> None:
    """Wait until a server has done what it does beside the answers: until it uses next to nothing for five seconds."""
    calm, until = 0, time.monotonic() + longest
    while calm < 5 and time.monotonic() < until:
        before = spent(process)
        time.sleep(1)
        calm = calm + 1 if spent(process) - before < RESTS else 0


def resident(process: int) -> float:
    """Megabytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


if __name__ == "__main__":
    main()
