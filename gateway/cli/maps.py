"""`samverka map`: check, run, test, cover and explain mapping packages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.common import print_json
from gateway.cli.options import JsonOption, SourcesOption, settings_from
from gateway.definitions import shipped
from gateway.errors import NotFound
from gateway.ingest.foreseen import foreseen
from gateway.mapping import Package, Packages, commands, report, told
from gateway.mapping.cases import own_source
from gateway.mapping.unread import Message, Unread, corpus
from gateway.mapping.unread import unread as find_unread
from gateway.records import Source
from gateway.wiring import configured_sources

app = typer.Typer(no_args_is_help=True, help="Mapping packages: check, run, test, coverage, mutate, explain.")

MappingsOption = Annotated[
    Path | None,
    typer.Option("--mappings", help="The folder of packages; default: SAMVERKA_MAPPINGS, else the shipped."),
]
PackagesArgument = Annotated[list[str] | None, typer.Argument(help="Packages by id; without any, all.")]


def all_packages(mappings: Path | None) -> Packages:
    """The packages of the folder that is named, else of the settings', else the shipped ones."""
    folder = settings_from(mappings=mappings).mappings or shipped.folder("mappings")
    found = Packages.load(folder)
    if not found:
        text = "holds no mapping package: no folder in it has a map.yaml" if folder.is_dir() else "is not there"
        raise NotFound(f"The folder of mappings {folder} {text}. Name it with --mappings or SAMVERKA_MAPPINGS.")
    return found


def end(text: str, data: Any, well: bool, as_json: bool) -> None:
    """Print the text, or the JSON; exit code 1 where all is not well."""
    if as_json:
        print_json(data)
    else:
        sys.stdout.write(text + "\n")
    if not well:
        raise typer.Exit(1)


def instance_of(source: str, mappings: Path | None, sources: Path | None) -> tuple[Package, Source]:
    """A configured source instance, and the package that its messages are mapped with."""
    packages = all_packages(mappings)
    instance = configured_sources(settings_from(sources=sources, mappings=mappings), packages).get(source)
    return packages[instance.package], instance


@app.command("check")
def check(packages: PackagesArgument = None, mappings: MappingsOption = None, as_json: JsonOption = False) -> None:
    """Compile every map: all problems, as file:line:column with a hint.

    Example: `samverka map check municipal-csv`
    """
    end(*report.checks(commands.check(commands.chosen(all_packages(mappings), packages))), as_json)


@app.command("test")
def test(
    packages: PackagesArgument = None,
    case: Annotated[str | None, typer.Option(help="Only the case of this name.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Accept what comes out: read the diff first.")] = False,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the packages' cases.

    Example: `samverka map test rivta-logistics`
    """
    chosen = commands.chosen(all_packages(mappings), packages)
    end(*report.tests(commands.test(chosen, case=case, update=update)), as_json)


def messages(files: list[Path], source: Source) -> Iterator[Message]:
    """Files as messages that the source has sent now."""
    now = datetime.now(UTC)
    for path in files:
        yield Message(path.name, path.read_bytes(), source, now)


@app.command("coverage")
def coverage(
    packages: PackagesArgument = None,
    unread: Annotated[bool, typer.Option("--unread", help="Instead: the source's data that no rule reads.")] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="With --unread: messages of the one package, not its cases."),
    ] = None,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which rules the cases fire, and which rows of the ConceptMaps they use; with --unread, what is never read.

    Example: `samverka map coverage dispatch-json --unread`
    """
    if unread:
        end(*told.unreads(_unread(all_packages(mappings), packages, file or [])), True, as_json)
        return
    end(*report.covered(commands.cover(commands.chosen(all_packages(mappings), packages))), as_json)


def _unread(packages: Packages, names: list[str] | None, files: list[Path]) -> Iterator[tuple[str, Unread]]:
    chosen = commands.chosen(packages, names)
    if files and len(chosen) != 1:
        raise typer.BadParameter("files are of one package: name it")
    for package in chosen:
        yield package.id, find_unread(package, messages(files, own_source(package)) if files else corpus(package))


@app.command("mutate")
def mutate(
    packages: PackagesArgument = None,
    sample: Annotated[int | None, typer.Option(help="So many alterations of each package; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Which sample.")] = 1,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Alter each rule and see whether a case notices; exit code 1 below 90 % of the rules.

    Example: `samverka map mutate hl7v2-adt --sample 50`
    """
    chosen = commands.chosen(all_packages(mappings), packages)
    end(*report.altered(commands.alter(chosen, sample=sample, seed=seed)), as_json)


@app.command("run")
def run(
    source: Annotated[str, typer.Argument(help="The source instance that the file comes from.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The message.")],
    values: Annotated[
        bool, typer.Option("--values", help="Show the values that were found wrong: they are the file's.")
    ] = False,
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map a file without keeping anything: its drafts and issues. The output holds what the file holds.

    Example: `samverka map run municipal-csv lista.csv --json`
    """
    package, instance = instance_of(source, mappings, sources)
    body = file.read_bytes()
    found = commands.run(package, body, instance, datetime.now(UTC), values=values)
    for record, result in found.records:
        result.issues.extend(foreseen(package, record, result, instance, body))
    text, data = report.ran(found)
    if not as_json:
        missed = find_unread(package, messages([file], instance))
        text = "\n".join([text, *told.asked_next(found, missed, source, str(file))])
    bad = any(issue.severity in ("fatal", "error") for issue in found.issues)
    bad = bad or any(result.issues.bad for _, result in found.records)
    end(text, data, not bad, as_json)


@app.command("explain")
def explain(
    source: Annotated[str, typer.Argument(help="The source instance that the file comes from.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The message.")],
    values: Annotated[
        bool, typer.Option("--values", help="Show the values too: they are what the file holds.")
    ] = False,
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where each value comes from: rule, map line, place in the source, row of the ConceptMap.

    Example: `samverka map explain rivta-logistics svar.xml`
    """
    package, instance = instance_of(source, mappings, sources)
    found = commands.explain_message(package, file.read_bytes(), instance, datetime.now(UTC), values=values)
    text, data = report.explained(found)
    end(text, data, True, as_json)
