"""What every patch is bound by, and how one is refused: malformed (400), or of no use for this resource (422)."""

from __future__ import annotations

from typing import Final

from gateway.errors import BadRequest, Unprocessable

MOST_OPERATIONS: Final = 1000
MOST_WORK: Final = 20_000_000
"""Operations times parts of the resource: each operation may look at all of it."""


def malformed(number: int, text: str) -> BadRequest:
    """The operation of that number, from 1, says nothing that could be done to any resource."""
    return BadRequest(text, rule="patch-malformed", where=f"operation {number}")


def inapplicable(number: int, text: str, *, expression: str | None = None) -> Unprocessable:
    """The operation of that number cannot be done to this resource."""
    return Unprocessable(text, rule="patch-inapplicable", where=f"operation {number}", expression=expression)


def bounded(operations: int) -> None:
    """BadRequest for more operations than are carried out at once."""
    if operations > MOST_OPERATIONS:
        raise BadRequest(f"A patch has at most {MOST_OPERATIONS} operations: send it in parts.", rule="patch-too-long")


def affordable(operations: int, parts: int) -> None:
    """Unprocessable for a long patch of a large resource."""
    if operations * parts > MOST_WORK:
        raise Unprocessable(
            "So many operations on so large a resource cost too much: send the patch in parts, or update.",
            rule="patch-too-costly",
        )
