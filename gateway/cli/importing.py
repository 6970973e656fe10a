"""`samverka import`: resources from NDJSON files and Bundles, written in the operator's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.access.caller import OPERATOR, Asking
from gateway.access.importing import Held, Imported, Input
from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from
from gateway.fhir.bulk import in_lines, readable
from gateway.wiring import Gateway, settle

app = typer.Typer()
ASKING = Asking(OPERATOR, "import", request_id="cli")
SHOWN = 20
"""Lines that are told without being asked for all of them."""

EXAMPLES = """
Examples:

    samverka import export/Patient.1.ndjson export/Observation.1.ndjson.gz

    samverka import synthea/fhir

    samverka import export --json --all-issues
"""


@app.command("import", epilog=EXAMPLES)
def import_(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, readable=True, help="Files, or folders with such: .ndjson, .json, .gz.")
    ],
    again: Annotated[bool, typer.Option("--again", help="Import what was imported already once more.")] = False,
    all_issues: Annotated[bool, typer.Option("--all-issues", help="List every line that was not imported.")] = False,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write resources from NDJSON files and Bundles, each under its own id.

    Files end with .ndjson (or .jsonl: a resource on each line) or .json (a resource or a Bundle), packed by gzip where
    .gz follows. Cut off half-way, the same command goes on where it was; what is imported is not imported twice.

    Exit code 0 when every line was imported, 3 when some were not: they are listed, and kept in the inbox.
    """
    files = list(dict.fromkeys(_files(paths)))
    if not files:
        raise typer.BadParameter("no file there ends with .ndjson, .jsonl or .json, with or without .gz")
    settings = settings_from(database_url=database_url)
    with gateway(settings, new=True) as wired:
        settle()
        inputs = [Input(str(path), lines=in_lines(path.name), hash=_hash(path)) for path in files]
        base = "" if settings.base_url is None else f"{settings.base_url.rstrip('/')}/fhir"
        begun = wired.door.begin_import(ASKING, inputs, base=base, again=again)
        if begun.ended is None:
            if not as_json and begun.total.done:
                err.print(f"{begun.total.done} lines and entries were dealt with before: this goes on behind them")
            done = _run(wired, begun, files, as_json=as_json)
        else:
            done = begun
            if not as_json:
                err.print(f"imported already at {begun.ended:%Y-%m-%d %H:%M} UTC: --again does it once more")
        held = list(islice(wired.door.held_of_import(done.id), None if all_issues else SHOWN))
    _tell(done, files, held, as_json=as_json)
    if done.total.held or any(file.issues for file, _ in done.files):
        raise typer.Exit(3)


def _run(wired: Gateway, begun: Imported, files: list[Path], *, as_json: bool) -> Imported:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=as_json) as progress:
        task = progress.add_task("importing", total=sum(path.stat().st_size for path in files))
        before = 0
        for file, path in enumerate(files):
            progress.update(task, description=path.name)
            with path.open("rb") as stream:

                def told(stream: Any = stream, before: int = before) -> None:
                    progress.update(task, completed=before + stream.tell())

                wired.door.import_file(ASKING, begun.id, file, stream, told)
            before += path.stat().st_size
            progress.update(task, completed=before)
    return wired.door.end_import(begun.id)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files, those of a folder in the order of their names. What is named is taken, whatever it is called."""
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and readable(one.name))
        else:
            yield path


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _tell(done: Imported, files: list[Path], held: list[Held], *, as_json: bool) -> None:
    if as_json:
        print_json(_data(done, files, held))
        return
    table = Table("file", "lines", "imported", "refused", box=None)
    for path, (_, counts) in zip(files, done.files, strict=True):
        table.add_row(path.name, str(counts.units), str(counts.stored), str(counts.held))
    out.print(table)
    for path, (file, _) in zip(files, done.files, strict=True):
        for issue in file.issues:
            out.print(f"{path.name}: {issue.text} ({issue.rule})", soft_wrap=True)
    for one in held:
        line = f":{one.line}" if one.line else ""
        for issue in one.issues:
            place = f"{issue.expression}: " if issue.expression else ""
            out.print(f"{files[one.file]}{line}: {place}{issue.text} ({issue.rule})", soft_wrap=True)
    if done.total.held > len(held):
        out.print(f"and {done.total.held - len(held)} more: --all-issues lists them")


def _data(done: Imported, files: list[Path], held: list[Held]) -> dict[str, Any]:
    return {
        "import": done.id,
        "files": [
            {
                "file": str(path),
                "lines": counts.units,
                "imported": counts.stored,
                "refused": counts.held,
                "issues": [issue.to_json() for issue in file.issues],
            }
            for path, (file, counts) in zip(files, done.files, strict=True)
        ],
        "refused": [
            {"file": str(files[one.file]), "line": one.line, **issue.to_json()} for one in held for issue in one.issues
        ],
    }
