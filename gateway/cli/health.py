"""`samverka health`: whether a running gateway is ready."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command("health")
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
        why = str(error) or type(error).__name__
        typer.echo(f"samverka: {url} was not reached ({why}). Is the gateway running there (samverka serve)?", err=True)
        raise typer.Exit(1) from None
    typer.echo(answer.text)
    if answer.status_code != 200:
        raise typer.Exit(1)
