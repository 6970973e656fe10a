"""A golden history as files: what each source sent and when, and the answers that follow from the rules.

A folder holds `answer.md`, written for a clinician, and the messages in their sources' own formats. A message's name
says when it came (Swedish time) and from whom: `2026-03-12T14.05_1177-vg.json`.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from gateway.access.caller import OPERATOR, Asking
from gateway.adapters.media import media_type
from gateway.app import Gateway, wire
from gateway.coordination.narrative import LINES, SECTIONS
from gateway.coordination.words import words
from gateway.ingest.pipeline import Ingest
from gateway.mapping import Packages
from gateway.settings import Settings

HERE = Path(__file__).parent
PACKAGES = Packages.shipped()
"""Compiled once for all histories."""
SWEDEN = ZoneInfo("Europe/Stockholm")
ASKING = Asking(OPERATOR, "operation", request_id="golden")
DIRECTORY = "katalogen"
OPENED = datetime(2026, 1, 1, 6, tzinfo=SWEDEN)
"""When the directory of units was first read."""
NOTHING = "inget"
_INSTANT = re.compile(r"## (\S+ \S+?)(?:, som det var känt (\S+ \S+))?")
_HEADINGS = {heading.sv: name for name in SECTIONS if (heading := words("sections", name))}

Told = dict[str, list[str]]
"""By section, the lines in Swedish."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message: when it came, from which source."""

    received: datetime
    source: str
    path: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said of an instant; `known_at` where it is not the same."""

    at: datetime
    known_at: datetime
    told: Told


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
        return {DIRECTORY, *(one.source for one in self.deliveries)}

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
    return Delivery(datetime.strptime(when, "%Y-%m-%dT%H.%M").replace(tzinfo=SWEDEN), source.partition("~")[0], path)


def _answers(lines: Sequence[str]) -> Iterator[Answer]:
    starts = [number for number, line in enumerate(lines) if line.startswith("## ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        instant = _INSTANT.fullmatch(lines[start])
        assert instant, lines[start]
        at = _time(instant[1])
        yield Answer(at, _time(instant[2]) if instant[2] else at, _told(lines[start + 1 : end]))


def _told(lines: Sequence[str]) -> Told:
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


@contextmanager
def opened(history: History, directory: Path, folder: Path) -> Iterator[Opened]:
    """A gateway of the history's own sources, on a copy of the database that holds the directory of units."""
    folder.mkdir(exist_ok=True, parents=True)
    shutil.copy(directory, folder / "golden.db")
    clock = Clock()
    gateway = wire(_settings(folder, history.sources), clock)
    try:
        yield Opened(gateway, Ingest(gateway.store, PACKAGES, gateway.sources, clock), clock)
    finally:
        gateway.close()


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
    return Settings(database_url=f"sqlite:///{folder / 'golden.db'}", sources=path, log_level="error")


def tell(on: Opened, history: History) -> None:
    """Every message through ingest, with the clock set to its receipt."""
    for one in history.deliveries:
        on.clock.now = one.received
        outcome = on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
        assert outcome.held == 0, f"{one.path.name}: a record cannot be used"


def tell_disordered(on: Opened, history: History, seed: int) -> None:
    """The same messages, kept when they came, some of them twice, and worked through in an order of chance."""
    chance = Random(f"{history.name} {seed}")
    kept = []
    for one in history.deliveries:
        on.clock.now = one.received
        for _ in range(chance.choice((1, 1, 2))):
            source, body = on.gateway.sources.get(one.source), one.path.read_bytes()
            kept.append(on.ingest.keep(source, body, media_type(one.path)))
    chance.shuffle(kept)
    on.clock.now = history.end
    for inbox_id in kept:
        assert on.ingest.process(inbox_id).held == 0


def ask(on: Opened, history: History, at: datetime, known_at: datetime) -> Told:
    """The answer for an instant, in Swedish lines."""
    on.clock.now = max(at, known_at)
    patient = on.gateway.door.find_person(ASKING, history.person)
    assert patient, f"{history.person} is unknown"
    view = on.gateway.door.view(ASKING, patient, at=at, known_at=known_at)
    return {name: list(LINES[name](view, "sv")) for name in SECTIONS}


def written(told: Told) -> str:
    """Lines as `answer.md` has them."""
    parts = []
    for heading, name in _HEADINGS.items():
        parts += [heading, *(f"- {line}" for line in told.get(name) or [NOTHING])]
    return "\n".join(parts)
