"""Who may change what somebody has said of a person or asked for: those who say it, and nobody else (C-21, C-24).

Each party keeps its own copy, and what is served is agreed of all of them. Others ask for a change by a Task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.access.decision import Decision
from gateway.access.performing.steps import Act, Step
from gateway.access.standing import Standings
from gateway.coordination.statements import OPERATOR_SOURCE
from gateway.errors import Forbidden
from gateway.identity.resolve import MENTION
from gateway.issues import Issue
from gateway.records import Statement

_TEXT = (
    "It is changed by those who stated it only. Ask them by a Task, of the code abort to have it stopped.",
    "Den ändras bara av dem som har angett den. Be dem med ett uppdrag, med koden abort för att få den stoppad.",
)


class Authors:
    """Knows whose the resources of an act are."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._table = act.rooms.recorder.authority

    def judge(self, step: Step) -> None:
        """Forbidden where a resource is there, and the caller is none of those who state it."""
        caller, kind = self._act.asking.caller, step.thing[0]
        there = step.current is not None and not step.current.deleted
        if caller.operator or not there or not step.states or kind not in self._table.authored:
            return
        if set(caller.organisations) & set(self._of(step, self._act.uow.statements.of_resources([step.thing]))):
            return
        step.decision = Decision(False, "not-the-author")
        english, swedish = _TEXT
        issue = Issue(
            "error",
            Forbidden.code,
            "not-the-author",
            english,
            expression=kind,
            swedish=swedish,
            requirement=self._table.authored[kind],
        )
        raise Forbidden(english, issues=[issue])

    def _of(self, step: Step, said: Iterable[Statement]) -> Iterator[str]:
        """The HSA-ids of those who state it; where the operator alone does, of whom it names as responsible."""
        told = [one for one in said if one.kind == "assert" and not one.record_key.startswith(MENTION)]
        for one in told:
            yield from (party for party in (one.party, one.provider) if party)
        if all(one.source == OPERATOR_SOURCE for one in told) and step.current is not None:
            element = self._table.responsible.get(step.thing[0])
            named: Any = step.current.resource().get(element) if element else None
            standings = Standings(self._act.rooms, self._act.uow, self._act.asking.caller)
            if named is not None and (who := standings.named(named)):
                yield who
