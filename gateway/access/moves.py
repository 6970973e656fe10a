"""What a person does with a Task at the press of a button: a move of the rules, in the words of those who work.

The rules say which moves a caller may make (`next_steps`); this table says what they are called on the way, what each
gives, and what the finer status (Task.businessStatus) becomes. Pure.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.coordination.negotiation import NextStep
from gateway.definitions import CANONICAL
from gateway.records import Resource

MISSION_STATUS: Final = f"{CANONICAL}/CodeSystem/mission-status"
DECLINE_REASON: Final = f"{CANONICAL}/CodeSystem/decline-reason"
TASK_OUTPUT: Final = f"{CANONICAL}/CodeSystem/task-output"
Asks = Literal["nothing", "reason", "coded-reason", "report"]


@dataclass(frozen=True, slots=True)
class Move:
    """One button. `stage` is the code of the finer status; `travels`: for who goes to the person."""

    code: str
    state: str
    stage: str | None = None
    asks: Asks = "nothing"
    starts: tuple[str, ...] = ()
    """The statuses from which it is offered; from all where none is named."""
    travels: bool | None = None
    """Only for Tasks to which somebody travels, or only for others; None: for both."""


MOVES: Final[tuple[Move, ...]] = (
    Move("take", "accepted", "accepted"),
    Move("acknowledge", "received", "received"),
    Move("decline", "rejected", "declined", "coded-reason"),
    Move("on-my-way", "in-progress", "en-route", starts=("requested", "received", "accepted", "ready"), travels=True),
    Move("start", "in-progress", "started", starts=("requested", "received", "accepted", "ready"), travels=False),
    Move("there", "in-progress", "arrived", starts=("in-progress",), travels=True),
    Move("resume", "in-progress", "started", starts=("on-hold",)),
    Move("done", "completed", "reported", "report"),
    Move("pause", "on-hold", "paused", "reason"),
    Move("break-off", "failed", "called-off", "reason"),
    Move("cancel", "cancelled", None, "reason"),
    Move("mistake", "entered-in-error", None, "reason"),
)
BY_CODE: Final[Mapping[str, Move]] = {one.code: one for one in MOVES}
STATE_OF: Final[Mapping[str, str]] = {one.stage: one.state for one in MOVES if one.stage}
"""The status that each finer status belongs to: who cancels may not change the other's, and it stays behind."""
STAYS: Final = "there"
"""The move that leaves the status as it is: it is on the way, and has arrived."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was given with a move, in the visitor's own words; `code` of the decline reasons, with its name."""

    reason: str = ""
    report: str = ""
    code: str = ""
    name: str = ""


def possible(task: Resource, steps: Sequence[NextStep], *, owns: bool, asks: bool, travels: bool) -> Iterator[Move]:
    """The moves that the rules allow and that make sense now, in the order of the table.

    `owns`, `asks`: the caller has the Task; he has asked another for it.
    """
    states = {one.state for one in steps}
    status = str(task.get("status"))
    for move in MOVES:
        if move.starts and status not in move.starts:
            continue
        if asks and move.code in ("take", "acknowledge"):
            continue  # Who wants another to do it asks the next.
        if move.state == "cancelled" and "rejected" in states:
            continue  # Who was asked declines.
        if move.travels is not None and move.travels is not travels:
            continue
        if move.code == STAYS:
            if owns and stage_of(task) != move.stage:
                yield move
        elif move.state in states:
            yield move


def made(task: Resource, move: Move, given: Given, *, step: NextStep | None, owns: bool, owner: Resource) -> Resource:
    """The Task once the move is made. `step` is the rules' own, None where the status stays."""
    reason = _reason(given) if move.asks in ("reason", "coded-reason") else None
    outputs = [_output(given.report)] if move.asks == "report" and given.report else []
    claims = step is not None and any("owner" in need.one_of for need in step.needs)
    if step is None:
        becomes = dict(task)
    else:
        becomes = step.taken(task, reason=reason, outputs=outputs, owner=owner if claims else None)
    if move.stage is not None and (owns or claims):
        becomes["businessStatus"] = {"coding": [{"system": MISSION_STATUS, "code": move.stage}]}
    return becomes


def stage_of(task: Mapping[str, Any]) -> str | None:
    """The code of the finer status."""
    codings = task.get("businessStatus", {}).get("coding", ())
    return next((str(one["code"]) for one in codings if one.get("system") == MISSION_STATUS and "code" in one), None)


def stage_that_holds(task: Mapping[str, Any]) -> str | None:
    """The code of the finer status, unless the status has moved on since, or says as much."""
    stage, status = stage_of(task), task.get("status")
    return stage if stage is not None and stage != status and STATE_OF.get(stage, status) == status else None


def missing(move: Move, given: Given) -> str | None:
    """What is to be given and is not: `reason` or `report`."""
    if move.asks == "report":
        return None if given.report else "report"
    if move.asks == "coded-reason":
        return None if given.code or given.reason else "reason"
    return None if move.asks == "nothing" or given.reason else "reason"


def reports(task: Mapping[str, Any]) -> list[str]:
    """What was reported, as text."""
    return [str(one["valueString"]) for one in task.get("output", ()) if one.get("valueString")]


def _reason(given: Given) -> Resource:
    coded: Resource = {}
    if given.code:
        coded = {"coding": [{"system": DECLINE_REASON, "code": given.code}]}
    said = ": ".join(part for part in (given.name, given.reason) if part)
    return coded | {"text": said}


def _output(report: str) -> Resource:
    coding = {"system": TASK_OUTPUT, "code": "report", "display": "Report"}
    return {"type": {"coding": [coding]}, "valueString": report}
