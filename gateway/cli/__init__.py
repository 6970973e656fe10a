"""The command `samverka`: what an operator and an integrator do, one module for each group of commands.

A module is loaded when its command is used: to list the commands, or to refuse one, takes no gateway.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class Announced(NamedTuple):
    """A command that is not loaded yet: the module that has it, and the first sentence of its help."""

    module: str
    help: str
    logs: bool = True
    """Whether the gateway is at work within it, and may have something to log."""


COMMANDS: Final = {
    "serve": Announced("serve", "Serve the FHIR endpoint, ingest and the page."),
    "sources": Announced("operate", "The configured source instances, with their mapping packages."),
    "rebuild": Announced("operate", "Fold all statements anew and compare with what is stored, byte for byte."),
    "search-parameters": Announced(
        "operate", "The search parameters that were added here, and how much is indexed of what they are to find."
    ),
    "reindex": Announced("operate", "Index everything anew, beside a running server or without one."),
    "health": Announced("health", "Ask a running gateway whether it is ready. Exit code 0 when it is.", logs=False),
    "version": Announced("version", "The version.", logs=False),
    "ingest": Announced("ingest", "Keep each file in the inbox, then translate and agree it."),
    "export": Announced(
        "exporting", "Write what is kept here to NDJSON files, as `$export` does: each resource once, as of one moment."
    ),
    "import": Announced("importing", "Write resources from NDJSON files and Bundles, each under its own id."),
    "replay": Announced(
        "replay", "Map anew what an older version of a map mapped: shows what would change, asks, then does it."
    ),
    "validate": Announced(
        "validate", "What is wrong with resources, by R4 and by the profiles that are kept here. Nothing is stored."
    ),
    "inbox": Announced("inbox", "Messages as they came: list, show, replay, discard."),
    "queue": Announced("queue", "What needs a person: list, decide, link, match."),
    "secrets": Announced("secrets", "The secrets of the installation: list, rotate."),
    "audit": Announced("audit", "The audit trail: list, verify."),
    "map": Announced("maps_all", "Mapping packages: check, run, test, coverage, mutate, explain."),
    "package": Announced("packages", "FHIR packages: what validation and terminology know beyond R4."),
    "models": Announced("models", "Logical models of sources, from XML schemas and CSV headers."),
    "demo": Announced("demo", "The demo: load it, look at it, try its identities."),
}


def loaded(name: str) -> Any:
    """The command, or the group of commands, of this name."""
    gc.disable()  # Of what loading makes hardly anything is garbage: to look for it took a tenth of a start.
    module = import_module(f"gateway.cli.{COMMANDS[name].module}")
    gc.freeze()  # Nor will any of it be: to look through it whenever tables are read took as long as reading them.
    gc.enable()
    group = get_group(module.app)
    return group.commands.get(name, group)


def every() -> dict[str, Any]:
    """All commands and groups, loaded."""
    return {name: loaded(name) for name in COMMANDS}


class Commands(TyperGroup):
    """The commands by their names; what is to be run is loaded."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = COMMANDS.get(cmd_name)
        return found and TyperCommand(cmd_name, help=found.help, rich_markup_mode=self.rich_markup_mode)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        if name and COMMANDS[name].logs:
            from gateway import logs

            logs.configure("console", "warning")  # `serve` has its own, by the settings
        return name, name and loaded(name), rest


app = typer.Typer(
    name="samverka",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def samverka() -> None:
    """FHIR R4 interoperability gateway: many providers' records in, one shared answer to who does what out."""


def main() -> None:
    """Run; a refusal is one line a problem on stderr and exit code 1, wrong usage exit code 2."""
    try:
        app()
    except Exception as error:
        from gateway.cli import refusals

        refusals.tell(error)
        raise SystemExit(1) from None
