"""CarePlan/$as-of through the door: a plan and its team as they were, from the statements that the caller may hear.

docs/plans.md
"""

from __future__ import annotations

from datetime import datetime

from gateway.access.answers import timely
from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.coordination.agree import wanted
from gateway.coordination.plans.past import Past, parameters, past
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.errors import Gone, NotFound
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

_TYPES = (PLAN, TEAM, "Task")


class Planned(Reading):
    """plan_as_of."""

    def plan_as_of(self, asking: Asking, id: str, *, at: datetime | None, known_at: datetime | None) -> Resource:
        """The plan at a time, by what was recorded by a time, as Parameters. NotFound, Gone."""
        now = self._rooms.clock()
        at, known_at = at or now, known_at or now
        timely(("at", at), ("known-at", known_at))

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision, Past | None]:
            stored = uow.resources.read(PLAN, id)
            decision = self.judge(uow, asking, stored)
            found = self._plan_then(uow, asking, stored, at, known_at) if stored and decision.allowed else None
            return stored, decision, found

        stored, decision, found = self._rooms.store.read(ask)
        if self.known(asking, stored, decision).deleted:
            raise Gone()
        if found is None:
            raise NotFound("There was no such plan then: ask for a later time.", rule="not-yet", where="at")
        return parameters(found)

    def _plan_then(
        self, uow: UnitOfWork, asking: Asking, plan: Stored, at: datetime, known_at: datetime
    ) -> Past | None:
        person = plan.person
        ids = sorted({person, *uow.persons.patients_of([person]).get(person, ())}) if person else []
        said = {
            one.digest: one
            for id in ids
            for one in uow.statements.of_person(id, resource_types=_TYPES, known_at=known_at)
        }
        own = uow.statements.of_resources([(PLAN, plan.id), (TEAM, plan.id)], known_at=known_at)
        heard = self.audible(asking, (said | {one.digest: one for one in own}).values())
        things = {one.resource_id for one in heard}
        return past(
            plan.id,
            heard,
            uow.links.of(sorted(things | set(ids)), known_at=known_at),
            self._rooms.recorder.authority,
            at=at,
            known_at=known_at,
            known=uow.identifiers.find(wanted(heard)),
        )
