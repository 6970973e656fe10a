"""Drafts of SIPs that are closed because the time of the consent is over: stated when somebody looks (watching.py).

A statement of the gateway's own about the consent, recorded like any other: the draft that leans on it follows. ADR 59
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.coordination.consenting import CONSENT, leans_on, to_state
from gateway.coordination.plans.rules import PLAN
from gateway.coordination.recorder import Recorder
from gateway.records import Agreed
from gateway.store import UnitOfWork


def lapse(recorder: Recorder, uow: UnitOfWork, persons: Collection[str]) -> set[str]:
    """State which consents are over that drafts of these persons' SIPs lean on. Of whom that was news."""
    uow.lock(persons)
    plans = [one for person in sorted(persons) for one in uow.resources.of_person(person, resource_types=[PLAN])]
    wanted = {(CONSENT, id) for one in plans for id in leans_on(one.resource())}
    there = [one for one in uow.resources.read_many(wanted).values() if not one.deleted] if wanted else []
    consents = [Agreed(CONSENT, one.id, one.person, one.resource(), one.contributors) for one in there]
    new = to_state(consents, uow.statements.of_resources(wanted), uow.now)
    return {str(one.person) for one in recorder.record(uow, new).fresh} if new else set()
