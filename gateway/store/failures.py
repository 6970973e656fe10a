"""What a database's errors mean to a caller, without what they quote.

PostgreSQL's messages name the values that it refused, and those are patient data: they go no further than here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, TimeoutError

from gateway.errors import GatewayError, NotFound, Unavailable, Unprocessable

_TOO_MUCH = ("too large", "too many", "too deep", "stack overflow", "at most")
"""How SQLite says that a statement passes one of its limits. https://www.sqlite.org/limits.html"""

_LIMIT = "54"
"""The class of what passes one of PostgreSQL's limits, such as a word of more than 2,046 bytes."""
_CANCELLED = "57014"
"""https://www.postgresql.org/docs/current/errcodes-appendix.html"""

NOWHERE = (
    "There is no database of the gateway's here: name the right one (--database-url, SAMVERKA_DATABASE_URL). "
    "A new one is made by what fills it: serve, ingest, import, package add."
)
AWAY = "The database does not answer right now: try again."


class TakesLong(Unavailable):
    """This took longer than the database may work on it: ask for less, or try again."""


class Refused(GatewayError):
    """The database refused a statement of ours."""


def nowhere(address: URL) -> NotFound:
    """What is said where something is looked for in a database that nobody has filled."""
    return NotFound(NOWHERE, rule="no-database", where=without_login(address))


def without_login(address: URL) -> str:
    """A database's address as it may be told: not who may use it, which its parameters may say too."""
    return address.set(username=None, password=None, query={}).render_as_string()


@contextmanager
def translated() -> Iterator[None]:
    """A database that is away, full or busy is Unavailable, a value it cannot keep Unprocessable; else we are wrong."""
    try:
        yield
    except DBAPIError as error:
        raise _meaning(error).with_traceback(error.__traceback__) from None
    except TimeoutError as error:  # All connections are in use.
        raise Unavailable(AWAY).with_traceback(error.__traceback__) from None


@contextmanager
def driver_errors(connection: Connection, sql: str) -> Iterator[None]:
    """Let errors of the bare driver look as SQLAlchemy's do."""
    dialect = connection.dialect
    base: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if lost:
            connection.invalidate()
        raise DBAPIError.instance(
            sql, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        ) from error


def _meaning(error: DBAPIError) -> GatewayError:
    if getattr(error.orig, "sqlstate", None) == _CANCELLED:
        return TakesLong()
    # PostgreSQL calls what is too much operational, and SQLite a wrong statement.
    limit = str(getattr(error.orig, "sqlstate", None)).startswith(_LIMIT)
    wrong = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    away = isinstance(error, OperationalError | InterfaceError) and not (wrong or limit)
    if error.connection_invalidated or away:
        return Unavailable(AWAY)
    if limit or (wrong and any(words in str(error.orig) for words in _TOO_MUCH)):
        return Unprocessable("This asks for more at once than the database takes: ask in parts.", rule="too-costly")
    if isinstance(error, DataError):
        return Unprocessable("A value holds a character or number that cannot be kept.", rule="not-storable")
    name = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return Refused(f"The database refused a statement ({type(error.orig).__name__}, {name}).")
