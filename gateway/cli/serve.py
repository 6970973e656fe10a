"""`samverka serve`: the gateway itself."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import app as gateway
from gateway.cli.options import DatabaseOption, SourcesOption, settings_from

app = typer.Typer()

HostOption = Annotated[str | None, typer.Option(help="The address to listen on; default 127.0.0.1.")]
PortOption = Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one; default 8000.")]


@app.command("serve")
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
    gateway.serve(
        settings_from(host=host, port=port, database_url=database_url, sources=sources, demo_network=demo_network)
    )
