"""What a caller may do next with a Task, what must be given for it, and the Task as it would then be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.coordination.negotiation.breach import said, texts
from gateway.coordination.words import Words
from gateway.records import Resource


@dataclass(frozen=True, slots=True)
class Need:
    """One of these paths must have a value."""

    one_of: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """A status that the caller may move the Task to."""

    state: str
    name: Words
    """What it is called to do so: a verb."""
    status: Words
    needs: tuple[Need, ...] = ()

    def taken(
        self,
        task: Mapping[str, Any],
        *,
        reason: Mapping[str, Any] | None = None,
        outputs: Sequence[Mapping[str, Any]] = (),
        owner: Mapping[str, Any] | None = None,
    ) -> Resource:
        """The Task with this step taken. `reason` is a CodeableConcept with a text; `outputs` are added."""
        made = {**task, "status": self.state}
        made.pop("statusReason", None)
        if reason is not None:
            made["statusReason"] = dict(reason)
        if outputs:
            made["output"] = [*task.get("output", ()), *(dict(one) for one in outputs)]
        if owner is not None:
            made["owner"] = dict(owner)
        return made


def step(state: str, needs: tuple[Need, ...]) -> NextStep:
    row = texts()["steps"][state]
    return NextStep(state, Words(row["sv"], row["en"]), said(state), needs)
