"""`samverka replay`: what an older version of a map mapped, mapped anew by the one in use."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.access.caller import OPERATOR, Asking
from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, SourcesOption, settings_from
from gateway.errors import Conflict
from gateway.wiring import Gateway

app = typer.Typer()

ASKING = Asking(OPERATOR, "replay", request_id="cli")
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@app.command("replay")
def replay(
    map: Annotated[str, typer.Option("--map", metavar="URL[|VERSION]", help="The map; without a version, all older.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Show values of the examples: they are the messages'.")
    ] = False,
    database_url: DatabaseOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map anew what an older version of a map mapped: shows what would change, asks, then does it.

    What the older version made of a record and the newer does not is retracted. What is done is not done again: stopped
    half-way, the same command goes on. With `--json` and without `--yes` nothing is done but the comparison.

    Exit code 0 when nothing is held any more, 3 when something is.

    Example: `samverka replay --map https://samverka.example/fhir/StructureMap/DirectoryCsv --yes`
    """
    with gateway(settings_from(database_url=database_url, sources=sources)) as wired:
        with Progress(*COLUMNS, console=err, disable=as_json) as progress:
            task = progress.add_task("comparing", total=None)
            found = wired.door.remapping(
                ASKING,
                map,
                values=values,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        text, data = found.told()
        if not as_json:
            out.print(text if found.versions else "no older version of this map mapped anything that is kept")
        wanted = bool(found.versions) and (yes or (not as_json and typer.confirm("Map these messages anew?")))
        counts = _replayed(wired, map, found.messages, as_json=as_json) if wanted else Counter[str]()
    if as_json:
        print_json({**data, "replayed": counts["messages"] if wanted else None, **_told(counts, done=wanted)})
    elif wanted:
        out.print(
            f"{counts['messages']} messages mapped anew: {counts['statements']} statements, "
            f"{counts['resources']} resources changed, {counts['held']} records held"
        )
        if counts["busy"]:
            out.print(f"{counts['busy']} messages are being worked on: run this again")
    if counts["held"] or counts["held-messages"]:
        raise typer.Exit(3)


def _told(counts: Counter[str], *, done: bool) -> dict[str, Any]:
    names = ("statements", "resources", "held", "busy")
    return {name: counts[name] for name in names} if done else {}


def _replayed(wired: Gateway, map: str, total: int, *, as_json: bool) -> Counter[str]:
    """Message by message, each committed on its own."""
    counts: Counter[str] = Counter()
    with Progress(*COLUMNS, console=err, disable=as_json) as progress:
        task = progress.add_task("mapping anew", total=total)
        for inbox_id in wired.door.to_remap(ASKING, map):
            try:
                outcome = wired.ingest.replay(inbox_id)
            except Conflict:
                counts["busy"] += 1
            else:
                counts["messages"] += 1
                counts["held-messages"] += outcome.state == "held"
                for name in ("statements", "resources", "held"):
                    counts[name] += getattr(outcome, name)
            progress.advance(task)
    return counts
