"""`samverka package`: FHIR packages of profiles, extensions, value sets and code systems."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Column, Table

from gateway.access.caller import OPERATOR, Asking
from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from
from gateway.definitions.packages import read

app = typer.Typer(help="FHIR packages: what validation and terminology know beyond R4.", no_args_is_help=True)


@app.command("add")
def add(
    paths: Annotated[
        list[Path],
        typer.Argument(
            exists=True, help="A package (.tgz), its folder, a project in FHIR Shorthand, or resources (.json)."
        ),
    ],
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a package's definitions, in the place of those of another version of it.

    The same package again changes nothing. What is refused is told with the reason, and the rest is kept. Exit code 1
    when something was refused.

    Example: `samverka package add hl7se.fhir.base.tgz`
    """
    settings = settings_from(database_url=database_url)
    with gateway(settings, new=True) as wired, Progress(console=err, disable=as_json) as progress:
        package = read(paths, wired.definitions.types)
        task = progress.add_task("keeping", total=len(package.files))
        added = wired.door.add_package(
            _asking("package-add"), package, lambda done, of: progress.update(task, completed=done, total=of)
        )
    if as_json:
        print_json(dataclasses.asdict(added))
    else:
        counts = f"{added.created} new, {added.changed} changed, {added.same} the same, {added.removed} removed"
        out.print(f"{added.name}#{added.version}: {counts}")
        for file, why in added.refused:
            out.print(f"  refused: {file}: {why}")
        for name in added.missing:
            out.print(f"  missing: {name}, which it depends on: add it too")
    if added.refused:
        raise typer.Exit(1)


@app.command("list")
def list_packages(database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """The packages that are here, with their versions, and what they depend on that is not here.

    Example: `samverka package list --json`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.door.packages(_asking("package-list"))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    table = Table(Column("package", no_wrap=True), "version", "resources", "title", "missing", box=None)
    for one in found:
        table.add_row(one.name, one.version, str(one.resources), one.title, ", ".join(one.missing))
    out.print(table)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The package's name, without version.")],
    database_url: DatabaseOption = None,
) -> None:
    """Delete what a package brought. Its history stays, as with all that is deleted.

    Example: `samverka package remove hl7se.fhir.base`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        count = wired.door.remove_package(_asking("package-remove"), name)
    out.print(f"{name}: {count} resources removed")


def _asking(interaction: str) -> Asking:
    return Asking(OPERATOR, interaction)
