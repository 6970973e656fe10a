"""`samverka validate`: what is wrong with resources in files, as `$validate` says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.access.caller import OPERATOR, Asking
from gateway.access.commands import Body
from gateway.access.validating import Question
from gateway.cli.common import gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from
from gateway.fhir import json, xml

app = typer.Typer()

BASE = "http://localhost/fhir"
WRONG = ("fatal", "error")


@app.command("validate")
def validate(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Resources, as JSON or XML.")],
    profile: Annotated[
        list[str] | None, typer.Option(help="The canonical url of a profile to hold them to; may be repeated.")
    ] = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong with resources, by R4 and by the profiles that are kept here. Nothing is stored.

    Exit code 1 when a resource is not valid.

    Example: `samverka validate patient.json --profile http://hl7.se/fhir/ig/base/StructureDefinition/SEBasePatient`
    """
    told: list[dict[str, Any]] = []
    with gateway(settings_from(database_url=database_url), new=True) as wired:  # R4 is known without one.
        for path in files:
            raw = path.read_bytes()
            media_type = xml.MEDIA_TYPE if raw.lstrip()[:1] == b"<" else json.MEDIA_TYPE
            question = Question(body=Body(raw, media_type), profiles=tuple(profile or ()), wrapped=False)
            outcome = wired.door.validate(Asking(OPERATOR, "validate"), question, BASE)
            told.append({"file": str(path), "outcome": outcome})
    if as_json:
        print_json(told)
    else:
        for one in told:
            for issue in one["outcome"]["issue"]:
                out.print(_line(one["file"], issue), soft_wrap=True)
    if any(issue["severity"] in WRONG for one in told for issue in one["outcome"]["issue"]):
        raise typer.Exit(1)


def _line(file: str, issue: dict[str, Any]) -> str:
    """`file:line:column: severity: expression: text [rule]`, as compilers have it."""
    place = [str(one["valueInteger"]) for one in issue.get("extension", ())]
    where = "".join(f"{expression}: " for expression in issue.get("expression", ()))
    rule = issue["details"]["coding"][0]["code"]
    return f"{':'.join([file, *place])}: {issue['severity']}: {where}{issue['details']['text']} [{rule}]"
