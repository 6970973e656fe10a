"""A golden history as files: what each source sent and when, and the answers that follow from the rules.

A folder holds `answer.md`, written for a clinician, and the messages in their sources' own formats. A message's name
says when it came (Swedish time) and from whom: `2026-03-12T14.05_1177-vg.json`. What a party writes over REST is a file
of requests (`commands`): `2026-03-12T14.05_vardcentralen.http`. An answer is the operator's, unless it says whose.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import httpx

from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.adapters.media import media_type
from gateway.app import Gateway, background, wire
from gateway.coordination.narrative import LINES, SECTIONS
from gateway.coordination.words import words
from gateway.errors import NotFound
from gateway.ingest.pipeline import Ingest
from gateway.mapping import Packages
from gateway.settings import Settings
from tests.golden import commands

HERE = Path(__file__).parent
PACKAGES = Packages.shipped()
"""Compiled once for all histories."""
SWEDEN = ZoneInfo("Europe/Stockholm")
ASKING = Asking(OPERATOR, "operation", request_id="golden")
DIRECTORY = "katalogen"
OPENED = datetime(2026, 1, 1, 6, tzinfo=SWEDEN)
"""When the directory of units was first read."""
NOTHING = "inget"
LATE = 0.5
"""How many of the messages that a command does not need have not been worked through when it is written."""
UNKNOWN = "Personen finns inte för den som frågar."
_INSTANT = re.compile(r"## (\S+ \S+?)(?:, som det var känt (\S+ [^\s,]+))?(?:, sett av (.+))?")
_HEADINGS = {heading.sv: name for name in SECTIONS if (heading := words("sections", name))}

Told = dict[str, list[str]]
"""By section, the lines in Swedish."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message: when it came, from which source."""

    received: datetime
    source: str
    path: Path
    requests: tuple[commands.Request, ...] = ()
    """What it holds, if it is a party's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said of an instant; `known_at` where it is not the same. None: the person is unknown to him."""

    at: datetime
    known_at: datetime
    told: Told | None
    caller: Caller = OPERATOR


@dataclass(frozen=True, slots=True)
class History:
    """One golden history."""

    name: str
    title: str
    rule: str
    person: str
    deliveries: tuple[Delivery, ...]
    answers: tuple[Answer, ...]

    @property
    def sources(self) -> set[str]:
        return {DIRECTORY, *(one.source for one in self.deliveries if not one.requests)}

    @property
    def commands(self) -> list[Delivery]:
        return [one for one in self.deliveries if one.requests]

    @property
    def end(self) -> datetime:
        return max(*(one.received for one in self.deliveries), *(one.known_at for one in self.answers))


def histories() -> list[History]:
    """Every golden history, in order of name."""
    return [read(path.parent) for path in sorted(HERE.glob("*/answer.md"))]


def read(folder: Path) -> History:
    """A history from its folder."""
    lines = (folder / "answer.md").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(": ", 1) for line in lines if line.startswith(("Regel: ", "Person: ")))
    found = [_delivery(path) for path in folder.iterdir() if "_" in path.name]
    return History(
        folder.name,
        lines[0].removeprefix("# "),
        facts["Regel"],
        facts["Person"].split()[-1],
        tuple(sorted(found, key=lambda one: (one.received, one.path.name))),
        tuple(_answers(lines)),
    )


def _delivery(path: Path) -> Delivery:
    when, _, source = path.stem.partition("_")
    received = datetime.strptime(when, "%Y-%m-%dT%H.%M").replace(tzinfo=SWEDEN)
    requests = commands.read(path) if path.suffix == commands.SUFFIX else ()
    return Delivery(received, source.partition("~")[0], path, requests)


def _answers(lines: Sequence[str]) -> Iterator[Answer]:
    starts = [number for number, line in enumerate(lines) if line.startswith("## ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        instant = _INSTANT.fullmatch(lines[start])
        assert instant, lines[start]
        at, caller = _time(instant[1]), commands.caller_of(instant[3]) if instant[3] else OPERATOR
        yield Answer(at, _time(instant[2]) if instant[2] else at, _told(lines[start + 1 : end]), caller)


def _told(lines: Sequence[str]) -> Told | None:
    if UNKNOWN in lines:
        return None
    told: Told = {}
    section = ""
    for line in lines:
        if line in _HEADINGS:
            section = _HEADINGS[line]
            told[section] = []
        elif line.startswith("- ") and line != f"- {NOTHING}":
            told[section].append(line.removeprefix("- "))
        elif line and line != f"- {NOTHING}" and not line.startswith("> "):
            raise ValueError(f"A line is a heading, an item, or a remark after >: {line}")
    return told


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SWEDEN)


class Clock:
    """Shows the time of the message in hand, then of the question."""

    now = OPENED

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Opened:
    """A gateway whose clock shows what is set."""

    gateway: Gateway
    ingest: Ingest
    clock: Clock
    client: httpx.Client | None
    """Of a server of the gateway's, where somebody writes over REST."""

    def write(self, history: History, one: Delivery, times: Callable[[], int] = lambda: 1) -> None:
        """What a party writes, with the clock set to when he does; what he may send again, so many `times`."""
        assert self.client is not None
        self.clock.now = one.received
        for request in one.requests:
            person = self.gateway.door.find_person(ASKING, history.person) or ""
            for _ in range(times() if request.method in commands.IDEMPOTENT else 1):
                request.send(self.client, self.gateway.identities.token(request.caller), person)


@contextmanager
def opened(history: History, directory: Path, folder: Path) -> Iterator[Opened]:
    """A gateway of the history's own sources, on a copy of the database that holds the directory of units."""
    folder.mkdir(exist_ok=True, parents=True)
    shutil.copy(directory, folder / "golden.db")
    clock = Clock()
    gateway = wire(_settings(folder, history.sources), clock)
    with ExitStack() as stack:
        stack.callback(gateway.close)
        client = None
        if history.commands:
            base = stack.enter_context(background(gateway))
            client = stack.enter_context(httpx.Client(base_url=base, timeout=60))
        yield Opened(gateway, Ingest(gateway.store, PACKAGES, gateway.sources, clock), clock, client)


def directory_of_units(folder: Path) -> Path:
    """A database that holds the directory of units alone."""
    gateway = wire(_settings(folder, {DIRECTORY}), Clock())
    gateway.ingest.take(gateway.sources.get(DIRECTORY), (HERE / "units.csv").read_bytes(), "text/csv")
    gateway.close()
    return folder / "golden.db"


def _settings(folder: Path, sources: set[str]) -> Settings:
    known = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))["source"]
    rows = [
        f"[source.{id}]\n" + "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in facts)
        for id, facts in ((id, known[id].items()) for id in sorted(sources))
    ]
    path = folder / "sources.toml"
    path.write_text("\n\n".join(rows), encoding="utf-8")
    url = f"sqlite:///{folder / 'golden.db'}"
    return Settings(database_url=url, sources=path, log_level="error", worker=False, watch_gaps=False)


def tell(on: Opened, history: History) -> None:
    """Every message through ingest, with the clock set to its receipt; what parties write over REST in between."""
    for one in history.deliveries:
        if one.requests:
            on.write(history, one)
            continue
        on.clock.now = one.received
        outcome = on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        assert outcome.held == 0, f"{one.path.name}: a record cannot be used"


def tell_disordered(on: Opened, history: History, seed: int) -> None:
    """The same messages, kept when they came, some of them twice, and worked through in an order of chance.

    A command is decided on what is known: it is written when it was, and what it needs is worked through before it. Of
    what came earlier the rest is late, or not. A client that has heard no answer sends it again.
    """
    chance = Random(f"{history.name} {seed}")
    kept: list[tuple[str, str]] = []
    for one in history.deliveries:
        on.clock.now = one.received
        if one.requests:
            wanted = set(commands.needed(one.requests))
            late = [each for each in kept if each[0] not in wanted and chance.random() < LATE]
            _work_through(on, [each for each in kept if each not in late], chance)
            kept = late
            on.write(history, one, lambda: chance.choice((1, 1, 2)))
            continue
        for _ in range(chance.choice((1, 1, 2))):
            source, body = on.gateway.sources.get(one.source), one.path.read_bytes()
            kept.append((one.path.name, on.ingest.keep(source, body, media_type(one.path))))
    on.clock.now = history.end
    _work_through(on, kept, chance)


def _work_through(on: Opened, kept: Sequence[tuple[str, str]], chance: Random) -> None:
    ids = [id for _, id in kept]
    chance.shuffle(ids)
    for inbox_id in ids:
        assert on.ingest.process(inbox_id).held == 0


def ask(on: Opened, history: History, at: datetime, known_at: datetime, caller: Caller = OPERATOR) -> Told | None:
    """The answer for an instant, in Swedish lines; None where the person is unknown to who asks."""
    on.clock.now = max(at, known_at)
    patient = on.gateway.door.find_person(ASKING, history.person)
    assert patient, f"{history.person} is unknown"
    try:
        view = on.gateway.door.view(replace(ASKING, caller=caller), patient, at=at, known_at=known_at)
    except NotFound:
        return None
    return {name: list(LINES[name](view, "sv")) for name in SECTIONS}


def written(told: Told | None) -> str:
    """Lines as `answer.md` has them."""
    if told is None:
        return UNKNOWN
    parts = []
    for heading, name in _HEADINGS.items():
        parts += [heading, *(f"- {line}" for line in told.get(name) or [NOTHING])]
    return "\n".join(parts)
