"""`samverka map`: questions to what maps make of messages: why is this empty, which codes does no table name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import JsonOption, SourcesOption
from gateway.cli.maps import MappingsOption, end, instance_of, messages
from gateway.mapping import told
from gateway.mapping.codes import unmapped
from gateway.mapping.whynot import why_not


def add_to(app: typer.Typer) -> None:
    """Put the commands of this module among those of `samverka map`."""
    app.command("why-not")(why_not_command)
    app.command("codes")(codes_command)


def why_not_command(
    source: Annotated[str, typer.Argument(help="The source instance that the file comes from.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The message.")],
    path: Annotated[str, typer.Argument(help="The empty element, from its resource on: Encounter.period.end.")],
    values: Annotated[bool, typer.Option("--values", help="Show the operands' values: they are the file's.")] = False,
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an element is empty: each rule that could fill it, and where it stopped.

    Example: `samverka map why-not rivta-logistics svar.xml Encounter.period.end`
    """
    package, instance = instance_of(source, mappings, sources)
    found = why_not(package, file.read_bytes(), instance, datetime.now(UTC), path, values=values)
    text, data = told.why_nots(found)
    end(text, data, True, as_json)


def codes_command(
    source: Annotated[str, typer.Argument(help="The source instance that the files come from.")],
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Messages.")],
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Codes that no row of a ConceptMap names, the most frequent first.

    Example: `samverka map codes dispatch-json larm/*.json`
    """
    package, instance = instance_of(source, mappings, sources)
    text, data = told.missing_codes(unmapped(package, messages(files, instance)))
    end(text, data, True, as_json)
