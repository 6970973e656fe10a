"""How near the one who speaks stands to a party: the same unit, the same care provider, the same body.

An HSA-id begins with the organisation number of the body that gave it, so two units of one body are told by their ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.records import Statement


@dataclass(frozen=True, slots=True)
class Party:
    """Who states something: a unit and its care provider, by HSA-id."""

    unit: str
    provider: str

    SAME_UNIT: ClassVar = 0
    SAME_PROVIDER: ClassVar = 1
    SAME_BODY: ClassVar = 2
    OTHER: ClassVar = 3

    @classmethod
    def of(cls, statement: Statement) -> Party:
        return cls(statement.party, statement.provider)


def nearness(speaker: Party, party: str | None) -> int:
    """From SAME_UNIT to OTHER; `party` is `system|HSA-id`, as references are keyed."""
    if not party:
        return Party.OTHER
    hsa_id = party.rpartition("|")[2]
    if speaker.unit == hsa_id:
        return Party.SAME_UNIT
    if speaker.provider == hsa_id:
        return Party.SAME_PROVIDER
    body = body_of(hsa_id)
    if body and body in (body_of(speaker.unit), body_of(speaker.provider)):
        return Party.SAME_BODY
    return Party.OTHER


def body_of(hsa_id: str) -> str | None:
    """The organisation number that an HSA-id begins with."""
    head, hyphen, _ = hsa_id.partition("-")
    return head[-10:] if hyphen and head[-10:].isdigit() else None
