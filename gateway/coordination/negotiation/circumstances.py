"""What a change of a Task depends on besides the Task before and after: looked up by the caller, passed as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.coordination.negotiation.roles import Named, hsa_id_of
from gateway.records import Resource


class Move(StrEnum):
    """In what act a Task is changed."""

    COMMAND = "command"
    """A caller writes it, by whatever interaction."""
    CASCADE = "cascade"
    """It follows its parent that is put on hold, or resumed (C-11)."""
    HAND_OVER = "hand-over"
    """Its owner changes because the arriving one accepted (C-80)."""
    CORRECTION = "correction"
    """What was said of an ended Task was wrong, and is put right on the record (C-15)."""


def _itself(hsa_id: str) -> str:
    return hsa_id


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The facts that rules ask for. What is left out is not so."""

    move: Move = Move.COMMAND
    organisations: tuple[str, ...] = ()
    """The caller's own HSA-ids, the unit's first: whom a claim may make the owner."""
    members: frozenset[str] | None = None
    """Who takes part in the plan's team now; None where there is no plan yet, so that a Task begins it (C-25)."""
    abort_accepted: bool = False
    """A Task `abort` about this one, from either side, has been accepted by the other (C-14)."""
    rivals: int = 0
    """Bids for the same Request that would be left open when one is selected (C-13)."""
    stored: Mapping[str, Resource] = field(default_factory=dict)
    """What the Task refers to, as it is stored, by literal reference: its parent, its focus."""
    named: Named = hsa_id_of
    organisation_of: Callable[[str], str] = _itself
    """The care provider that a unit belongs to, both by HSA-id."""
