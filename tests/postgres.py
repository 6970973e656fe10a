"""A real PostgreSQL for the tests: on a free port of 127.0.0.1, once a run, gone with the run.

A small shell watches both the server and the process of the run: it ends the server and removes its files when the run
ends, however it ends, and after half a day at the latest, should another process have got the number of that one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

LONGEST_SECONDS = 12 * 3600

WATCH = """
folder=$1 run=$2 longest=$3; shift 3
"$@" & server=$!
trap : INT TERM
waited=0
while kill -0 "$run" 2>/dev/null && kill -0 $server 2>/dev/null && [ $waited -lt $longest ]; do
    sleep 1; waited=$((waited + 1))
done
kill -INT $server 2>/dev/null; wait $server; rm -rf "$folder"
"""

# Nothing here has to survive a power cut.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "jit": "off",
    "deadlock_timeout": "100ms",
    "autovacuum": "off",
}


def binaries() -> Path | None:
    """Where Debian's packages put the newest server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return found[-1] if found else None


_WATCHES: list[subprocess.Popen[bytes]] = []


def start(run: int) -> str:
    """Start a server that ends with process `run`; returns its URL, without a database."""
    bin = binaries()
    assert bin is not None
    folder = Path(tempfile.mkdtemp(prefix="samverka-postgres-"))
    # The server refuses to be root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, log = folder / "data", folder / "log"
    initdb = [
        bin / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]
    subprocess.run([*as_user, *map(str, initdb)], check=True, capture_output=True, cwd="/")
    port = free_port()
    server = [str(bin / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in SETTINGS.items():
        server += ["-c", f"{name}={value}"]
    with log.open("wb") as output:
        watch = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", str(folder), str(run), str(LONGEST_SECONDS), *as_user, *server],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    _WATCHES.append(watch)
    wait(bin, port, log)
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait(bin: Path, port: int, log: Path) -> None:
    ready = [str(bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    for _ in range(200):
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
