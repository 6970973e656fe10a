"""What belongs to the installation: the namespace of its ids, its secrets. Backed up with the rest."""

from __future__ import annotations

import secrets
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.store import sets
from gateway.tables import meta


class Meta:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> bytes | None:
        value: bytes | None = self._connection.scalar(select(meta.c.value).where(meta.c.name == name))
        return value

    def put(self, name: str, value: bytes) -> None:
        self._connection.execute(meta.delete().where(meta.c.name == name))
        sets.insert(self._connection, meta, ("name", "value"), [(name, value)])

    def secret(self, name: str, *, size: int = 32) -> bytes:
        """A random secret, the same until it is made anew."""
        return self.get(f"secret:{name}") or self._made(f"secret:{name}", size)

    def rotate(self, name: str, *, size: int = 32) -> None:
        """Put a new secret in the place of what is there."""
        self.put(f"secret:{name}", secrets.token_bytes(size))

    def namespace(self) -> UUID:
        """The secret namespace of the installation's ids."""
        return UUID(bytes=self.secret("namespace", size=16))

    def _made(self, name: str, size: int) -> bytes:
        sets.insert_missing(self._connection, meta, ("name", "value"), [(name, secrets.token_bytes(size))])
        value = self.get(name)
        assert value is not None
        return value
