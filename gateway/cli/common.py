"""What the commands share: settings from options, a wired gateway, and output for people or machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from gateway.app import Gateway, wire
from gateway.settings import Settings

# Without markup: what stands in square brackets, as rules and list positions do, is text.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", help="SQLite or PostgreSQL; default: SAMVERKA_DATABASE_URL, else var/samverka.db."),
]
SourcesOption = Annotated[
    Path | None,
    typer.Option("--sources", help="The sources' configuration (TOML); default: SAMVERKA_SOURCES, else one a package."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def settings_from(**given: Any) -> Settings:
    """The settings of the environment, with the options that were given laid over them."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def gateway(settings: Settings) -> Iterator[Gateway]:
    """A wired gateway, closed at the end."""
    wired = wire(settings)
    try:
        yield wired
    finally:
        wired.close()


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
