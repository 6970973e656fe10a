"""A hand-over is a Task of its own about the Task that changes hands; here is when it may be, and what it comes to.

One side of it has the Task and leaves; the other arrives. Whoever of them invites is its requester, the other answers
as its owner. The leaving owner stays responsible until then: accepted moves both Tasks in one unit of work (C-80).

https://hl7.org/fhir/R4/task-definitions.html#Task.focus
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.coordination.heirs import passings_in
from gateway.coordination.negotiation.circumstances import Move
from gateway.coordination.negotiation.conditions import Change, codes_of
from gateway.coordination.negotiation.elements import Fault, alike
from gateway.coordination.negotiation.profile import Profile
from gateway.coordination.negotiation.roles import Named
from gateway.definitions import CANONICAL
from gateway.records import Resource

CODE: Final = "handover"
ROLES: Final = f"{CANONICAL}/CodeSystem/handover-role"
OUTPUTS: Final = f"{CANONICAL}/CodeSystem/task-output"
LEAVING, ARRIVING = "leaving", "arriving"
ACCEPTED, SETTLED = "accepted", "completed"
_SIDES: Final = ("requester", "owner")


def is_handover(task: Resource, profile: Profile) -> bool:
    return bool(profile.codes[CODE] & codes_of(task.get("code")))


def takes(before: Resource | None, after: Resource | None, profile: Profile) -> bool:
    """Whether this is the answer by which the Task changes hands."""
    if before is None or after is None or not is_handover(before, profile):
        return False
    return bool(before["status"] != ACCEPTED and after["status"] == ACCEPTED)


def faults(change: Change) -> Iterator[Fault]:
    """What is wrong with a new hand-over."""
    about = _about(change)
    if about is None or about["resourceType"] != change.kind:
        yield "focus", "task-handover-of-nothing", "C-80"
        return
    leaving = change.named("owner", of=about)
    requester, owner = change.named("requester"), change.named("owner")
    if leaving is None or not change.is_of("held", frozenset({str(about["status"])})):
        yield "focus", "task-handover-not-held", "C-80"
    elif leaving not in (requester, owner):
        yield "requester", "task-handover-by-another", "C-80"
    elif owner is None or owner == requester:
        yield "owner", "task-handover-to-nobody", "C-80"
    elif _has_passed_on(change, about, owner if leaving == requester else requester):
        yield "focus", "task-handover-to-who-passed-it-on", "C-80"
    if not alike(change.after.get("for"), about.get("for"), change.circumstances.named):
        yield "for", "task-handover-of-another-person", "C-80"
    parties = {LEAVING: leaving, ARRIVING: owner if leaving == requester else requester}
    for number, one in enumerate(change.after.get("input", ())):
        for role, hsa_id in parties.items():
            if role in codes_of(one.get("type")) and change.circumstances.named(one.get("valueReference")) != hsa_id:
                yield f"input[{number}]", "task-handover-roles", "C-80"


def answer_faults(change: Change) -> Iterator[Fault]:
    """What stands against the answer: the Task may have ended, be in other hands by now, or both sides be one.

    Two units that have closed may have one heir, who then hands over to himself.
    """
    moves = change.start != change.to
    if moves and change.is_of("not-proposed", frozenset({change.to})):
        yield "status", "task-handover-is-answered", "C-80"
    if moves and change.circumstances.move is Move.CORRECTION and (change.start == SETTLED or change.to == ACCEPTED):
        yield "status", "task-handover-was-answered", "C-80"
    elif takes(change.before, change.after, change.profile):
        about = _about(change)
        leaving = None if about is None else change.named("owner", of=about)
        held = about is not None and change.is_of("held", frozenset({str(about["status"])}))
        sides = {change.named(side) for side in _SIDES}
        if not held or leaving not in sides or None in sides or len(sides) == 1:
            yield "focus", "task-handover-too-late", "C-80"
        elif any(_has_passed_on(change, about, side) for side in sides - {leaving}):
            yield "focus", "task-handover-to-who-passed-it-on", "C-80"


def arriving(handover: Resource, about: Resource, named: Named) -> Any:
    """The side of a hand-over that does not have the Task yet, as it is named there."""
    leaving = named(about.get("owner"))
    return next(handover[side] for side in _SIDES if named(handover.get(side)) != leaving)


def passed_on(about: Resource, handover: Resource, named: Named) -> Resource:
    """The Task in the hands of who arrives; work that was under way stops until he starts it."""
    status = "ready" if about["status"] == "in-progress" else about["status"]
    return about | {"owner": arriving(handover, about, named), "status": status}


def settled(handover: Resource, about: Resource, named: Named) -> Resource:
    """The hand-over once it was accepted: it is done, and says to whom; its finer status was of before."""
    coding = {"system": OUTPUTS, "code": "handed-over-to", "display": "Handed over to"}
    output = {"type": {"coding": [coding]}, "valueReference": arriving(handover, about, named)}
    done = {name: value for name, value in handover.items() if name != "businessStatus"}
    return done | {"status": SETTLED, "output": [*handover.get("output", ()), output]}


def _has_passed_on(change: Change, about: Resource | None, party: str | None) -> bool:
    """Whether the Task passed on from this unit, so that the unit's heir is meant wherever the Task names it (ADR 50).

    Accepting would leave the Task with the heir.
    """
    return any(change.circumstances.named(passing.closed) == party for passing, _ in passings_in(about or {}))


def _about(change: Change) -> Resource | None:
    focus = (change.after or change.before).get("focus")
    return change.circumstances.stored.get(str(focus.get("reference"))) if isinstance(focus, dict) else None
