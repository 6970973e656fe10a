"""`samverka serve`, `sources`, `rebuild`, `health`, `version`: running a gateway."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Column, Table

from gateway import __version__, app
from gateway.cli.common import DatabaseOption, JsonOption, SourcesOption, err, gateway, out, print_json, settings_from

HostOption = Annotated[str | None, typer.Option(help="The address to listen on; default 127.0.0.1.")]
PortOption = Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one; default 8000.")]


def add_to(commands: typer.Typer) -> None:
    """The commands that stand for themselves, without a group's name before them."""
    commands.command("serve")(serve)
    commands.command("sources")(list_sources)
    commands.command("rebuild")(rebuild)
    commands.command("search-parameters")(search_parameters)
    commands.command("reindex")(reindex)
    commands.command("health")(health)
    commands.command("version")(version)


def serve(
    host: HostOption = None,
    port: PortOption = None,
    database_url: DatabaseOption = None,
    sources: SourcesOption = None,
    demo_network: Annotated[
        bool | None, typer.Option("--demo-network", help="Test identities beyond loopback; every page warns.")
    ] = None,
) -> None:
    """Serve the FHIR endpoint, ingest and the page.

    Example: `samverka serve --port 8080 --database-url postgresql+psycopg://localhost/samverka`
    """
    app.serve(
        settings_from(host=host, port=port, database_url=database_url, sources=sources, demo_network=demo_network)
    )


def list_sources(sources: SourcesOption = None, as_json: JsonOption = False) -> None:
    """The configured source instances, with their mapping packages.

    Example: `samverka sources --sources sources.toml --json`
    """
    found = list(app.configured_sources(settings_from(sources=sources)))
    if as_json:
        print_json([dataclasses.asdict(source) for source in found])
        return
    table = Table(
        Column("id", no_wrap=True, overflow="fold"), "package", "name", "HSA-id", "controller", "delivery", box=None
    )
    for source in found:
        table.add_row(source.id, source.package, source.name, source.hsa_id, source.controller, source.delivery)
    out.print(table)


def rebuild(database_url: DatabaseOption = None, sources: SourcesOption = None, as_json: JsonOption = False) -> None:
    """Fold all statements anew and compare with what is stored, byte for byte.

    Nothing is changed. Exit code 0 when everything agrees, 1 when something differs.

    Example: `samverka rebuild --json`
    """
    settings = settings_from(database_url=database_url, sources=sources)
    with gateway(settings) as wired, Progress(console=err, disable=as_json) as progress:
        task = progress.add_task("folding", total=None)
        result = wired.rebuild(lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        out.print(
            f"{result.statements} statements, {result.resources} resources: "
            f"{result.equal} equal, {len(result.different)} different"
        )
        for reference in result.different[:50]:
            out.print(f"  differs: {reference}")
    if result.different:
        raise typer.Exit(1)


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


def health(
    url: Annotated[str, typer.Argument(help="The gateway's address.")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a running gateway whether it is ready. Exit code 0 when it is.

    Example: `samverka health http://127.0.0.1:8000`
    """
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/ready", timeout=2)
    except httpx.HTTPError as error:
        err.print(f"not reached: {type(error).__name__}")
        raise typer.Exit(1) from None
    out.print(answer.text)
    if answer.status_code != 200:
        raise typer.Exit(1)


def version() -> None:
    """The version.

    Example: `samverka version`
    """
    out.print(__version__)
