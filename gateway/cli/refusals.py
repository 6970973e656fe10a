"""Refusals as a terminal shows them: one line a problem, on stderr."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer
from pydantic import ValidationError

from gateway.access.issuers import IssuersError
from gateway.errors import GatewayError
from gateway.ingest.sources import SourcesError
from gateway.mapping import CompileError
from gateway.settings import ENV_PREFIX, AddressError

DATABASE: Mapping[str, str] = {
    "SQLITE_BUSY": "Another process writes to the database: try again.",
    "SQLITE_CANTOPEN": "The database's file cannot be opened: its folder must be there, and this user may write in it.",
    "SQLITE_CORRUPT": "The database's file is damaged: keep it as it is, and restore a backup.",
    "SQLITE_FULL": "The disk that the database lies on is full: make room, then do this again.",
    "SQLITE_IOERR": "The disk that the database lies on cannot be read or written: look at it, then do this again.",
    "SQLITE_NOTADB": "This file is no SQLite database: name another one (--database-url, SAMVERKA_DATABASE_URL).",
    "SQLITE_READONLY": "This user may only read the database's file, or its folder: it must be written too.",
    "25006": "This database may only be read: name another one (--database-url, SAMVERKA_DATABASE_URL).",
    "42501": "This user of the database may not make tables in it: let it be the owner (docs/guides/install.md).",
    "53100": "The disk of the database is full: make room, then do this again.",
    "53300": "The database has no free connection: end others, or raise its max_connections.",
}
"""What is wrong with the database itself, and what to do, by what SQLite or PostgreSQL calls it."""
CHECK = "Is it running, and is the address right (--database-url, SAMVERKA_DATABASE_URL)?"


def tell(error: Exception) -> None:
    """Print what is wrong; an error that is no refusal is raised on."""
    for line in _lines(error):
        typer.echo(f"samverka: {line}", err=True)


def _lines(error: Exception) -> Iterator[str]:
    match error:
        case CompileError():
            yield from map(str, error.problems)
        case GatewayError() if told := _of_database(error.__context__):
            yield told
        case GatewayError():
            for issue in error.issues:
                yield issue.text + (f" ({issue.where})" if issue.where else "")
        case SourcesError():
            yield from error.problems
        case ValidationError():
            for fault in error.errors():
                name = ".".join(map(str, fault["loc"])).upper()
                yield f"{ENV_PREFIX}{name}: {fault['msg'].removeprefix('Value error, ')}"
        case OSError(errno=errno.ENOSPC):
            yield f"{error.filename or 'The disk'}: no room is left: make some, then do this again."
        case OSError(filename=str() | Path()):
            yield f"{error.filename}: {error.strerror}"
        case AddressError() | IssuersError() | PermissionError():
            yield str(error)
        case _:
            raise error


def _of_database(error: BaseException | None) -> str | None:
    """What the database itself is unable to. Of its own words only those of a connection that was not made are told:
    they name an address, and a statement's may quote what patients' data it was about."""
    driver = getattr(error, "orig", None)
    name = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", None) or ""
    if told := DATABASE.get("_".join(name.split("_")[:2])):
        return told
    if driver is None or getattr(error, "statement", "") is not None:
        return None
    first = str(driver).removeprefix("connection failed: ").splitlines()
    words = (
        re.sub(r"^connection to server (at|on socket) (.*) failed: (FATAL:\s*)?", r"\2: ", first[0]) if first else ""
    )
    return f"The database cannot be reached: {words.rstrip('.')}. {CHECK}"
