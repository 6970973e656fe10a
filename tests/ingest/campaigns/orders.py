"""The demo's messages in random orders of arrival: the agreed resources are the same, whatever the order.

Every delivery takes part: repeated ones, snapshots, what came late. The clock shows the times of receipt in their usual
order, whatever message arrives. Rounds with an odd number keep all messages first and work them in large ranges; the
others work each message as it arrives.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from random import Random
from typing import Any

import structlog

from gateway.ingest.sources import Sources, read
from gateway.mapping import Packages
from gateway.store import Store
from tests.ingest.campaigns import proof
from tests.ingest.campaigns.proof import Resources
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.ingest.inlet import Inlet

DEMO = Path(__file__).parents[3] / "demo"
NAMESPACE = b"one and the same"
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message at one of its receipts."""

    received: datetime
    source: str
    body: bytes


@cache
def deliveries() -> tuple[Delivery, ...]:
    """All that the demo receives, in the order of receipt."""
    script = tomllib.loads((DEMO / "demo.toml").read_text(encoding="utf-8"))
    told = []
    for message in script["message"]:
        received = message["received"]
        body = (DEMO / message["file"]).read_bytes()
        told += [
            Delivery(time, message["source"], body) for time in (received if isinstance(received, list) else [received])
        ]
    return tuple(sorted(told, key=lambda one: one.received))


@cache
def sources() -> Sources:
    return read(DEMO / "sources.toml", Packages.shipped().ids)


def shuffled(seed: int, number: int) -> list[Delivery]:
    order = list(deliveries())
    Random(f"{seed}/{number}").shuffle(order)
    return order


def opened(url: str) -> Inlet:
    """An empty installation whose ids are those of every other run."""
    with Store.open(url) as store:
        store.write(lambda uow: uow.meta.put("secret:namespace", NAMESPACE))
    return Inlet.open(url, sources=sources())


def arrive(inlet: Inlet, order: Sequence[Delivery], *, together: bool) -> None:
    """Let the messages arrive, the clock going on as ever."""
    for time, one in zip((usual.received for usual in deliveries()), order, strict=True):
        inlet.now = time
        if together:
            inlet.keep(one.source, one.body)
        else:
            inlet.ingest.take(inlet.sources.get(one.source), one.body, "application/octet-stream")
    inlet.drain()


def outcome(order: Sequence[Delivery], *, together: bool) -> tuple[Resources, list[str]]:
    """What is agreed after this order, and what is wrong with it by itself."""
    with _folder() as folder:
        shutil.copy(_template(), Path(folder) / "order.db")
        inlet = opened(f"sqlite:///{folder}/order.db")
        try:
            arrive(inlet, order, together=together)
            return inlet.read(proof.agreed), proof.check(inlet)
        finally:
            inlet.close()


@cache
def usual() -> Resources:
    """What is agreed when everything comes as it came."""
    found, wrong = outcome(deliveries(), together=False)
    assert wrong == []
    return found


def differences(found: Resources) -> list[str]:
    expected = usual()
    return sorted(ref for ref in {*found, *expected} if found.get(ref) != expected.get(ref))


def round_of(job: tuple[int, int]) -> tuple[int, list[str]]:
    """One order: what is wrong after it."""
    seed, number = job
    found, wrong = outcome(shuffled(seed, number), together=bool(number % 2))
    differing = differences(found)
    if differing:
        wrong.append(f"{len(differing)} resources differ from those of the usual order: {differing[:5]}")
    return number, wrong


def campaign(*, rounds: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Orders that the state does not hold yet, two at once."""
    report = Report()
    said = state.said
    said.setdefault("done", {})
    todo = [(seed, number) for number in range(rounds) if str(number) not in said["done"]]
    with multiprocessing.get_context("spawn").Pool(PROCESSES, _quiet) as pool:
        for number, wrong in pool.imap_unordered(round_of, todo):
            said["done"][str(number)] = wrong
            state.save()
            if wrong or len(said["done"]) % 10 == 0:
                say(f"{len(said['done']):4} orders done" + "".join(f"; WRONG in {number}: {one}" for one in wrong))
    done = {number: said["done"][str(number)] for number in range(rounds)}
    report.wrong += [f"order {number}: {one}" for number, wrong in done.items() for one in wrong]
    distinct = len({(one.source, one.body) for one in deliveries()})
    report.lines += [
        f"{len(deliveries())} deliveries of {distinct} messages from {len(sources())} sources",
        f"{rounds} random orders, every second one worked in large ranges",
        "after each: rebuild, audit chains, change log",
        f"{len(usual())} agreed resources, digest {_digest(usual())}",
        f"{sum(not wrong for wrong in done.values())} orders agree in every byte but version and time",
    ]
    return report


def interleaved(url: str, *, seed: int, workers: int = 2, processes: bool = True) -> Report:
    """Several processes (or threads, which start faster) that take messages from one PostgreSQL, a few at a time."""
    inlet = opened(url)
    order = shuffled(seed, -1)
    for time, one in zip((usual.received for usual in deliveries()), order, strict=True):
        inlet.now = time
        inlet.keep(one.source, one.body)
    with multiprocessing.get_context("spawn").Pool(workers, _quiet) if processes else ThreadPool(workers) as pool:
        worked = pool.map(_work, [url] * workers, chunksize=1)
    found = inlet.read(proof.agreed)
    report = Report(wrong=proof.check(inlet))
    inlet.close()
    differing = differences(found)
    if differing:
        report.wrong.append(f"{len(differing)} resources differ from those of one process: {differing[:5]}")
    report.lines.append(f"{workers} workers on one PostgreSQL worked {worked} messages of {len(order)}")
    return report


def _work(url: str) -> int:
    inlet = Inlet.open(url, sources=sources())
    worked = 0
    while found := inlet.ingest.process_waiting(most=3):
        worked += len(found)
    inlet.close()
    return worked


def _quiet() -> None:
    structlog.configure(processors=[drop])


def drop(*_: Any) -> Any:
    raise structlog.DropEvent


def _digest(resources: Resources) -> str:
    text = json.dumps(resources, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _folder() -> tempfile.TemporaryDirectory[str]:
    # In memory where there is such a place: thousands of commits wait for no disk.
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="samverka-order-", dir=memory if memory.is_dir() else None)


@cache
def _template() -> Path:
    """An empty, migrated database to copy."""
    path = Path(tempfile.mkdtemp(prefix="samverka-order-")) / "template.db"
    Store.open(f"sqlite:///{path}").close()
    return path
