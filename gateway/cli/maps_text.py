"""`samverka map`: maps as texts: their layout, and the same map as a StructureMap resource."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.cli.common import print_json
from gateway.cli.maps import MappingsOption, end
from gateway.cli.options import JsonOption, settings_from
from gateway.definitions import load, shipped
from gateway.errors import Conflict
from gateway.mapping import CompileError, Problem, parse, printer
from gateway.mapping.formatter import formatted
from gateway.mapping.report import counted
from gateway.mapping.skeleton import skeleton
from gateway.mapping.structuremap import structure_map
from gateway.mapping.structuremap_reader import read
from gateway.mapping.syntax import Map


def add_to(app: typer.Typer) -> None:
    """Put the commands of this module among those of `samverka map`."""
    app.command("new")(new_command)
    app.command("print")(print_command)
    app.command("fmt")(fmt_command)


def new_command(
    sample: Annotated[Path, typer.Option("--from", exists=True, dir_okay=False, help="A message of the source.")],
    resource: Annotated[str, typer.Option("--to", help="The resource type that its records become.")],
    package: Annotated[str | None, typer.Option("--id", help="The package's id; default: the sample's name.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", file_okay=False, help="Write a package there; else the map is printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A package to begin with: the manifest, and a map with a commented line for each element of a sample.

    Example: `samverka map new --from svar.xml --to Encounter --id visits --out mappings`
    """
    named = package or "-".join(re.findall(r"[a-z0-9]+", sample.stem.lower())) or "example"
    made = skeleton(sample.read_bytes(), sample.name, resource, load(), package=named)
    files = {f"{named}/{name}": content for name, content in made.files.items()}
    if out is None:
        end(made.map.rstrip(), files, True, as_json)
        return
    for path in (out / name for name in files):
        if path.exists():
            raise Conflict(f"{path} is there already: choose another --id", rule="package-exists")
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    written = [str(out / name) for name in files]
    now = f"now: samverka map check {named} --mappings {shlex.quote(str(out))}"
    end("\n".join([*written, now]), {"written": written}, True, as_json)


def print_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A map, or a StructureMap in JSON.")],
    fml: Annotated[bool, typer.Option("--fml", help="As FML, without comments; this is the default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As a StructureMap resource of R4.")] = False,
) -> None:
    """A map in its other form: FML from a StructureMap, or a StructureMap from FML.

    Example: `samverka map print mappings/fhir-r4/FhirR4.fml --json`
    """
    if fml and as_json:
        raise typer.BadParameter("either --fml or --json")
    found = _map(file)
    if as_json:
        print_json(structure_map(found))
    else:
        sys.stdout.write(printer.fml(found))


def _map(file: Path) -> Map:
    content = file.read_bytes()
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return parse(content.decode("utf-8-sig"), file.name, path=str(file))
    try:
        resource = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise CompileError([Problem(file.name, error.lineno, error.colno, f"not JSON: {error.msg}")]) from None
    return read(resource, file.name)


def fmt_command(
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="Maps; without any, all of the packages.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 where something would.")] = False,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give maps one layout. Comments stay, and so does all that is said.

    Example: `samverka map fmt --check`
    """
    folder = settings_from(mappings=mappings).mappings or shipped.folder("mappings")
    changed: list[str] = []
    problems: list[Problem] = []
    for path in files or sorted(folder.glob("*/*.fml")):
        content = path.read_bytes().decode("utf-8")
        try:
            laid_out = formatted(content, str(path))
        except CompileError as error:
            problems += error.problems
            continue
        if laid_out != content:
            changed.append(str(path))
            if not check:
                path.write_text(laid_out, encoding="utf-8", newline="\n")
    if problems:
        raise CompileError(problems)
    done = "would be changed" if check else "changed"
    text = "\n".join([*changed, f"{counted(len(changed), 'map', 'maps')} {done}"])
    end(text, {"changed": changed}, not (check and changed), as_json)
