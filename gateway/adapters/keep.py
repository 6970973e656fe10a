"""What a transport is given to hand its messages to: it returns when the message is committed, or raises."""

from __future__ import annotations

from typing import Protocol


class Keep(Protocol):
    async def __call__(self, body: bytes, media_type: str, transport: str, *, id: str | None = None) -> str:
        """Commit a message to the inbox and return its id.

        With an `id`, a message of that id that is kept already is not kept twice.
        """
        ...
