"""The command `samverka`: what an operator and an integrator do, one module for each group of commands."""

from __future__ import annotations

import sys

import typer

from gateway.cli import demo, inbox, ingest, maps, operate
from gateway.errors import GatewayError

app = typer.Typer(
    name="samverka",
    help="FHIR R4 interoperability gateway: many providers' records in, one shared answer to who does what out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
operate.add_to(app)
ingest.add_to(app)
app.add_typer(inbox.app, name="inbox")
app.add_typer(maps.app, name="map")
app.add_typer(demo.app, name="demo")


def main() -> None:
    """Run; a refusal is one line a problem on stderr and exit code 1, wrong usage exit code 2."""
    try:
        app()
    except GatewayError as error:
        for issue in error.issues:
            place = f" ({issue.where})" if issue.where else ""
            print(f"samverka: {issue.text}{place}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
