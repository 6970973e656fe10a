"""A stored version of a resource, as it is read: the current one, or one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from gateway.fhir.json import parse
from gateway.records import Resource
from gateway.tables import from_micros, resource


@dataclass(frozen=True, slots=True)
class Stored:
    """One version. `body` are the bytes to serve, empty when `deleted`; `resource()` parses them."""

    partition: int
    rid: int
    resource_type: str
    id: str
    version: str
    last_updated: datetime
    method: str
    deleted: bool
    digest: bytes
    person: str | None
    contributors: tuple[str, ...]
    contradictions: tuple[Mapping[str, Any], ...]
    organisation: str | None
    body: bytes

    def resource(self) -> Resource:
        return parse(self.body)


class Found(NamedTuple):
    """What a search tells of a current version: whose and which it is, and the bytes to serve."""

    rid: int
    resource_type: str
    id: str
    person: str | None
    body: bytes


FIELDS = tuple(Stored.__dataclass_fields__)
COLUMNS = [resource.c[name] for name in FIELDS]
FOUND = [resource.c[name] for name in Found._fields]
_UPDATED, _DELETED = FIELDS.index("last_updated"), FIELDS.index("deleted")
_JSON = (FIELDS.index("contributors"), FIELDS.index("contradictions"))


def stored_plain(row: Any) -> Stored:
    """A row that begins with FIELDS as the driver gives it."""
    fields = list(row)
    fields[_UPDATED] = from_micros(fields[_UPDATED])
    fields[_DELETED] = bool(fields[_DELETED])
    return stored(fields)


def stored(row: Any) -> Stored:
    """A row that begins with FIELDS."""
    fields = list(row[: len(FIELDS)])
    for place in _JSON:
        fields[place] = () if fields[place] == "[]" else tuple(orjson.loads(fields[place]))
    return Stored(*fields)
