"""Altered messages of every package, pushed at a real server: kept, worked, told; never a 500, never lost, no names.

Each round has messages of its own, made from the seed and the round's number, so any of them can be made again.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.ingest.bad_cases import GOOD
from tests.ingest.campaigns import proof
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.server import Server
from tests.ingest.campaigns.state import State
from tests.ingest.inlet import Inlet
from tests.ingest.leaks import leaks
from tests.ingest.mutations import mutated, names

PER_ROUND = 20
"""Messages of each package in a round."""
SENDERS = 4
SECONDS = 300


def messages(seed: int, number: int) -> Iterator[tuple[str, bytes]]:
    for n in range(PER_ROUND):
        for package in GOOD:
            yield package, mutated(package, Random(f"{seed}/{number}/{n}/{package}"))


def campaign(database_url: str, *, rounds: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    report = Report()
    said = state.said
    said.setdefault("round", 0)
    said.setdefault("states", {})
    said.setdefault("wrong", [])
    log = Path(said.setdefault("log", str(Path(tempfile.mkdtemp(prefix="samverka-fuzz-")) / "server.log")))
    with Server(database_url, log) as server:
        server.start()
        for number in range(said["round"], rounds):
            counted, wrong = _round(server.address, seed, number)
            said["states"] = dict(Counter(said["states"]) + counted)
            said["wrong"] += wrong
            said["round"] = number + 1
            state.save()
            say(f"round {number + 1:4}: {dict(counted)}" + "".join(f"\nWRONG {one}" for one in wrong))
    inlet = Inlet.open(database_url)
    report.wrong += said["wrong"] + proof.check(inlet)
    inlet.close()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    bad = [line for line in lines if '"level": "error"' in line or "Traceback" in line]
    report.wrong += [f"log: {line[:300]}" for line in bad[:5]]
    report.wrong += [f"log: {line[:300]}" for line in lines if _leaks(line)][:5]
    report.lines.append(f"{sum(said['states'].values())} altered messages: {said['states']}")
    report.lines.append(f"{len(lines)} lines of log, {len(bad)} errors")
    return report


def _round(address: str, seed: int, number: int) -> tuple[Counter[str], list[str]]:
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    with httpx.Client(base_url=address, timeout=60) as client, ThreadPoolExecutor(SENDERS) as pool:

        def push(job: tuple[int, tuple[str, bytes]]) -> None:
            n, (package, body) = job
            name = f"seed {seed}, round {number}, message {n} ({package})"
            answer = client.post(f"/ingest/{package}", content=body)
            if answer.status_code != 202:
                wrong.append(f"{name}: {answer.status_code}")
                return
            shown = _worked(client, answer.headers["location"])
            counted[shown["state"]] += 1
            wrong.extend(f"{name}: {fault}" for fault in faults(shown, body))

        list(pool.map(push, enumerate(messages(seed, number))))
    return counted, wrong


def faults(shown: dict[str, Any], body: bytes) -> Iterator[str]:
    """What must not be in what is said of a message."""
    if shown["state"] not in ("done", "held"):
        yield f"it is {shown['state']}"
    if shown["sha256"] != hashlib.sha256(body).hexdigest():
        yield "it is not what was sent"
    for issue in (*shown["issues"], *(issue for item in shown["items"] for issue in item["issues"])):
        if issue["rule"] == "unforeseen":
            yield "it broke the gateway"
        # A member's name is no value: a place may have it.
        for leak in (*_leaks(issue["text"]), *leaks(issue.get("where", ""), ())):
            yield f"an issue ({issue['rule']}) tells {leak!r}"


def _leaks(text: str) -> list[str]:
    return leaks(text, names())


def _worked(client: httpx.Client, where: str) -> dict[str, Any]:
    until = time.monotonic() + SECONDS
    while True:
        shown: dict[str, Any] = client.get(where).json()
        if shown["state"] != "received" or time.monotonic() > until:
            return shown
        time.sleep(0.02)
