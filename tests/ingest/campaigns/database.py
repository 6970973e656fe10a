"""A database for a campaign: an SQLite file beside its state, or a PostgreSQL that ends with the campaign."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text

from tests import postgres


def database(kind: str, state: Path | None) -> str:
    """The URL of `sqlite`, of `postgresql`, or of what is a URL already."""
    if kind == "sqlite":
        if state is not None:
            return f"sqlite:///{state.resolve().with_suffix('.db')}"
        return f"sqlite:///{tempfile.mkdtemp(prefix='samverka-campaign-')}/campaign.db"
    if kind != "postgresql":
        return kind
    if state is not None:
        raise SystemExit("a PostgreSQL of the campaign's own ends with it: give --database a URL to keep its state")
    if postgres.binaries() is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    server = postgres.start(os.getpid())
    admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE campaign"))
    admin.dispose()
    return f"{server}/campaign"
