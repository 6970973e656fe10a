"""Task/$next-steps and Task/$validate-transition: what the caller may do with a Task, and what would be said if he did.

Both answer by the same rules as every write, from the stored Task, and change nothing. coordination.md B.1 and B.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.access.caller import Asking
from gateway.access.commands import Matching
from gateway.access.conditions import criteria, narrowing
from gateway.access.decision import Decision, decide
from gateway.access.performing.following import Following
from gateway.access.performing.negotiating import issues_of, named_alike
from gateway.access.standing import Standing, Standings
from gateway.access.writing import Writing
from gateway.coordination.negotiation import NextStep, Role, Rules
from gateway.coordination.negotiation.answers import need_part, parameters, standing, step_part, task_part
from gateway.coordination.negotiation.profile import STATUSES
from gateway.errors import BadRequest, Gone
from gateway.identity.systems import HSA_ID
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

TASK: Final = "Task"
MOST: Final = 500
"""Tasks of one list at most."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a caller thinks of doing: to move it to a status, or the whole Task as he would write it."""

    status: str | None = None
    task: Resource | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A stored Task, whether the caller may see it, and where he stands to it."""

    stored: Stored | None
    decision: Decision
    standing: Standing | None = None
    before: Resource | None = None
    after: Resource | None = None


class NextSteps(Writing):
    """next_steps, all_next_steps and validate_transition."""

    @property
    def _rules(self) -> Rules:
        return Rules.named(self._rooms.task_rules)

    def next_steps(self, asking: Asking, id: str) -> Resource:
        """The status of one Task, the caller's roles, and the moves that he may make. NotFound, Gone."""
        found = self._visible_task(asking, self._rooms.store.read(lambda uow: self._find(uow, asking, id, Proposed())))
        assert found.standing is not None and found.before is not None
        steps = self._steps(found)
        return parameters([*standing(found.before, found.standing.roles), *map(step_part, steps)])

    def all_next_steps(self, asking: Asking, count: int) -> Resource:
        """The Tasks that have not ended in which the caller has a role that can move them, the latest change first."""
        told: list[Resource] = []
        seen: list[Stored] = []

        def ask(uow: UnitOfWork) -> bool:
            standings = Standings(self._rooms, uow, asking.caller)
            tasks, whole = self._mine(uow, asking, count)
            for stored in tasks:
                task = stored.resource()
                mine = standings.of(task, task, person=stored.person)
                steps = self._rules.next_steps(task, mine.roles, mine.circumstances)
                if mine.roles - {Role.MEMBER, Role.OTHER}:
                    seen.append(stored)
                    told.append(task_part(task, mine.roles, steps))
            return whole

        whole = self._rooms.store.read(ask)
        self.audit(asking, decide(asking.caller, TASK, takes_part=None), *seen)
        return parameters([{"name": "complete", "valueBoolean": whole}, *told])

    def validate_transition(self, asking: Asking, id: str | None, proposed: Proposed) -> Resource:
        """Whether the rules would let the caller do this, and why not. NotFound, Gone, BadRequest, Invalid."""
        if (proposed.status is None) is (proposed.task is None):
            text = "Give the status that it would have, or the whole Task as resource: one of them."
            raise BadRequest(text, rule="parameter-missing", where="status")
        if proposed.status not in (None, *STATUSES):
            text = f"A status is one of {', '.join(STATUSES)}."
            raise BadRequest(text, rule="parameter-malformed", where="status")
        if proposed.task is not None:
            self.whole(TASK, proposed.task)
            if id is not None and proposed.task.get("id", id) != id:
                text = "The id in the Task must be the one in the address."
                raise BadRequest(text, rule="id-differs", expression=f"{TASK}.id")
        named = id or (proposed.task or {}).get("id")
        if named is None and proposed.task is None:
            text = "Name the Task: Task/id/$validate-transition, or send it as resource."
            raise BadRequest(text, rule="parameter-missing", where="resource")
        found = self._rooms.store.read(lambda uow: self._find(uow, asking, named, proposed))
        if found.stored is None and id is None:  # It would be created.
            self.audit(asking, decide(asking.caller, TASK, takes_part=None))
        else:
            found = self._visible_task(asking, found)
        assert found.standing is not None and found.after is not None
        return self._verdict(asking, found, proposed)

    def _verdict(self, asking: Asking, found: _Found, proposed: Proposed) -> Resource:
        assert found.standing is not None
        mine, rules = found.standing, self._rules
        steps = self._steps(found) if found.before is not None else ()
        step = next((one for one in steps if one.state == proposed.status), None)
        if asking.caller.operator:
            issues = [_well("The rules bind organisations: what the operator writes is plain R4.")]
        elif step is not None:
            issues = [_well("The Task may be moved so, when what it needs is given.")]
        else:
            breaches = rules.decide(found.before, found.after, mine.roles, mine.circumstances)
            issues = issues_of(breaches) or [_well("The rules allow it.")]
        refused = any(one.severity == "error" for one in issues)
        before = found.before or found.after or {}
        parts: list[Resource] = [{"name": "result", "valueBoolean": not refused}, *standing(before, mine.roles)]
        parts += map(need_part, step.needs if step else ())
        parts.append({"name": "outcome", "resource": operation_outcome(issues)})
        return parameters([*parts, *map(step_part, steps)])

    def _steps(self, found: _Found) -> Sequence[NextStep]:
        assert found.standing is not None and found.before is not None
        return self._rules.next_steps(found.before, found.standing.roles, found.standing.circumstances)

    def _find(self, uow: UnitOfWork, asking: Asking, id: str | None, proposed: Proposed) -> _Found:
        stored = uow.resources.read(TASK, id) if id else None
        decision = self.judge(uow, asking, stored)
        if stored is not None and (stored.deleted or not decision.allowed):
            return _Found(stored, decision)
        before = None if stored is None else stored.resource()
        sees = None if before is not None else lambda one: self.may_see(uow, asking, one).allowed
        standings = Standings(self._rooms, uow, asking.caller, sees=sees)
        after = proposed.task or (before or {}) | ({"status": proposed.status} if proposed.status else {})
        after = named_alike(after, before, standings)
        following = Following(standings, self._rules, uow)
        rivals = following.bound(following.bids(before, after)) if "id" in after else 0
        person = None if stored is None else stored.person
        return _Found(stored, decision, standings.of(before, after, person=person, rivals=rivals), before, after)

    def _visible_task(self, asking: Asking, found: _Found) -> _Found:
        stored = self.known(asking, found.stored, found.decision)
        if stored.deleted:
            raise Gone()
        return found

    def _mine(self, uow: UnitOfWork, asking: Asking, count: int) -> tuple[list[Stored], bool]:
        """The caller's Tasks that have not ended, the latest change first, and whether these are all."""
        found: dict[str, Stored] = {}
        whole = True
        for params in self._criteria(asking):
            query = replace(criteria(TASK, Matching(params), self._rooms), count=MOST)
            page = uow.searches.page(query, narrowing=narrowing(self, asking.caller))
            found |= {one.id: one for one in page.matches}
            whole = whole and page.behind is None
        latest = sorted(found.values(), key=lambda one: (one.last_updated, one.id), reverse=True)
        return latest[:count], whole and len(latest) <= count

    def _criteria(self, asking: Asking) -> Iterator[tuple[tuple[str, str], ...]]:
        if asking.caller.operator:
            return
        going = ("status", ",".join(one for one in STATUSES if one not in self._rules.profile.terminal))
        own = ",".join(f"{HSA_ID}|{hsa_id}" for hsa_id in asking.caller.organisations)
        for name in ("owner", "requester"):
            yield (f"{name}:identifier", own), going
        yield ("owner:missing", "true"), going


def _well(text: str) -> Issue:
    return Issue("information", "informational", "transition-allowed", text)
