"""`samverka export`: what is kept here as NDJSON files in a folder, of one moment."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated, Any, Final, cast
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.access.caller import OPERATOR, Asking
from gateway.access.export_files import line, manifest, named_file
from gateway.access.exporting import ASSOCIATED, Exported, File, Level, Wanted
from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from
from gateway.errors import BadRequest, GatewayError
from gateway.fhir.bulk import MANIFEST
from gateway.fhir.datetime import parameter
from gateway.fhir.view import WHOLE
from gateway.wiring import Gateway, settle

app = typer.Typer()
ASKING = Asking(OPERATOR, "export", request_id="cli")
UNFINISHED: Final = ".export.json"
"""Which export the folder is being filled from."""
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

EXAMPLES = """
Examples:

    samverka export var/all

    samverka export var/patients --patients --type Patient,Observation --gzip

    samverka export var/since --since 2026-11-20T06:00:00+01:00 --json

    samverka export var/month --until 2026-12-01 --associated LatestProvenanceResources
"""


@app.command("export", epilog=EXAMPLES)
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where the files go: an empty folder, or a new one.")],
    patients: Annotated[bool, typer.Option("--patients", help="Only what is in the records of patients.")] = False,
    group: Annotated[str | None, typer.Option(help="Only the records of this Group's members: its id.")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="Only these types, with commas between.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was changed at this time or later.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Only what was changed before this time; of what was changed later nothing.")
    ] = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help="Of a type only what is found, as Task?status=accepted.")
    ] = None,
    associated: Annotated[
        list[str] | None, typer.Option("--associated", help=f"What comes with it: {' or '.join(ASSOCIATED)}.")
    ] = None,
    packed: Annotated[bool, typer.Option("--gzip", help="Pack the files.")] = False,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is kept here to NDJSON files, as `$export` does: each resource once, as of one moment.

    Cut off half-way, the same command goes on with the same export: files that are whole stay as they are. The manifest
    comes last; its transactionTime is the next export's --since.
    """
    if patients and group:
        raise typer.BadParameter("give --patients or --group, not both")
    settings = settings_from(database_url=database_url)
    with gateway(settings) as wired:
        settle()
        level: Level = "group" if group else "patient" if patients else "system"
        zone = ZoneInfo(settings.timezone)
        wanted = Wanted(
            level,
            group,
            _parted(types),
            None if since is None else parameter("since", since, zone),
            tuple(_filter(one) for one in filters or ()),
            until=None if until is None else parameter("until", until, zone),
            associated=_parted(associated),
        )
        base = "" if settings.base_url is None else f"{settings.base_url.rstrip('/')}/fhir"
        id = _begun(wired, folder, wanted, base, packed=packed)
        with Progress(*COLUMNS, console=err, disable=as_json) as progress:
            found = _settled(wired, id, progress)
            _write_all(wired, found, folder, progress, packed=packed)
        told = manifest(found, "", ".gz" if packed else "") | {"requiresAccessToken": False}
        _put(folder / MANIFEST, orjson.dumps(told, option=orjson.OPT_INDENT_2))
        (folder / UNFINISHED).unlink(missing_ok=True)
        wired.door.drop_export(ASKING, id)
    _tell(told, as_json=as_json)


def _begun(wired: Gateway, folder: Path, wanted: Wanted, base: str, *, packed: bool) -> str:
    """The export that the folder is being filled from, or a new one."""
    asked = f"samverka export {wanted} {'packed' if packed else ''}".strip()
    folder.mkdir(0o700, parents=True, exist_ok=True)  # What is in it is for nobody else.
    place = folder / UNFINISHED
    if place.exists():
        before = orjson.loads(place.read_bytes())
        with suppress(GatewayError):
            if before["asked"] == asked:
                return wired.door.exported(ASKING, before["id"]).id
        text = "Another export was begun here, or one that is too old to go on with: take another folder, or empty it."
        raise BadRequest(text, rule="folder-taken", where=str(folder))
    if any(folder.iterdir()):
        raise BadRequest("There are files in the folder: take an empty one.", rule="folder-taken", where=str(folder))
    id = wired.door.export(ASKING, wanted, url="samverka export", base=base)
    _put(place, orjson.dumps({"id": id, "asked": asked}))
    return id


def _settled(wired: Gateway, id: str, progress: Progress) -> Exported:
    """What the export holds, found out here or in whatever process takes it first."""
    task = progress.add_task("finding resources", total=None)
    runner = wired.jobs(exports=True)
    while (found := wired.door.exported(ASKING, id)).files is None:
        if not runner.run_due():
            time.sleep(0.2)
    progress.remove_task(task)
    return found


def _write_all(wired: Gateway, found: Exported, folder: Path, progress: Progress, *, packed: bool) -> None:
    files = found.files or ()
    task = progress.add_task("writing", total=sum(one.count for one in files))
    for one in files:
        path = folder / (named_file(one) + (".gz" if packed else ""))
        if path.exists():  # It has its name only when it is whole.
            progress.advance(task, one.count)
            continue
        progress.update(task, description=path.name)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as raw:
            if packed:
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
                    _write(wired, found, one, cast(IO[bytes], stream), progress, task)
            else:
                _write(wired, found, one, raw, progress, task)
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(path)


def _write(wired: Gateway, found: Exported, one: File, to: IO[bytes], progress: Progress, task: Any) -> None:
    for batch in wired.door.exported_lines(ASKING, found, one):
        to.write(b"".join(line(version, WHOLE, wired.definitions) for version in batch))
        progress.advance(task, len(batch))


def _put(path: Path, body: bytes) -> None:
    """The file is there as a whole, or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(body)
    part.rename(path)


def _parted(given: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(one.strip() for some in given or () for one in some.split(",") if one.strip())


def _filter(given: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    kind, asks, query = given.partition("?")
    if not asks or not kind.isalpha():
        raise typer.BadParameter("a filter is a type and a search, like Task?status=accepted")
    return kind, tuple(parse_qsl(query, keep_blank_values=True))


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    table = Table("file", "type", "resources", box=None)
    for name in ("output", "deleted"):
        for one in told[name]:
            table.add_row(one["url"], one["type"], str(one["count"]))
    out.print(table)
    out.print(f"as of {told['transactionTime']}: what comes later is the next export's --since")
