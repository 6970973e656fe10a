"""What one move of a Task leads on to in others: parts are suspended and resumed, other bids lose, an order is made.

Pure: Tasks in, Tasks out. Whoever suspends a Task suspends its parts; each returns to the state that it had.

https://hl7.org/fhir/R4/task.html#12.18.2.7
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.coordination.negotiation.conditions import codes_of
from gateway.coordination.tasks import HISTORY
from gateway.coordination.values import written
from gateway.coordination.words import Words
from gateway.definitions import CANONICAL
from gateway.records import Resource

ON_HOLD: Final = "on-hold"
SELECTED: Final = "selected"
PROPOSAL, ORDER, ACCEPTED = "proposal", "order", "accepted"
REASONS: Final = f"{CANONICAL}/CodeSystem/task-status-reason"
WITH_PARENT: Final = "parent-on-hold"
_TEXTS: Final[Mapping[str, Words]] = {
    WITH_PARENT: Words("Uppdraget som det ingår i är pausat.", "The Task that it is part of is on hold."),
    "overtaken": Words("Uppdraget är avslutat eller i andra händer.", "The Task has ended, or is in other hands."),
    "not-selected": Words("Ett annat anbud valdes.", "Another bid was selected (not selected)."),
}
_ORDERED: Final = (
    "code", "description", "focus", "for", "encounter", "priority", "requester", "owner", "performerType",
    "reasonCode", "reasonReference", "groupIdentifier", "insurance", "restriction", "input",
)  # fmt: skip
"""What an order takes over from the proposal that was accepted."""


def suspends(before: Resource | None, after: Resource) -> bool:
    return before is not None and before["status"] != ON_HOLD and after["status"] == ON_HOLD


def resumes(before: Resource | None, after: Resource) -> bool:
    """Whether it is on hold no longer, however it goes on: what was suspended for it has no reason to wait."""
    return before is not None and before["status"] == ON_HOLD and after["status"] != ON_HOLD


def selects(before: Resource | None, after: Resource | None) -> bool:
    """Whether this is the bid that is selected now (C-13)."""
    was, now = (codes_of((one or {}).get("businessStatus")) for one in (before, after))
    return SELECTED in now and SELECTED not in was


def accepts_proposal(before: Resource | None, after: Resource) -> bool:
    """Whether what was only proposed is to be done (C-16)."""
    proposed = before is not None and before.get("intent") == PROPOSAL
    return proposed and before is not None and before["status"] != ACCEPTED and after["status"] == ACCEPTED


def suspended(part: Resource) -> Resource:
    """A part of a Task that is suspended (C-11)."""
    return part | {"status": ON_HOLD, "statusReason": _reason(WITH_PARENT)}


def resumed(part: Resource) -> Resource | None:
    """A part in the state that it had before it was suspended with the whole; None where it was not."""
    if part["status"] != ON_HOLD or WITH_PARENT not in codes_of(part.get("statusReason")):
        return None
    steps = [_status(one) for one in part.get("extension", ()) if one.get("url") == HISTORY]
    former = next((status for status in reversed(steps) if status not in (None, ON_HOLD)), None)
    if former is None:
        return None
    return {name: value for name, value in part.items() if name != "statusReason"} | {"status": former}


def passed_over(bid: Resource) -> Resource:
    """A bid when another one was selected."""
    return bid | {"status": "cancelled", "statusReason": _reason("not-selected")}


def overtaken(handover: Resource) -> Resource:
    """A hand-over that nobody has answered, when there is nothing left to hand over."""
    return handover | {"status": "cancelled", "statusReason": _reason("overtaken")}


def ordered(proposal: Resource, id: str, now: datetime) -> Resource:
    """The order that an accepted proposal becomes; the proposal stays as what it was."""
    taken = {name: proposal[name] for name in _ORDERED if name in proposal}
    based = [*proposal.get("basedOn", ()), {"reference": f"{proposal['resourceType']}/{proposal['id']}"}]
    made: dict[str, Any] = {"resourceType": proposal["resourceType"], "id": id, "status": ACCEPTED, "intent": ORDER}
    return made | taken | {"basedOn": based, "authoredOn": written(now)}


def _reason(code: str) -> dict[str, Any]:
    words = _TEXTS[code]
    return {"coding": [{"system": REASONS, "code": code, "display": words.en}], "text": words.sv}


def _status(step: Mapping[str, Any]) -> str | None:
    return next((part.get("valueCode") for part in step.get("extension", ()) if part.get("url") == "status"), None)
