"""The definitions that were written here, as a list that only grows: its first n entries make the snapshot n + 1."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from gateway.fhir.json import dump, parse
from gateway.records import Resource
from gateway.tables import definition


@dataclass(frozen=True, slots=True)
class Upload:
    """A definition as it was taken in; without a resource it was withdrawn. `job`: what makes it ready."""

    number: int
    url: str
    resource_type: str
    resource_id: str
    resource: Resource | None
    job: int | None


_COLUMNS = (
    definition.c.number,
    definition.c.url,
    definition.c.resource_type,
    definition.c.resource_id,
    definition.c.body,
    definition.c.job,
)


class Uploads:
    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def last(self) -> int:
        """The number of the latest; 0 when there is none."""
        return int(self._connection.scalar(select(func.max(definition.c.number))) or 0)

    def after(self, number: int = 0) -> list[Upload]:
        """What follows a number, in order."""
        query = select(*_COLUMNS).where(definition.c.number > number).order_by(definition.c.number)
        return [_upload(row) for row in self._connection.execute(query)]

    def latest(self, resource_type: str, resource_id: str) -> Upload | None:
        """The latest of a resource."""
        mine = (definition.c.resource_id == resource_id, definition.c.resource_type == resource_type)
        query = select(*_COLUMNS).where(*mine).order_by(definition.c.number.desc()).limit(1)
        row = self._connection.execute(query).first()
        return None if row is None else _upload(row)

    def add(
        self, resource_type: str, resource_id: str, url: str, resource: Resource | None, *, job: int | None = None
    ) -> None:
        """Take in one; without a resource it is withdrawn."""
        row = {"resource_type": resource_type, "resource_id": resource_id, "url": url, "job": job}
        body = b"" if resource is None else dump(resource)
        self._connection.execute(insert(definition).values(row | {"body": body, "recorded": self._now}))


def _upload(row: tuple[int, str, str, str, bytes, int | None]) -> Upload:
    number, url, resource_type, resource_id, body, job = row
    return Upload(number, url, resource_type, resource_id, parse(body) if body else None, job)
