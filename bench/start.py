"""A start of the server: CPU at its first answers, wall and memory at the last, on a new database and on one there.

    python -m bench.start [--times 5] [--database postgresql] [--json]

The answers are those of `/health`, of a read of the API, and of `/ready`; a second later all is loaded, `after`. The
command is the one that operators run, with its bytecode compiled. CPU is the server's own, of all its threads, as
Linux counts it (in hundredths of a second); of several starts the one with the least CPU is shown, for the machines are
shared and noisy.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

import gateway
from bench import databases, machine

MOST_SECONDS = 60.0
LOADING_SECONDS = 3.0
ANSWERS = ("/health", "/fhir/Patient/none", "/ready")


@dataclass(frozen=True, slots=True)
class Started:
    """One start: seconds of CPU at each of the first answers, and when the rest was loaded beside them."""

    database: str
    wall: float
    health: float
    read: float
    ready: float
    after: float
    resident_mb: float

    def line(self) -> str:
        cpu = " ".join(f"{one:7.2f}" for one in (self.health, self.read, self.ready, self.after))
        return f"{self.database:10} {self.wall:7.2f} {cpu} {self.resident_mb:7.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    rows = measured(given.times, given.database)
    if given.json:
        print(json.dumps(machine.described() | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    print(f"{'database':10} {'wall s':>7} {'health':>7} {'read':>7} {'ready':>7} {'after':>7} {'MB':>7}")
    print("\n".join(row.line() for row in rows))


def measured(times: int, kind: str) -> list[Started]:
    """The cheapest start of several on a new database, and the cheapest on one that is there."""
    compileall.compile_dir(Path(gateway.__file__).parent, quiet=1)  # As an installation does; fresh files are left.
    new, there = [], []
    with tempfile.TemporaryDirectory() as folder:
        for url in _urls(kind, Path(folder), times):
            new.append(start(url, "new"))
            there.append(start(url, "there"))
    return [min(rows, key=lambda row: row.ready) for rows in (new, there)]


def _urls(kind: str, folder: Path, times: int) -> Iterator[str]:
    """So many databases that are not there yet."""
    if kind == "sqlite":
        yield from (f"sqlite:///{folder}/start{number}.db" for number in range(times))
        return
    address = make_url(databases.postgresql())
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    for number in range(times):
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE start{number}"))
        yield address.set(database=f"start{number}").render_as_string(hide_password=False)
    engine.dispose()


def start(url: str, database: str) -> Started:
    """Start the server on a database, wait for its first answers, and stop it."""
    port = _free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port)]
    command += ["--database-url", url]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            cpu = []
            for path in ANSWERS:
                _wait_for(server, f"http://127.0.0.1:{port}{path}")
                cpu.append(_cpu(server.pid))
            wall = time.perf_counter() - began
            time.sleep(LOADING_SECONDS)
            return Started(database, wall, *cpu, _cpu(server.pid), _resident(server.pid))
        finally:
            server.terminate()


def _wait_for(server: subprocess.Popen[bytes], address: str) -> None:
    until = time.perf_counter() + MOST_SECONDS
    while time.perf_counter() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code == 404:  # There is no such resource: an answer, like any other.
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
    raise RuntimeError(f"{address} was not answered.")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _cpu(pid: int) -> float:
    """Seconds in user and system mode (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
