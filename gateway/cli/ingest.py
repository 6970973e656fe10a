"""`samverka ingest`: files in, as if their sender had pushed them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.adapters.media import media_type
from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, SourcesOption, settings_from
from gateway.wiring import settle

app = typer.Typer()

EXAMPLES = """
Examples:

    samverka ingest rivta-logistics svar.xml

    samverka ingest tanum-csv --sources sources.toml lista-*.csv

    samverka ingest municipal-csv lista.csv --as-of 2026-11-20T06:00:00+01:00 --json
"""


@app.command("ingest", epilog=EXAMPLES)
def ingest(
    source: Annotated[str, typer.Argument(help="The source instance that the files come from; `samverka sources`.")],
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="The messages.")],
    as_of: Annotated[
        datetime | None, typer.Option(help="The time a complete snapshot speaks of.", formats=["%Y-%m-%dT%H:%M:%S%z"])
    ] = None,
    database_url: DatabaseOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep each file in the inbox, then translate and agree it.

    Exit code 0 when every item was used, 3 when something was held: `samverka inbox show` says why.
    """
    settings = settings_from(database_url=database_url, sources=sources)
    with gateway(settings, new=True) as wired:
        settle()
        instance = wired.sources.get(source)
        outcomes = []
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, disable=as_json) as progress:
            task = progress.add_task(source, total=len(files))
            for path in files:
                outcome = wired.ingest.take(instance, path.read_bytes(), media_type(path), as_of=as_of)
                outcomes.append((path, outcome))
                progress.advance(task)
    if as_json:
        print_json([{"file": str(path), **outcome.to_json()} for path, outcome in outcomes])
    else:
        table = Table("file", "state", "items", "held", "statements", "resources", "issues", box=None)
        for path, outcome in outcomes:
            table.add_row(
                path.name,
                outcome.state,
                str(outcome.items),
                str(outcome.held),
                str(outcome.statements),
                str(outcome.resources),
                str(outcome.issues),
            )
        out.print(table)
        for path, outcome in outcomes:
            held = outcome.held or outcome.state == "held"
            if held or outcome.issues:
                said = "what is held of it, and why" if held else "its issues"
                out.print(f"{path.name}, {said}: samverka inbox show {outcome.inbox_id}", soft_wrap=True)
    if any(outcome.held or outcome.state == "held" for _, outcome in outcomes):
        raise typer.Exit(3)
