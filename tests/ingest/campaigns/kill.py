"""kill -9 of the server while messages come in: what was acknowledged is there, and took effect once.

Senders push generated messages of every package, several at once, and send again what was not acknowledged, as real
senders do. The server is killed at a random moment of each round. In the end a second installation with the same
namespace, which nobody killed, is told every message once: statements and agreed resources must be the same.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, count, cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import httpx

from bench.generate import GENERATORS, Generated, World, generate
from gateway.coordination.statements import GATEWAY_SOURCE, first_said
from gateway.records import Statement
from gateway.store import UnitOfWork
from tests.ingest.campaigns import proof
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.server import Server
from tests.ingest.campaigns.state import State
from tests.ingest.inlet import Inlet
from tests.ingest.leaks import leaks

SENDERS = 4
LEASE = 2
DRAIN_SECONDS = 600
SNAPSHOTS = {"municipal-csv", "directory-csv"}
"""One message of these states all that the source holds, so each is made with a seed of its own."""
SEVERAL = {"rivta-logistics", "fhir-r4"}
"""A message of these holds several records."""
PERSONS = 500
MOST = 1_000_000
"""More records of a package than any campaign sends."""


def messages(seed: int, records: int) -> Iterator[tuple[str, bytes]]:
    """Every package in turn, without an end, with at most so many records a message; no two tell of one record."""
    streams: list[tuple[str, Iterator[Generated]]] = []
    for package, make in GENERATORS.items():
        if package in SNAPSHOTS:
            streams.append((package, _snapshots(package, seed, records)))
        elif package in SEVERAL:
            streams.append((package, make(World(seed, PERSONS), MOST, size=records)))  # type: ignore[call-arg]
        else:
            streams.append((package, make(World(seed, PERSONS), MOST)))
    for package, stream in cycle(streams):
        yield package, next(stream).body


def _snapshots(package: str, seed: int, records: int) -> Iterator[Generated]:
    for n in count():
        yield from generate(package, records, seed=seed + n, persons=PERSONS)


@dataclass(slots=True)
class Told:
    """What the senders know: the hash of each acknowledged message by its inbox id, and how far they have come."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    refused: list[int] = field(default_factory=list)


class Senders:
    """Several at once, each with one message in hand until it is acknowledged."""

    def __init__(self, address: str, stream: Iterator[tuple[int, str, bytes]], told: Told) -> None:
        self._address = address
        self._stream = stream
        self._told = told
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._in_hand: dict[int, tuple[int, str, bytes]] = {}
        self.first = threading.Event()
        """Something was acknowledged in this round."""

    def run(self, seconds: float, kill: Any) -> None:
        """Send until `kill` has been called, `seconds` after the first acknowledgement."""
        with ThreadPoolExecutor(SENDERS) as pool:
            jobs = [pool.submit(self._send, n) for n in range(SENDERS)]
            self.first.wait(60)
            time.sleep(seconds)
            kill()
            self._stopped.set()
            for job in jobs:
                job.result()
        self.first.clear()
        self._stopped.clear()

    def finish(self) -> None:
        """Send what is still in hand, once more."""
        for number, package, body in list(self._in_hand.values()):
            with httpx.Client(base_url=self._address, timeout=60) as client:
                self._acknowledge(client.post(f"/ingest/{package}", content=body), body)
            assert number >= 0
        self._in_hand.clear()

    def _send(self, n: int) -> None:
        with httpx.Client(base_url=self._address, timeout=60) as client:
            while not self._stopped.is_set():
                if n not in self._in_hand:
                    with self._lock:
                        self._in_hand[n] = next(self._stream)
                        self._told.sent += 1
                _, package, body = self._in_hand[n]
                try:
                    answer = client.post(f"/ingest/{package}", content=body)
                except httpx.HTTPError:
                    return  # It was killed: nobody knows whether it was kept. It is sent again in the next round.
                self._acknowledge(answer, body)
                del self._in_hand[n]

    def _acknowledge(self, answer: httpx.Response, body: bytes) -> None:
        with self._lock:
            if answer.status_code == 202:
                self._told.acknowledged[answer.json()["id"]] = hashlib.sha256(body).hexdigest()
                self.first.set()
            else:
                self._told.refused.append(answer.status_code)


def campaign(
    database_url: str, *, rounds: int, seed: int, longest: float, state: State, say: Any, records: int = 100
) -> Report:
    """Kill the server `rounds` times, each time up to `longest` seconds after its first acknowledgement."""
    said = state.said
    told = Told(said.setdefault("acknowledged", {}), said.setdefault("sent", 0))
    log = Path(said.setdefault("log", str(Path(tempfile.mkdtemp(prefix="samverka-kill-")) / "server.log")))
    numbered = ((n, *message) for n, message in enumerate(messages(seed, records)))
    # What was in hand when the campaign stopped is sent again.
    stream = islice(numbered, max(0, told.sent - SENDERS), None)
    report = Report()
    with Server(database_url, log, lease=LEASE) as server:
        senders = Senders(server.address, stream, told)
        for number in range(said.setdefault("round", 0), rounds):
            began = server.start()
            before = len(told.acknowledged)
            seconds = Random(f"{seed}/{number}").uniform(0, longest)
            senders.run(seconds, server.kill)
            line = (
                f"kill {number + 1:3}: started in {began:.1f} s, killed {seconds:.2f} s after the first answer, "
                f"{len(told.acknowledged) - before} messages acknowledged"
            )
            say(line)
            said |= {"round": number + 1, "sent": told.sent}
            state.save()
        server.start()
        senders.finish()
        waited = _drain(database_url)
        server.stop()
    report.lines.append(f"{len(told.acknowledged)} messages acknowledged, the last worked {waited:.0f} s after the end")
    if told.refused:
        report.wrong.append(f"refused: {sorted(set(told.refused))}")
    _prove(database_url, list(islice(messages(seed, records), told.sent)), told, report)
    _read_log(log, report)
    return report


def _drain(database_url: str) -> float:
    """Wait until nothing is waiting; how long that took."""
    began = time.monotonic()
    inlet = Inlet.open(database_url)
    try:
        while time.monotonic() - began < DRAIN_SECONDS:
            entries = inlet.read(lambda uow: uow.inbox.entries(limit=10_000_000))
            if all(entry.state in ("done", "held") for entry in entries):
                return time.monotonic() - began
            time.sleep(0.2)
    finally:
        inlet.close()
    raise RuntimeError("messages are still waiting")


def _prove(database_url: str, sent: list[tuple[str, bytes]], told: Told, report: Report) -> None:
    inlet = Inlet.open(database_url)
    entries = {entry.id: entry for entry in inlet.read(lambda uow: uow.inbox.entries(limit=10_000_000))}
    lost = [id for id, hash in told.acknowledged.items() if id not in entries or entries[id].hash != hash]
    if lost:
        report.wrong.append(f"{len(lost)} acknowledged messages are not in the inbox as they were sent: {lost[:5]}")
    report.wrong += proof.check(inlet)
    statements, resources, items = inlet.read(
        lambda uow: (
            *_told(uow),
            sum(sum(entry.items.values()) for entry in entries.values()),
        )
    )
    again = sum(entry.attempts > 1 for entry in entries.values())
    report.lines.append(
        f"{len(entries)} messages in the inbox ({len(entries) - len(told.acknowledged)} kept, not acknowledged, and "
        f"sent again), {again} of them taken over after a kill, {items} items"
    )
    report.lines.append(f"{len(statements)} statements, {len(resources)} agreed resources")
    with tempfile.TemporaryDirectory(prefix="samverka-kill-") as folder:
        calm = Inlet.open(f"sqlite:///{folder}/calm.db")
        proof.same_namespace(inlet.store, calm.store)
        calm = _reopened(calm, f"sqlite:///{folder}/calm.db")
        for package, body in sent:
            calm.keep(package, body)
        calm.drain()
        expected, expected_resources = calm.read(_told)
        calm.close()
    inlet.close()
    if len({one.digest for one in statements}) != len(statements):
        report.wrong.append("a statement is there twice")
    # Of what is said by the way, what is worked again later may have been said as of an earlier day (ADR 74).
    counting, calmly = ({one.digest for one in first_said(said)} for said in (statements, expected))
    missing, more = calmly - counting, counting - calmly
    if missing or more:
        report.wrong.append(f"statements: {len(missing)} missing, {len(more)} that nobody made without the kills")
    differing = [
        ref for ref in chain(resources, expected_resources) if resources.get(ref) != expected_resources.get(ref)
    ]
    if differing:
        report.wrong.append(f"resources: {len(set(differing))} differ from those without kills: {differing[:5]}")


def _told(uow: UnitOfWork) -> tuple[list[Statement], proof.Resources]:
    """What the sources state and what is agreed of it. Gaps are not in it: what the server's watch has raised so far
    goes by the time that it had, and nobody watches over the calm installation."""
    every = list(uow.statements.all())
    raised = {f"{one.resource_type}/{one.resource_id}" for one in every if one.source == GATEWAY_SOURCE}
    agreed = {ref: one for ref, one in proof.agreed(uow).items() if ref not in raised}
    return [one for one in every if one.source != GATEWAY_SOURCE], agreed


def _reopened(inlet: Inlet, url: str) -> Inlet:
    inlet.close()
    return Inlet.open(url)


def _read_log(log: Path, report: Report) -> None:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    failures = [line for line in lines if '"level": "error"' in line or "Traceback" in line]
    report.lines.append(f"{len(lines)} lines of log, {len(failures)} errors")
    report.wrong += [f"log: {line[:300]}" for line in failures[:5]]
    told = [leak for line in lines for leak in leaks(line)]
    if told:
        report.wrong.append(f"log: {len(told)} times a person could be told")
