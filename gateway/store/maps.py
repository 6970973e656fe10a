"""The map archive: every version of a mapping package that a statement was made by, so that it can be explained."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from gateway.store import sets
from gateway.tables import map_archive, to_micros


@dataclass(frozen=True, slots=True)
class ArchivedMap:
    """A package as it was when it first made a statement."""

    hash: str
    package: str
    version: str
    archived: datetime
    files: Mapping[str, str]
    """Path within the package to its text."""


class Maps:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def archive(self, hash: str, *, package: str, version: str, files: Mapping[str, str]) -> bool:
        """Keep a package's sources under their hash; False when they are kept already."""
        packed = zlib.compress(orjson.dumps(dict(files)))
        row = (hash, package, version, to_micros(self._now), packed)
        columns = ("hash", "package", "version", "archived", "files")
        return sets.insert_missing(self._connection, map_archive, columns, [row]) == 1

    def all(self) -> list[ArchivedMap]:
        """Every version, the oldest first."""
        query = select(map_archive).order_by(map_archive.c.archived, map_archive.c.hash)
        return [_unpacked(row) for row in self._connection.execute(query)]

    def get(self, hash: str) -> ArchivedMap | None:
        row = self._connection.execute(select(map_archive).where(map_archive.c.hash == hash)).first()
        return None if row is None else _unpacked(row)


def _unpacked(row: Any) -> ArchivedMap:
    return ArchivedMap(row.hash, row.package, row.version, row.archived, orjson.loads(zlib.decompress(row.files)))
