"""What a correction must not bring about: it puts the record right, and gives nobody what he has not taken (C-15).

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.coordination.negotiation.conditions import CONDITIONS, Change
from gateway.coordination.negotiation.elements import Fault, alike
from gateway.coordination.negotiation.roles import Role
from gateway.coordination.tasks import written_history


def faults(change: Change) -> Iterator[Fault]:
    """What is wrong with the Task as it would be, in whose hands it would be above all."""
    was, becomes = change.before.get("owner"), change.after.get("owner")
    if becomes is None and change.is_of("owned", frozenset({change.to})):
        yield "owner", "task-without-owner", "C-15"
    elif not alike(was, becomes, change.circumstances.named):
        if not any(CONDITIONS[name].holds(change) for name in ("own-organisation", "claims")):
            yield "owner", "task-unless-own-organisation", "C-18"
    elif change.is_of("held", frozenset({change.to})) and Role.OWNER not in change.roles and not _had_it(change):
        yield "status", "task-never-accepted", "C-15"


def _had_it(change: Change) -> bool:
    """Whether the owner has taken the Task, or it stood as it would again before it ended.

    To be put on hold, or to be made ready, takes no yes of his.
    """
    owner, mine = None, change.named("owner")
    steps = []
    for step in written_history(change.before):
        owner = owner if step.owner is None else change.circumstances.named(step.owner)
        if owner == mine and step.status not in change.profile.terminal:
            steps.append(step.status)
    return change.to in steps[-1:] or any(change.is_of("owned", frozenset({status})) for status in steps)
