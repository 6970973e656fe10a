"""The command `samverka`: what an operator and an integrator do, one module for each group of commands."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from gateway import logs
from gateway.access.issuers import IssuersError
from gateway.app import AddressError
from gateway.cli import (
    audit,
    demo,
    inbox,
    ingest,
    maps,
    maps_ask,
    maps_status,
    maps_text,
    models,
    operate,
    packages,
    replay,
    validate,
)
from gateway.errors import GatewayError
from gateway.ingest.sources import SourcesError
from gateway.mapping import CompileError
from gateway.settings import ENV_PREFIX

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
replay.add_to(app)
app.command("validate")(validate.validate)
app.add_typer(inbox.app, name="inbox")
app.add_typer(audit.app, name="audit")
maps_ask.add_to(maps.app)
maps_text.add_to(maps.app)
maps_status.add_to(maps.app)
app.add_typer(maps.app, name="map")
app.add_typer(packages.app, name="package")
app.add_typer(models.app, name="models")
app.add_typer(demo.app, name="demo")


def main() -> None:
    """Run; a refusal is one line a problem on stderr and exit code 1, wrong usage exit code 2."""
    logs.configure("console", "warning")  # `serve` has its own, by the settings
    try:
        app()
    except CompileError as error:
        for problem in error.problems:
            _refuse(str(problem))
    except GatewayError as error:
        for issue in error.issues:
            _refuse(issue.text, issue.where)
    except SourcesError as error:
        for line in error.problems:
            _refuse(line)
    except ValidationError as error:
        for fault in error.errors():
            _refuse(f"{ENV_PREFIX}{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}")
    except (AddressError, IssuersError, PermissionError) as error:
        _refuse(str(error))
    else:
        return
    raise SystemExit(1)


def _refuse(text: str, where: str | None = None) -> None:
    print(f"samverka: {text}" + (f" ({where})" if where else ""), file=sys.stderr)  # noqa: T201
