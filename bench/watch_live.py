"""The gap watch by the wall's clock: the job itself, processes that make the changes, and one that hears of the gaps.

The changes go through the recorder, which is the gateway's own way to write what a source says, 200 in a unit of work
as the ingest takes a message's items: new versions, history, search rows and change log are all written. What a source
and its map do is done beforehand: what is to be said waits in a feeder's memory, with the time at which it is said.
A gap is late by the time from when it began until it can be read and is in the change log: the end of the time for an
answer, or the return of the commit by which a mission was refused. All that began within the time is waited for.

The watch and its connections' processes at PostgreSQL are held to one core; PostgreSQL's own processes and who hears
have the others. The feeders take what is left of any, and give way: one core alone carries some 900 changes/s (with
`--free`, or on one core, nothing is held). The clock is the bench's: a second of it is one of the wall's.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from bench.serving import spent
from bench.watched import A_MINUTE, BEGIN, change, changed, observation
from gateway.app import settle, wire
from gateway.jobs.runner import Runner
from gateway.jobs.watching import WATCH
from gateway.records import Statement
from gateway.settings import Settings

if TYPE_CHECKING:
    from bench.watch import Bench

TOGETHER = 200
"""Changes of a unit of work at most."""
BEAT = 0.2
"""Seconds between two units of work, where the feeders keep up."""
HEARS = 0.1
"""Seconds between two looks at the change log: a gap is told so much later at most than it could be."""
GRACE = 3
"""So many seconds after the last change is still heard of gaps."""
GIVES_WAY = 10
"""How much less of a core that it shares with the watch a feeder is given: it stands for who is elsewhere."""
_WARM = 200


@dataclass(frozen=True, slots=True)
class Span:
    """When the run began by the wall's clock, shared by its processes; its first second, and how many it has."""

    begun: Any
    first: int
    seconds: int

    def gone(self) -> float:
        return time.time() - float(self.begun.value)

    def clock(self) -> datetime:
        return self.at(self.gone())

    def at(self, gone: float) -> datetime:
        return BEGIN + timedelta(seconds=self.first + gone)


@dataclass(frozen=True, slots=True)
class Heard:
    """A gap that was raised: its code, when it began, when it was heard of, and the Tasks that show it (ids)."""

    code: str
    began: datetime
    heard: datetime
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fed:
    """What a feeder did: when each refusal (id of its Task) was committed, and how it kept up.

    How many changes of how many it made, in how many seconds, by how much CPU a second (ms), and how long after it was
    said the first change of each unit of work was committed (s).
    """

    refused: Mapping[str, datetime]
    made: int
    asked: int
    seconds: float
    cpu: float
    late: Sequence[float]


def live(bench: Bench, seconds: int, changes: int, bearing: int, *, feeders: int, pinned: bool) -> str:
    """The job for so many seconds; what is told of it, in lines. The feeders take turns with the changes."""
    store, clock, first = bench.gateway.store, bench.clock, bench.state["second"]
    clock.now = BEGIN + timedelta(seconds=first)
    while bench.watch()[1]:  # What is left of the last run; and what is loaded and compiled once is.
        pass
    store.number_changes()  # Nothing of it is heard of now.
    context = get_context("spawn")
    span = Span(context.Value("d"), first, seconds)
    together, fed, heard = context.Barrier(feeders + 2), context.Queue(), context.Queue()
    cores = _Cores(bench, pinned=pinned)
    others = [
        context.Process(
            target=feed, args=(bench.url, span, together, changes, bearing, bench.persons, (place, feeders), fed)
        )
        for place in range(feeders)
    ]
    others.append(context.Process(target=hear, args=(bench.url, span, together, cores.rest, heard)))
    for one in others:
        one.start()
    cores.hold()
    runner, job = _standing(bench)
    while together.n_waiting < len(others):
        time.sleep(0.05)
    span.begun.value = time.time()
    clock.tick = span.clock
    together.wait()
    before = _spent_alone(bench)
    runner.start()
    while (gaps := _next(heard)) is None:
        if not all(one.is_alive() or one.exitcode == 0 for one in others):
            raise SystemExit("A process of the run has ended before its time.")
        cores.hold()  # The watch may have opened another connection.
    gone = span.gone()
    spent = [1000 * (now - then) / gone for now, then in zip(_spent_alone(bench), before, strict=True)]
    runner.stop()
    made = [fed.get() for _ in range(feeders)]
    for one in others:
        one.join()
    found = store.read(lambda uow: uow.jobs.get(job))
    assert found is not None
    bench.keep(place=dict(found.place), second=ceil(first + gone))
    told = [
        f"{seconds} s, {spent[0]:.0f} ms of CPU a second, and {spent[1]:.0f} of its server's processes; {cores.told}",
        _kept_up(made),
    ]
    refused = {id: committed for one in made for id, committed in one.refused.items()}
    return "\n  ".join([*told, *_late(gaps, refused, bench.persons, span)])


def _kept_up(made: Sequence[Fed]) -> str:
    late = sorted(one for of in made for one in of.late)
    done, asked, cpu = (sum(getattr(one, name) for one in made) for name in ("made", "asked", "cpu"))
    return (
        f"{done} changes of {asked} in {max(one.seconds for one in made):.1f} s by {len(made)}, {cpu:.0f} ms of CPU a "
        f"second; a range's first was committed {late[len(late) // 2]:.2f} s (median) and {late[-1]:.2f} s (at most) "
        "after it was said"
    )


def _late(gaps: Iterable[Heard], refused: Mapping[str, datetime], persons: int, span: Span) -> list[str]:
    """How late gaps were, after the end of the time for an answer, and after the commit of a refusal."""
    begun = [one for one in gaps if span.at(0) <= one.began < span.at(span.seconds)]
    committed = {one.about[0]: one for one in begun if one.code == "unowned" and one.about[0] in refused}
    due = min(span.seconds * A_MINUTE // 60, max(0, persons - span.first * A_MINUTE // 60))
    waited = [one for one in begun if one.code == "unanswered"]
    return [
        _spread(f"unanswered of {due} due, after it was due", [one.heard - one.began for one in waited]),
        _spread(
            f"unowned of {len(refused)} refused, after its commit",
            [one.heard - refused[id] for id, one in committed.items()],
        ),
    ]


def _spread(what: str, times: Iterable[timedelta]) -> str:
    late = sorted(one.total_seconds() for one in times)
    if not late:
        return f"0 {what}"
    half, most, over = late[len(late) // 2], late[int(len(late) * 0.99)], sum(one > 1 for one in late)
    return f"{len(late)} {what}: p50 {half:.2f} s, p99 {most:.2f} s, max {late[-1]:.2f} s, {over} after more than 1 s"


def feed(
    url: str,
    span: Span,
    together: Any,
    changes: int,
    bearing: int,
    persons: int,
    turn: tuple[int, int],
    fed: Any,
) -> None:
    """The changes of some seconds, as they come by the wall's clock: in a process of its own.

    `turn` is whose of how many feeders this is: they have each other's changes between theirs.
    """
    place, feeders = turn
    os.nice(GIVES_WAY)
    gateway = wire(Settings(database_url=url, worker=False), span.clock)
    recorder, store = gateway.ingest.recorder, gateway.store
    first, rate = span.first * changes, changes / feeders
    coming = [
        change(persons // 2 + first + n, persons, bearing, span.at(n / changes))
        for n in range(place, span.seconds * changes, feeders)
    ]
    warm = [
        (observation if n % 100 >= bearing else changed)(n % persons, 10_000 + span.first, BEGIN)
        for n in range(place * _WARM, (place + 1) * _WARM)
    ]
    store.write(lambda uow: recorder.record(uow, warm), now=span.at(0))
    settle()
    gc.freeze()  # What waits to be said is no garbage, and need not be looked through.
    together.wait()
    cpu, made, late = time.process_time(), 0, list[float]()
    refused: dict[str, datetime] = {}
    time.sleep(BEAT * place)
    while made < len(coming) and (gone := span.gone()) < span.seconds + GRACE:
        until = min(len(coming), int(gone * rate))
        now = span.clock()
        part = [replace(one, recorded=now) for one in coming[made : min(until, made + TOGETHER)]]
        if part:
            store.write(lambda uow, part=part: recorder.record(uow, part), now=now)
            committed = span.clock()
            late.append((committed - part[0].effective).total_seconds())
            refused |= {one.resource_id: committed for one in part if _refuses(one)}
        made += len(part)
        if made >= until:
            time.sleep(max(0.0, BEAT * feeders - (span.gone() - gone)))
    gone = span.gone()
    cpu = 1000 * (time.process_time() - cpu) / gone
    gateway.close()
    fed.put(Fed(refused, made, len(coming), gone, cpu, late))


def _refuses(one: Statement) -> bool:
    return one.body.get("status") == "rejected"


def hear(url: str, span: Span, together: Any, cores: frozenset[int], heard: Any) -> None:
    """When each gap can be read, and is in the change log: by a process that follows that.

    Numbering what is committed is the part of whoever follows, as it is of who notifies (ingest/housekeeping.py).
    """
    _hold_to(cores)
    gateway = wire(Settings(database_url=url, worker=False))
    store = gateway.store
    seq = store.read(lambda uow: uow.changes.last())
    found: list[Heard] = []
    together.wait()
    while span.gone() < span.seconds + GRACE:
        time.sleep(HEARS)
        store.number_changes()
        now = span.clock()
        new = store.read(lambda uow, seq=seq: uow.changes.after(seq, limit=10_000))
        issues = [("DetectedIssue", one.id) for one in new if one.resource_type == "DetectedIssue"]
        for one in store.read(lambda uow, issues=issues: uow.resources.read_many(issues)).values():
            issue = one.resource()
            if "end" not in issue["identifiedPeriod"]:
                start = datetime.fromisoformat(issue["identifiedPeriod"]["start"])
                about = tuple(named["reference"].partition("/")[2] for named in issue["implicated"])
                found.append(Heard(issue["code"]["coding"][0]["code"], start, now, about))
        seq = new[-1].seq if new else seq
    gateway.close()
    heard.put(found)


def _next(queue: Any) -> Any:
    try:
        return queue.get(timeout=1)
    except Empty:
        return None


def _standing(bench: Bench) -> tuple[Runner, int]:
    """The job, where the bench is, and its number."""
    store, place = bench.gateway.store, bench.state["place"]
    runner = bench.gateway.watch()
    (job,) = store.read(lambda uow: uow.jobs.of_kind(WATCH, unfinished=True))
    store.write(lambda uow: uow.jobs.claim("bench", [WATCH], lease=timedelta(seconds=1)))
    store.write(lambda uow: uow.jobs.progress(job.number, "bench", place=place, done=0, total=0, lease=timedelta()))
    return runner, job.number


class _Cores:
    """Which core the watch is held to, with what PostgreSQL does for it; `rest` are the others."""

    def __init__(self, bench: Bench, *, pinned: bool) -> None:
        self._bench = bench
        all = sorted(os.sched_getaffinity(0))
        self._pinned = pinned and len(all) > 1
        self._own = frozenset(all[:1] if self._pinned else all)
        self.rest = frozenset(all[1:] if self._pinned else all)
        self.told = f"held to core {all[0]}" if self._pinned else "held to no core"
        if self._pinned and bench.server is not None:
            children = Path(f"/proc/{bench.server}/task/{bench.server}/children").read_text().split()
            for process in (bench.server, *map(int, children)):
                os.sched_setaffinity(process, self.rest)

    def hold(self) -> None:
        """Hold all threads of this process, and the server's processes for it, to the one core."""
        if self._pinned:
            for thread in [int(one.name) for one in Path("/proc/self/task").iterdir()]:
                os.sched_setaffinity(thread, self._own)
            for process in _connections(self._bench):
                os.sched_setaffinity(process, self._own)


def _hold_to(cores: frozenset[int]) -> None:
    os.sched_setaffinity(0, cores)


def _connections(bench: Bench) -> list[int]:
    """The processes that PostgreSQL has for the watch's connections."""
    if bench.server is None:
        return []
    engine = create_engine(bench.url)
    named = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'watch'")
    with engine.connect() as connection:
        found = [int(process) for process in connection.scalars(named)]
    engine.dispose()
    return found


def _spent_alone(bench: Bench) -> tuple[float, float]:
    """CPU of this process, and of those that PostgreSQL has for its connections."""
    return time.process_time(), sum(spent(process) for process in _connections(bench))
