"""What a new Task must be besides its status: a part (C-9, C-10), a request to cancel (C-14), a hand-over (C-80).

https://hl7.org/fhir/R4/task-definitions.html#Task.partOf
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.coordination.negotiation import handover
from gateway.coordination.negotiation.conditions import Change, asks, codes_of, parent_of
from gateway.coordination.negotiation.elements import Fault


def faults(change: Change) -> Iterator[Fault]:
    """What is wrong with the new Task, whoever its requester is."""
    yield from _part(change)
    if handover.is_handover(change.after, change.profile):
        yield from handover.faults(change)
    if change.is_of("abort", codes_of(change.after.get("code"))):
        yield from _abort(change)


def _part(change: Change) -> Iterator[Fault]:
    parts = change.after.get("partOf", ())
    if len(parts) > 1:
        yield "partOf", "task-several-parents", "C-9"
    parent = parent_of(change)
    if parent is None:
        return
    requester, owner = change.named("requester"), change.named("owner")
    asked_by, held_by = change.named("requester", of=parent), change.named("owner", of=parent)
    if asks(change):
        if requester != held_by:
            yield "requester", "task-asks-by-another", "C-9"
        if owner != asked_by:
            yield "owner", "task-asks-another", "C-9"
    elif owner not in (asked_by, held_by) and held_by not in (change.circumstances.members or ()):
        yield "partOf", "task-parent-not-accepted", "C-10"


def _abort(change: Change) -> Iterator[Fault]:
    """One side of a Task asks the other; who is asked about a Request is who authored it."""
    focus = change.after.get("focus")
    if not isinstance(focus, dict):
        yield "focus", "task-abort-of-nothing", "C-14"
        return
    about = change.circumstances.stored.get(str(focus.get("reference")))
    if about is None:
        return
    sides = {change.named(name, of=about) for name in ("requester", "owner")} - {None}
    requester, owner = change.named("requester"), change.named("owner")
    if owner not in sides or owner == requester or ("owner" in about and requester not in sides):
        yield "owner", "task-abort-other-side", "C-14"
