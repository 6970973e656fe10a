"""What the parties have agreed, held to every command about a Task, and what follows from one that is allowed.

Rules bind callers with an organisation; the operator's word is plain R4. They are asked once a command is on its way
like any other, so that it makes no difference by which interaction it came. coordination.md B.1 and B.2.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.access.commands import Correct
from gateway.access.performing.following import Following
from gateway.access.performing.recording import provenance
from gateway.access.performing.steps import Act, Step, Thing
from gateway.access.standing import Standings
from gateway.coordination import tasks
from gateway.coordination.agree import STRATEGIES
from gateway.coordination.negotiation import Breach, Kind, Move, Rules
from gateway.errors import BusinessRule, Conflict, Forbidden, GatewayError
from gateway.issues import Issue
from gateway.records import Resource
from gateway.store import Stored

NEGOTIATED: Final = frozenset(STRATEGIES)
"""Types whose states the parties agree on, each by rules of its own."""
_ANSWERS: Final[Mapping[Kind, type[GatewayError]]] = {
    Kind.NOT_ALLOWED: BusinessRule,
    Kind.WRONG_ROLE: Forbidden,
    Kind.BUSINESS_RULE: BusinessRule,
}
_PARTIES: Final = ("requester", "owner")


class Negotiator:
    """Holds the commands of one act to the rules."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._rules = Rules.named(act.rooms.task_rules)

    def judge(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        """Refusal where a rule is broken. What is allowed says on what it was decided, and what follows from it.

        `beside` is what all commands that are done together make: a Task may be part of one that is made beside it.
        """
        step.following = ()
        if step.thing[0] not in NEGOTIATED or not step.states:
            return
        command, current = step.command, step.current
        before = None if current is None or current.deleted else current.resource()
        if isinstance(command, Correct) and (before or {}).get("status") not in self._rules.profile.terminal:
            text = "It has not ended: write it by an update or a patch."
            raise BusinessRule(text, rule="task-not-ended", expression="Task.status")
        news = before is None or step.resource is None or not tasks.repeats(step.resource, before)
        if isinstance(command, Correct) and not news:
            raise Conflict("It says what is stored already: there is nothing to put right.", rule="version-unchanged")
        if not self._act.asking.caller.operator:  # His word is plain R4.
            self._hold(step, before, beside)
            # What only sends back what is stored makes no version, unless something refers to the one that it makes.
            step.states = news or (self._act.links is not None and step.thing in self._act.links.versions)
        if isinstance(command, Correct) and current is not None:
            step.following = (provenance(self._act, step, command, current),)

    def _hold(self, step: Step, before: Resource | None, beside: Mapping[Thing, Resource]) -> None:
        move = Move.CORRECTION if isinstance(step.command, Correct) else Move.COMMAND
        standings = Standings(
            self._act.rooms,
            self._act.uow,
            self._act.asking.caller,
            beside,
            sees=None if before is not None else self._sees,
        )
        after = None if step.resource is None else named_alike(step.resource, before, standings)
        following = Following(standings, self._rules, self._act.uow)
        bids = following.bids(before, after, beside)
        rivals = following.bound(bids, beside)
        standing = standings.of(before, after, person=step.person, move=move, rivals=rivals)
        breaches = self._rules.decide(before, after, standing.roles, standing.circumstances)
        if breaches:
            raise _taken(before, after, standings) or refusal(breaches)
        if after is not None:
            about = following.handed_over(before, after)
            if about is not None and _comes_twice(step, about, beside):
                text = "Another entry is about the Task that is handed over: send them one after the other."
                raise BusinessRule(text, rule="entry-duplicate")
            stated = after if about is None else following.settled(after, about)
            step.resource = tasks.command(stated, before)
            step.following = tuple(following.of(step, before, after, bids))

    def _sees(self, stored: Stored) -> bool:
        return self._act.reading.may_see(self._act.uow, self._act.asking, stored).allowed

    def keys(self, step: Step) -> Iterator[str]:
        """What to hold besides the Task itself where no person's key holds all of it: what it is part of and about.

        Whoever changes the whole, or another bid for the same, holds these, too.
        """
        current = step.current.resource() if step.current is not None and not step.current.deleted else {}
        if step.thing[0] not in NEGOTIATED or step.person or (step.current is not None and step.current.person):
            return
        standings = Standings(self._act.rooms, self._act.uow, self._act.asking.caller)
        for task in (current, step.resource or {}):
            yield from standings.ties(task)


def _comes_twice(step: Step, about: Stored, beside: Mapping[tuple[str, str], Resource]) -> bool:
    """Whether another command that is done together changes the Task that is handed over, or hands it over, too."""
    thing = (about.resource_type, about.id)
    address = "/".join(thing)
    return thing in beside or any(
        one.get("focus", {}).get("reference") == address for other, one in beside.items() if other != step.thing
    )


def named_alike(task: Resource, before: Resource | None, standings: Standings) -> Resource:
    """The Task with its parties named as they were, or by their identifiers: the same unit is one party.

    A client may name a unit by the address of its Organization; the fold knows parties by their HSA-ids.
    """
    made = dict(task)
    for name in _PARTIES:
        if name not in task or (hsa_id := standings.named(task[name])) is None:
            continue
        if before is not None and standings.named(before.get(name)) == hsa_id:
            made[name] = before[name]
        else:
            made[name] = standings.party(task[name], hsa_id)
    return made


def refusal(breaches: Sequence[Breach]) -> GatewayError:
    return _ANSWERS[breaches[0].kind](breaches[0].text.en, issues=issues_of(breaches))


def issues_of(breaches: Sequence[Breach]) -> list[Issue]:
    """The broken rules as they are told."""
    return [
        Issue(
            "error",
            _ANSWERS[one.kind].code,
            one.code,
            one.text.en,
            expression=one.path,
            swedish=one.text.sv,
            requirement=one.rule,
        )
        for one in breaches
    ]


def _taken(before: Resource | None, after: Resource | None, standings: Standings) -> GatewayError | None:
    """Conflict where the caller would take what was open to all, and another has taken first (C-12)."""
    if before is None or after is None or "owner" not in before:
        return None
    has, wants = standings.named(before["owner"]), standings.named(after.get("owner"))
    if not standings.own(wants) or standings.own(has) or not tasks.was_open(before):
        return None
    issue = Issue(
        "error",
        Conflict.code,
        "task-taken",
        "Another has taken this Task meanwhile: read it again.",
        expression="Task.owner",
        swedish="Någon annan har hunnit ta uppdraget: läs det igen.",
        requirement="C-12",
    )
    return Conflict(issue.text, issues=[issue])
