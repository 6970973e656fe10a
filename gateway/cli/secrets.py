"""`samverka secrets`: the secrets of the installation, and how they are made anew."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Column, Table

from gateway.access.caller import OPERATOR, Asking
from gateway.access.rotating import rotating
from gateway.cli.common import gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from

app = typer.Typer(no_args_is_help=True, help="The secrets of the installation: list, rotate.")
RESTART = "Start every process of the gateway anew: until then each goes on with the secrets that it began with."


@app.command("list")
def list_secrets(database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """What secrets the database holds, what each is for, and what is no longer good once it is rotated.

    The secrets themselves are never shown.

    Example: `samverka secrets list --json`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.door.secrets(Asking(OPERATOR, "secrets-list", request_id="cli"))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    table = Table(Column("secret", no_wrap=True), "what it does", "once it is rotated", box=None)
    for one in found:
        table.add_row(one.name, one.use, one.then)
    out.print(table)


@app.command("rotate")
def rotate(
    names: Annotated[list[str], typer.Argument(help="The secrets, by their names in the list.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make secrets anew: tells what will no longer be good, asks, then does it.

    With `--json` and without `--yes` nothing is done. Whoever has an old one, from a backup or a copy of the database,
    can do nothing with it once every process of the gateway has been started anew.

    Example: `samverka secrets rotate page-links forms --yes`
    """
    wanted = [rotating(name) for name in dict.fromkeys(names)]
    with gateway(settings_from(database_url=database_url)) as wired:
        if not as_json:
            for one in wanted:
                out.print(f"{one.name}: {one.then}", soft_wrap=True)
        done = yes or (not as_json and typer.confirm("Make them anew?"))
        if done:
            wired.door.rotate(Asking(OPERATOR, "secrets-rotate", request_id="cli"), names)
    if as_json:
        print_json([{"name": one.name, "then": one.then, "rotated": done} for one in wanted])
    elif done:
        out.print(RESTART)
