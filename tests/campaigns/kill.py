"""The server is killed (-9) during ingest, again and again: what was acknowledged is there, processed once.

    python -m tests.campaigns.kill --rounds 10 [--database-url postgresql+psycopg://…]

Several senders push seeded messages of every package over HTTP; the server is killed at a random moment and started
again. In the end every message that was answered 202 must be in the inbox and done, each of its records there once; the
fold of all statements must be what is stored, the change log without a gap, the audit chains whole.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from bench.generate import GENERATORS, Generated, generate
from gateway.coordination.recorder import Recorder
from gateway.ingest.rebuild import rebuild
from gateway.store import Store, UnitOfWork

SENDERS = 3
PATIENCE = 60.0
BATCHED = frozenset({"rivta-logistics", "municipal-csv", "directory-csv", "fhir-r4"})


@dataclass(slots=True)
class Campaign:
    """The messages to push, what was acknowledged of them, and the server under test."""

    database_url: str
    messages: list[tuple[str, Generated]]
    dice: random.Random
    acknowledged: list[tuple[int, str]] = field(default_factory=list)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> tuple[subprocess.Popen[bytes], str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gateway", "serve", "--port", str(port)]
        environment = os.environ | {"SAMVERKA_DATABASE_URL": self.database_url, "SAMVERKA_LOG_LEVEL": "error"}
        server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                if httpx.get(f"{address}/ready", timeout=1).status_code == 200:
                    return server, address
            except httpx.HTTPError:
                time.sleep(0.05)
        server.kill()
        raise TimeoutError("the server does not start")

    def push(self, address: str, alive: float | None) -> None:
        """Push from several senders until the server dies, is killed after `alive` seconds, or nothing is left."""
        senders = [threading.Thread(target=self._send, args=(address,)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        if alive is not None:
            time.sleep(alive)

    def _send(self, address: str) -> None:
        with httpx.Client(base_url=address, timeout=5) as client:
            while True:
                with self.lock:
                    if self.sent >= len(self.messages):
                        return
                    number, self.sent = self.sent, self.sent + 1
                package, message = self.messages[number]
                try:
                    answer = client.post(f"/ingest/{package}", content=message.body)
                except httpx.HTTPError:
                    return  # Not acknowledged: its sender would send it again.
                assert answer.status_code == 202, answer.text
                with self.lock:
                    self.acknowledged.append((number, answer.json()["id"]))


@dataclass(frozen=True, slots=True)
class Found:
    """What the database holds in the end."""

    acknowledged: int
    missing: int
    states: dict[str, int]
    items: int
    not_once: int
    statements: int
    resources: int
    different: int
    gaps: int
    breaks: int

    @property
    def right(self) -> bool:
        wrong = self.missing + self.not_once + self.different + self.gaps + self.breaks
        return wrong == 0 and self.states == {"done": self.acknowledged}


def run(database_url: str, rounds: int, seed: int, *, records: int, longest: float = 2.5) -> Found:
    """Kill so many times; what is found in the end."""
    dice = random.Random(seed)
    messages = [
        (package, message)
        for package in GENERATORS
        for message in generate(package, records * 3 if package in BATCHED else records, seed=seed)
    ]
    dice.shuffle(messages)
    campaign = Campaign(database_url, messages, dice)
    for number in range(rounds):
        server, address = campaign.start()
        alive = dice.uniform(0.2, longest)
        campaign.push(address, alive)
        server.kill()
        server.wait()
        print(f"kill {number + 1}: after {alive:.2f} s, {len(campaign.acknowledged)} acknowledged", flush=True)
    server, address = campaign.start()
    campaign.push(address, None)
    _wait_until_worked(database_url, campaign)
    server.terminate()
    server.wait()
    return _look(database_url, campaign)


def _wait_until_worked(database_url: str, campaign: Campaign) -> None:
    with Store.open(database_url) as store:
        until = time.monotonic() + 4 * PATIENCE
        while time.monotonic() < until:
            with campaign.lock:
                pushed = campaign.sent >= len(campaign.messages)
            ids = [id for _, id in campaign.acknowledged]
            states = store.read(lambda uow, ids=ids: [uow.inbox.entry(id) for id in ids])  # type: ignore[misc]
            if pushed and all(entry is not None and entry.state in ("done", "held") for entry in states):
                return
            time.sleep(0.5)


def _look(database_url: str, campaign: Campaign) -> Found:
    with Store.open(database_url) as store:
        store.number_changes()

        def look(uow: UnitOfWork) -> tuple[int, Counter[str], int, int, int, int]:
            entries = {id: uow.inbox.entry(id) for _, id in campaign.acknowledged}
            missing = sum(entry is None for entry in entries.values())
            states = Counter(entry.state for entry in entries.values() if entry is not None)
            items = not_once = 0
            for number, id in campaign.acknowledged:
                seqs = [item.seq for item in uow.inbox.items(id)]
                items += len(seqs)
                not_once += seqs != list(range(campaign.messages[number][1].records))
            numbers = [change.seq for change in uow.changes.after(0, limit=1_000_000)]
            gaps = len(numbers) != (numbers[-1] if numbers else 0)
            return missing, states, items, not_once, gaps, len(uow.audit.verify())

        missing, states, items, not_once, gaps, breaks = store.read(look)
        folded = rebuild(store, Recorder(), lambda *_: None)
    return Found(
        acknowledged=len(campaign.acknowledged),
        missing=missing,
        states=dict(states),
        items=items,
        not_once=not_once,
        statements=folded.statements,
        resources=folded.resources,
        different=len(folded.different),
        gaps=gaps,
        breaks=breaks,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=150, help="of each package; three times as many where batched")
    parser.add_argument("--database-url", help="default: a new SQLite file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.database_url or f"sqlite:///{folder}/kill.db"
        found = run(url, given.rounds, given.seed, records=given.records)
    print(found)
    raise SystemExit(0 if found.right else 1)


if __name__ == "__main__":
    main()
