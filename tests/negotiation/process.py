"""A process of its own that does what it is told with a gateway of its own, and can be killed as `kill -9` kills it.

One process imports the program and forks the others, so that a new one is there in a tenth of a second. What is told
and answered goes over a socket; whoever is killed answers nothing, and nobody knows whether it was done.
"""

from __future__ import annotations

import multiprocessing.connection as mp
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import create_engine, make_url, text

from gateway.app import wire
from gateway.settings import Settings
from tests.negotiation.acts import Act, Outcome, Person, tried

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0


class Nursery:
    """One process that has imported the program and done an act, and forks others."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.negotiation.process"], stdin=subprocess.PIPE, text=True, cwd=ROOT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(WAIT_SECONDS)

    def fork(self, url: str, address: str) -> None:
        """A new process on this database, which asks at this socket what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{url} {address}\n")
        self._process.stdin.flush()


class Worker:
    """One process at a time, on one database."""

    def __init__(self, nursery: Nursery, url: str) -> None:
        self._nursery = nursery
        self._url = make_url(url)
        self._folder = tempfile.TemporaryDirectory(prefix="samverka-worker-")
        self._listener = mp.Listener(str(Path(self._folder.name) / "socket"), "AF_UNIX")
        self._connection: mp.Connection | None = None  # type: ignore[type-arg]
        self._pid = 0
        self._started = 0
        self.start()

    def start(self) -> None:
        """A new process; the one before has been killed."""
        self._started += 1
        self._nursery.fork(self._named, str(self._listener.address))
        self._connection = self._listener.accept()
        self._pid = self._connection.recv()

    def do(self, act: Act, now: datetime, *, killed_after: float | None = None) -> Outcome | None:
        """What came of the act; None where the process was killed before it could say so. `killed_after`: seconds."""
        assert self._connection is not None
        timer = None
        if killed_after is not None:
            timer = threading.Timer(killed_after, os.kill, (self._pid, signal.SIGKILL))
        self._connection.send((act, now))
        if timer is not None:
            timer.start()
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            answer = None
        if timer is not None:
            timer.join()
            self._is_gone()
        if isinstance(answer, str):
            raise AssertionError(answer)
        return answer if answer is None or timer is None else replace(answer, killed=True)

    def close(self) -> None:
        if self._connection is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._is_gone()
        self._listener.close()
        self._folder.cleanup()

    @property
    def _named(self) -> str:
        """The database's URL; a PostgreSQL is told which process asks, to know when it has done with it."""
        url = self._url
        if url.get_backend_name() != "sqlite":
            url = url.update_query_dict({"application_name": f"worker-{os.getpid()}-{self._started}"})
        return url.render_as_string(hide_password=False)

    def _is_gone(self) -> None:
        """Wait until nothing works for the process any more: PostgreSQL ends what it was about, committed or not."""
        assert self._connection is not None
        self._connection.close()
        self._connection = None
        began = time.monotonic()
        while Path(f"/proc/{self._pid}").exists() and time.monotonic() - began < WAIT_SECONDS:
            time.sleep(0.001)
        if self._url.get_backend_name() == "sqlite":
            return
        engine = create_engine(self._url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        count = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        with engine.connect() as connection:
            while connection.execute(count, {"name": f"worker-{os.getpid()}-{self._started}"}).scalar():
                assert time.monotonic() - began < WAIT_SECONDS, "the database still works for a process that was killed"
                time.sleep(0.005)
        engine.dispose()


def nursery() -> None:
    """Fork a process for each line: a database's URL, and the socket where to answer."""
    with tempfile.TemporaryDirectory(prefix="samverka-nursery-") as folder:  # What is done once is done faster again.
        gateway = wire(Settings(database_url=f"sqlite:///{folder}/first.db", worker=False))
        tried(gateway, Person("first"))
        gateway.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how they ended.
    for line in sys.stdin:
        url, address = line.split()
        if os.fork() == 0:
            with suppress(EOFError, OSError):  # Nobody asks any more.
                work(url, address)
            os._exit(0)


def work(url: str, address: str) -> None:
    """Do what is told until killed."""
    time_of = [datetime.now(UTC)]
    gateway = wire(Settings(database_url=url, worker=False), clock=lambda: time_of[0])
    with mp.Client(address, "AF_UNIX") as connection:
        connection.send(os.getpid())
        while True:
            act, time_of[0] = connection.recv()
            try:
                connection.send(tried(gateway, act))
            except Exception:
                connection.send(traceback.format_exc())


if __name__ == "__main__":
    nursery()
