"""A start of the server: wall, CPU and resident memory when `/ready` answers first, on a new database and on one there.

    python -m bench.start [--times 5] [--json]

The command is the one that operators run, with its bytecode compiled. CPU is the server's own, of all its threads, as
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
from dataclasses import asdict, dataclass
from pathlib import Path

import gateway
from bench import machine

MOST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """One start, until it was ready."""

    database: str
    wall: float
    cpu: float
    resident_mb: float

    def line(self) -> str:
        return f"{self.database:10} {self.wall:7.2f} {self.cpu:7.2f} {self.resident_mb:7.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    rows = measured(given.times)
    if given.json:
        print(json.dumps(machine.described() | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    print(f"{'database':10} {'wall s':>7} {'CPU s':>7} {'MB':>7}")
    print("\n".join(row.line() for row in rows))


def measured(times: int) -> list[Started]:
    """The cheapest start of several on a new database, and the cheapest on one that is there."""
    compileall.compile_dir(Path(gateway.__file__).parent, quiet=1)  # As an installation does; fresh files are left.
    new, there = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            new.append(start(Path(folder), "new"))
            there.append(start(Path(folder), "there"))
    return [min(rows, key=lambda row: row.cpu) for rows in (new, there)]


def start(folder: Path, database: str) -> Started:
    """Start the server in a folder, wait until it is ready, and stop it."""
    port = _free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port)]
    command += ["--database-url", f"sqlite:///{folder}/start.db"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_until_ready(server, port)
            wall = time.perf_counter() - began
            return Started(database, wall, _cpu(server.pid), _resident(server.pid))
        finally:
            server.terminate()


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.perf_counter() + MOST_SECONDS
    while time.perf_counter() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
    raise RuntimeError("The server did not become ready.")


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
