"""A plan and its team as they were, and how they came to be so: the same fold, as of a time (C-33).

Times are the sources' own; what was recorded later than a time can be left out, so that it is told what was known then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.coordination.agreements import Authority
from gateway.coordination.as_of import as_of
from gateway.coordination.plans.basis import merges
from gateway.coordination.plans.follow import Following, follow_all
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.coordination.plans.team import TEAM_ROLE
from gateway.coordination.values import written
from gateway.identity.resolve import Key
from gateway.records import Link, Resource, Statement

MOST_CHANGES: Final = 500
"""Changes of a plan that are looked through for its statuses; the last are."""


@dataclass(frozen=True, slots=True)
class Past:
    """A plan as it was: with its team, and each status since when."""

    plan: Resource
    team: Resource | None
    statuses: tuple[tuple[str, datetime], ...]


def past(
    id: str,
    statements: Collection[Statement],
    links: Collection[Link],
    table: Authority,
    *,
    at: datetime,
    known_at: datetime,
    known: Mapping[Key, str],
) -> Past | None:
    """The plan at a time, from the statements about the person's plans, teams and Tasks; None where it was not yet."""

    def then(said: Iterable[Statement], moment: datetime) -> Following | None:
        agreed = as_of(said, links, table, at=moment, known_at=known_at, known=known)
        plans = {one.id: one for one in agreed if one.resource_type == PLAN}
        stated = {one.id: one for one in agreed if one.resource_type == TEAM}
        tasks = [one for one in agreed if one.resource_type == "Task"]
        return follow_all(plans, tasks, stated, table.steps["Task"]).get(id)

    found = then(statements, at)
    if found is None or found[0].deleted:
        return None
    plan, team = found
    told = team.resource if team is not None and not team.deleted else None
    return Past(plan.resource, told, tuple(_statuses(statements, then, at)))


def _statuses(
    statements: Iterable[Statement], then: Callable[[Iterable[Statement], datetime], Following | None], at: datetime
) -> Iterator[tuple[str, datetime]]:
    """Each status of the plan, since when: it changes by what is said of plans, and by mergers."""
    about = [one for one in statements if one.resource_type == PLAN or merges(one.body)]
    moments = sorted({one.effective for one in about if one.effective <= at})
    last = None
    for moment in moments[-MOST_CHANGES:]:
        found = then(about, moment)
        status = found[0].resource.get("status") if found is not None and not found[0].deleted else None
        if status is not None and status != last:
            yield str(status), moment
        last = status


def parameters(found: Past) -> Resource:
    """As the operation answers it."""
    parts: list[dict[str, Any]] = [{"name": "plan", "resource": found.plan}]
    if found.team is not None:
        parts.append({"name": "team", "resource": found.team})
    ends = [since for _, since in found.statuses[1:]]
    for (status, since), end in zip(found.statuses, [*ends, None], strict=True):
        period = {"start": written(since)} | ({"end": written(end)} if end is not None else {})
        told = [{"name": "status", "valueCode": status}, {"name": "period", "valuePeriod": period}]
        parts.append({"name": "statusHistory", "part": told})
    for one in (found.team or {}).get("participant", ()):
        parts.append({"name": "teamHistory", "part": list(_member(one))})
    return {"resourceType": "Parameters", "parameter": parts}


def _member(participant: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "member" in participant:
        yield {"name": "member", "valueReference": participant["member"]}
    for role in participant.get("role", ()):
        for coding in role.get("coding", ()):
            if coding.get("system") == TEAM_ROLE:
                yield {"name": "role", "valueCode": coding["code"]}
    if "period" in participant:
        yield {"name": "period", "valuePeriod": participant["period"]}
