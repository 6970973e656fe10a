"""`samverka sources`, `rebuild`, `search-parameters`, `reindex`: what an operator asks and has done."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Column, Table

from gateway.cli.common import err, gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, SourcesOption, settings_from
from gateway.wiring import configured_sources

if TYPE_CHECKING:
    from gateway.ingest.rebuild import Rebuilt

app = typer.Typer()


@app.command("sources")
def list_sources(sources: SourcesOption = None, as_json: JsonOption = False) -> None:
    """The configured source instances, with their mapping packages.

    Example: `samverka sources --sources sources.toml --json`
    """
    found = list(configured_sources(settings_from(sources=sources)))
    if as_json:
        print_json([dataclasses.asdict(source) for source in found])
        return
    table = Table(
        Column("id", no_wrap=True, overflow="fold"), "package", "name", "HSA-id", "controller", "delivery", box=None
    )
    for source in found:
        table.add_row(source.id, source.package, source.name, source.hsa_id, source.controller, source.delivery)
    out.print(table)


@app.command("rebuild")
def rebuild(
    store: Annotated[
        bool, typer.Option("--store", help="Store what the statements give now, where something else is stored.")
    ] = False,
    database_url: DatabaseOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fold all statements anew and compare with what is stored, byte for byte.

    Nothing is changed without --store; with it, a resource that differs gets a new version, beside a running server
    or without one, and what is interrupted is gone on with by the next run. What nobody states is left as it is, and
    so are rows that were altered past the gateway.

    Exit code 0 when everything agrees in the end, 1 when something differs.

    Examples: `samverka rebuild --json`, `samverka rebuild --store` after an upgrade
    """
    settings = settings_from(database_url=database_url, sources=sources)
    with gateway(settings) as wired, Progress(console=err, disable=as_json) as progress:
        task = progress.add_task("folding", total=None)
        result = wired.rebuild(lambda done, total: progress.update(task, completed=done, total=total))
        if store and result.different:
            storing = progress.add_task("storing", total=len(result.different))
            wired.store_anew(result, lambda done, _: progress.update(storing, completed=done))
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        _tell(result, store=store)
    if result.left if store else result.different:
        raise typer.Exit(1)


def _tell(result: Rebuilt, *, store: bool) -> None:
    out.print(
        f"{result.statements} statements, {result.resources} resources: "
        f"{result.equal} equal, {len(result.different)} different"
    )
    if store:
        out.print(f"{result.stored} stored anew, {len(result.left)} left")
    for reference in (result.left if store else result.different)[:50]:
        out.print(f"  differs: {reference}")


@app.command("search-parameters")
def search_parameters(database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """The search parameters that were added here, and how much is indexed of what they are to find.

    Example: `samverka search-parameters --json`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.known.uploaded()
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    table = Table("code", "type", "of", "indexed", Column("url", overflow="fold"), box=None)
    for one in found:
        table.add_row(one.code, one.type, ", ".join(one.base), f"{one.percent} %", one.url)
    out.print(table)


@app.command("reindex")
def reindex(database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Index everything anew, beside a running server or without one.

    What is interrupted is gone on with by the next server. Exit code 1 when it failed.

    Example: `samverka reindex`
    """
    settings = settings_from(database_url=database_url)
    with gateway(settings) as wired, Progress(console=err, disable=as_json) as progress:
        task = progress.add_task("indexing", total=None)
        job = wired.reindex(lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        print_json({"job": job.number, "state": job.state, "resources": job.done})
    else:
        out.print(f"{job.done} resources: {job.state}")
    if job.state != "done":
        raise typer.Exit(1)
