"""Refusals as a terminal shows them: one line a problem, on stderr."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from pydantic import ValidationError

from gateway.access.issuers import IssuersError
from gateway.errors import GatewayError
from gateway.ingest.sources import SourcesError
from gateway.mapping import CompileError
from gateway.settings import ENV_PREFIX, AddressError


def tell(error: Exception) -> None:
    """Print what is wrong; an error that is no refusal is raised on."""
    for line in _lines(error):
        typer.echo(f"samverka: {line}", err=True)


def _lines(error: Exception) -> Iterator[str]:
    match error:
        case CompileError():
            yield from map(str, error.problems)
        case GatewayError():
            for issue in error.issues:
                yield issue.text + (f" ({issue.where})" if issue.where else "")
        case SourcesError():
            yield from error.problems
        case ValidationError():
            for fault in error.errors():
                yield f"{ENV_PREFIX}{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
        case AddressError() | IssuersError() | PermissionError():
            yield str(error)
        case _:
            raise error
