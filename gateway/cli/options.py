"""Options that several commands have, and the settings they are laid over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.settings import Settings, passed_over

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
    """The settings of the environment, with the options that were given laid over them; who mistyped one is told."""
    for name, nearest in passed_over(os.environ).items():
        typer.echo(f"samverka: {name} is no setting, and is passed over. The nearest is {nearest}.", err=True)
    return Settings(**{name: value for name, value in given.items() if value is not None})
