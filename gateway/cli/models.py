"""`samverka models`: logical models of sources, from their schemas and headers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.cli.common import print_json
from gateway.cli.maps import end
from gateway.cli.options import JsonOption
from gateway.definitions import CANONICAL
from gateway.mapping import csvmodel, logical, xsd
from gateway.mapping.logical import ModelOf

app = typer.Typer(no_args_is_help=True, help="Logical models of sources, from XML schemas and CSV headers.")

BaseOption = Annotated[str, typer.Option("--base", help="What the models' urls begin with.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write there: models/<name>.json of a package.")]


@app.command("from-xsd")
def from_xsd(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="XML schemas.")],
    base: BaseOption = CANONICAL,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """A logical model for each complex type of XML schemas and of those they import, as a Bundle.

    Example: `samverka models from-xsd GetCareContactsResponder_3.0.xsd --out models/contacts.json`
    """
    _give(xsd.models(files, base), out, as_json)


@app.command("from-csv")
def from_csv(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file, or CSVW metadata in JSON.")],
    name: Annotated[str | None, typer.Option(help="The model's name; default: the file's.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Default: what the header has most of.")] = None,
    base: BaseOption = CANONICAL,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """A logical model of a CSV file's columns, from its header or from CSVW metadata, as a Bundle.

    Example: `samverka models from-csv enheter.csv --name unit-row --out models/unit.json`
    """
    called = name or file.name.partition(".")[0]
    content = file.read_bytes()
    if file.suffix == ".json":
        model = csvmodel.of_csvw(content, called, base=base)
    else:
        model = csvmodel.of_csv(content, called, delimiter=delimiter, base=base)
    _give([model], out, as_json)


def _give(models: list[ModelOf], out: Path | None, as_json: bool) -> None:
    made = logical.bundle(models)
    if out is None:
        print_json(made)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    lines = [f"{model.name}  {len(model.parts)} elements  {model.url}" for model in models]
    data = [{"name": model.name, "url": model.url, "elements": len(model.parts)} for model in models]
    end("\n".join([*lines, f"{len(models)} models in {out}"]), data, True, as_json)
