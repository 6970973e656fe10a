"""A server that is told to stop while it is at work: what it acknowledged is there, and the database is closed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.rest.edge import Edge
from gateway.rest.patience import Pace
from gateway.settings import Settings
from gateway.wiring import wire
from gateway.workers import Workers
from tests.postgres import free_port

COMMAND = Path(sys.executable).parent / "samverka"
BOUND = 60.0


def serving(folder: Path, database_url: str, port: int) -> subprocess.Popen[bytes]:
    """A server in a process of its own, which answers."""
    with (folder / "log").open("wb") as log:
        words = [COMMAND, "serve", "--port", str(port), "--database-url", database_url]
        server = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/ready")
            return server
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((folder / "log").read_text())


def write_on(address: str, acknowledged: list[str]) -> None:
    """Create one resource after the other on one connection, as long as they are acknowledged."""
    with httpx.Client(base_url=address, timeout=BOUND) as client:
        while True:
            try:
                answer = client.post("/fhir/Basic", json={"resourceType": "Basic", "code": {"text": "x"}})
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged.append(answer.json()["id"])


@pytest.mark.parametrize(
    ("told", "ended"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_whoever_is_told_to_stop_while_he_writes_loses_nothing_and_closes_the_file(
    tmp_path: Path, told: signal.Signals, ended: int
) -> None:
    """Told by SIGTERM, it left nearly all in the log beside the file: who then copied the file had an empty one."""
    port, acknowledged = free_port(), list[str]()
    server = serving(tmp_path, f"sqlite:///{tmp_path}/t.db", port)
    try:
        writers = [
            Thread(target=write_on, args=(f"http://127.0.0.1:{port}", acknowledged), daemon=True) for _ in range(4)
        ]
        for one in writers:
            one.start()
        until = time.monotonic() + BOUND
        while len(acknowledged) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        server.send_signal(told)
        assert server.wait(BOUND) == ended
    finally:
        server.kill()
    for one in writers:
        one.join(BOUND)
    assert not [*tmp_path.glob("t.db-*")]
    shutil.copy(tmp_path / "t.db", tmp_path / "copy.db")
    kept = {row[0] for row in sqlite3.connect(tmp_path / "copy.db").execute("SELECT id FROM resource")}
    assert len(acknowledged) >= 20
    assert set(acknowledged) <= kept
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [one for one in log if one["level"] not in ("info", "warning")] == []


class Held:
    """Work whose end waits for another's."""

    def __init__(self, both: Barrier) -> None:
        self._both = both

    def start(self) -> None: ...

    def stop(self) -> None:
        self._both.wait(BOUND)


def test_what_works_beside_ends_at_once_and_not_one_after_the_other(tmp_path: Path) -> None:
    """Each may take ten seconds for its step."""
    gateway = wire(Settings(database_url=f"sqlite:///{tmp_path}/t.db"))
    workers = Workers(gateway, lambda _: None, load=lambda: None, beside=lambda: None)
    both = Barrier(2)
    workers._working += [Held(both), Held(both)]
    workers.stop()
    gateway.close()
    assert not both.broken


@pytest.mark.parametrize("begun", [False, True])
def test_a_request_that_is_given_up_when_the_server_stops_is_to_be_sent_again(begun: bool) -> None:
    """It was answered with 500, and told as a fault of ours. One whose answer has begun is cut off."""
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/fhir/Basic",
        "query_string": b"",
        "headers": [],
    }
    with pytest.raises(asyncio.CancelledError) if begun else nullcontext():
        asyncio.run(Edge(app, pace=Pace(60, 1))(scope, receive, send))
    if not begun:
        assert json.loads(sent[-1]["body"])["issue"][0]["code"] == "transient"
    assert sent[0]["status"] == (200 if begun else 503)
