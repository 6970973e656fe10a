"""`samverka version`."""

from __future__ import annotations

import typer

from gateway import __version__

app = typer.Typer()


@app.command("version")
def version() -> None:
    """The version.

    Example: `samverka version`
    """
    typer.echo(__version__)
