"""`samverka demo`: several weeks of several persons' care, through every package, to one answer."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.access.caller import OPERATOR, Asking
from gateway.adapters.media import media_type
from gateway.app import require_free, serve_gateway
from gateway.cli import common
from gateway.cli.answer import ZONE, print_answer
from gateway.cli.common import err, out, print_json
from gateway.cli.options import JsonOption, settings_from
from gateway.definitions import shipped
from gateway.settings import Settings
from gateway.wiring import Gateway, wire

app = typer.Typer(no_args_is_help=True, help="The demo: load it, look at it, try its identities.")
DATABASE = "sqlite:///var/demo.db"
# Never the environment's: the demo must not fall into a database that is in use.
DatabaseOption = Annotated[
    str | None, typer.Option("--database-url", help="SQLite or PostgreSQL; default: var/demo.db.")
]
IdentitiesOption = Annotated[
    str | None,
    typer.Option("--database-url", help="SQLite or PostgreSQL; default: SAMVERKA_DATABASE_URL, else var/demo.db."),
]
BASE = "http://127.0.0.1:8000/fhir"
ASKING = Asking(OPERATOR, "operation", request_id="demo")


@dataclass(frozen=True, slots=True)
class Story:
    """The demo's script: the fixed moment, the persons, and the messages in the order of their receipt."""

    folder: Path
    now: datetime
    main: str
    persons: list[dict[str, Any]]
    messages: list[tuple[datetime, str, Path]]

    @classmethod
    def read(cls) -> Story:
        folder = shipped.folder("demo")
        script = tomllib.loads((folder / "demo.toml").read_text(encoding="utf-8"))
        messages = [
            (received, message["source"], folder / message["file"])
            for message in script["message"]
            for received in _times(message["received"])
        ]
        return cls(folder, script["now"], script["main"], script["person"], sorted(messages, key=lambda m: m[0]))


def _times(received: datetime | list[datetime]) -> list[datetime]:
    return received if isinstance(received, list) else [received]


class StoryClock:
    """Shows the time of the message in hand, and in the end the demo's fixed now."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@app.command("run")
def run(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="Load, print the answer and end.")] = False,
    demo_network: Annotated[bool, typer.Option("--demo-network", help="Serve beyond loopback; pages warn.")] = False,
) -> None:
    """Make a fresh demo database, load it, and serve it.

    Example: `samverka demo run --once`
    """
    if not once:
        require_free(host, port)  # Before the demo is loaded, which takes a while.
    story = Story.read()
    gateway, clock = _fresh(story, DATABASE, host=host, port=port, demo_network=demo_network)
    try:
        tell(gateway, clock, story)
        patient = _patient(gateway, story.main)
        print_answer(gateway.door, ASKING, patient, out)
        if not once:
            _print_invitation(f"http://{host}:{port}", patient, story)
            serve_gateway(gateway)
    finally:
        gateway.close()


@app.command("load")
def load(database_url: DatabaseOption = None) -> None:
    """Load the demo into a database that is empty or holds it already.

    Example: `samverka demo load --database-url sqlite:///var/demo.db`
    """
    story = Story.read()
    gateway, clock = opened(story, database_url or DATABASE)
    try:
        tell(gateway, clock, story)
    finally:
        gateway.close()


@app.command("answer")
def answer(
    person: Annotated[str | None, typer.Argument(help="An identity number; default: the demo's main person.")] = None,
    at: Annotated[str | None, typer.Option(help="As of this time, like 2026-03-03T14:00:00+01:00.")] = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who does what for a person of the demo.

    Example: `samverka demo answer --at 2026-03-03T10:00:00+01:00`
    """
    story = Story.read()
    gateway, _ = opened(story, database_url or DATABASE)
    moment = _moment(at) if at else None
    try:
        patient = _patient(gateway, person or story.main)
        if as_json:
            out.print(gateway.door.who_does_what(ASKING, patient, base=BASE, at=moment).decode(), soft_wrap=True)
        else:
            print_answer(gateway.door, ASKING, patient, out, at=moment)
    finally:
        gateway.close()


@app.command("identities")
def identities(database_url: IdentitiesOption = None, as_json: JsonOption = False) -> None:
    """The test identities: an organisation each, with the token that makes a request its own.

    Of the database that is named or set in the environment, as a server on it honours them; else of the demo's.

    Example: `curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/fhir/Patient`
    """
    with common.gateway(_settings_of_identities(database_url)) as wired:
        found = wired.test_identities()
        err.print(f"These hold at a gateway on {wired.store.address}, and at no other.", soft_wrap=True)
    if as_json:
        print_json([dataclasses.asdict(identity) for identity in found])
        return
    table = Table("HSA-id", "organisation", "token", box=None)
    for identity in found:
        table.add_row(identity.hsa_id, identity.name, identity.token)
    out.print(table)


def _settings_of_identities(database_url: str | None) -> Settings:
    settings = settings_from(database_url=database_url)
    return settings if "database_url" in settings.model_fields_set else _settings(Story.read(), DATABASE)


def opened(story: Story, database_url: str, **more: Any) -> tuple[Gateway, StoryClock]:
    """A gateway with the demo's sources on this database, and its clock."""
    clock = StoryClock(story.now)
    return wire(_settings(story, database_url, **more), clock), clock


def _settings(story: Story, database_url: str, **more: Any) -> Settings:
    sources = story.folder / "sources.toml"
    return Settings(database_url=database_url, sources=sources, now=story.now, log_format="console", **more)


def _fresh(story: Story, database_url: str, **more: Any) -> tuple[Gateway, StoryClock]:
    path = Path(database_url.removeprefix("sqlite:///"))
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)
    return opened(story, database_url, **more)


def tell(gateway: Gateway, clock: StoryClock, story: Story) -> None:
    """Every message through ingest, with the clock set to its receipt."""
    totals: dict[str, int] = {"messages": 0, "items": 0, "held": 0, "statements": 0, "issues": 0}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        for received, source, path in progress.track(story.messages, description="loading the demo"):
            clock.now = received
            instance = gateway.sources.get(source)
            outcome = gateway.ingest.take(instance, path.read_bytes(), media_type(path))
            totals["messages"] += 1
            for name in ("items", "held", "statements", "issues"):
                totals[name] += getattr(outcome, name)
    clock.now = story.now
    err.print(", ".join(f"{count} {name}" for name, count in totals.items()))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("it must be a time, like 2026-03-03T14:00.", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)


def _patient(gateway: Gateway, number: str) -> str:
    found = gateway.door.find_person(ASKING, number)
    if found is None:
        err.print("The demo is not loaded here: `make demo`, or `samverka demo load`.")
        raise typer.Exit(1)
    return found


def _print_invitation(base: str, patient: str, story: Story) -> None:
    out.print()
    out.print("Open  the page; under *Du är* (*You are*) you can become a unit, and press what it would:")
    for path, what in (
        (f"/patient/{patient}", "who does what for the main person"),
        ("/worklist", "as Hemsjukvården Tanum: a question that is late, with its buttons"),
        ("/queue", "as the operator: what needs a person"),
        ("/capacity", "who can take more now"),
    ):
        out.print(f"  {base}{path}  {what}", soft_wrap=True, highlight=False)
    out.print()
    out.print("Ask   the shared FHIR endpoint:")
    for line in (
        f"curl -s '{base}/fhir/Patient/{patient}/$who-does-what?_pretty=true'",
        f"curl -s '{base}/fhir/Task?subject=Patient/{patient}&_sort=-authored-on&_pretty=true'",
        f"curl -s -X POST '{base}/ingest/larm-vast' -H 'Content-Type: application/json' "
        f"--data-binary @{story.folder}/messages/larm-vast/2026-03-12-inger-assistance.json",
    ):
        out.print(f"  {line}", soft_wrap=True)
    out.print()
    out.print("Stop  with Ctrl-C.")
