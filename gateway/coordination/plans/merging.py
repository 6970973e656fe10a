"""Two plans that go on as one: by a Task that asks for it, for as long as it is accepted (C-35).

The Task is based on the plan that stays, and its focus is the other one. It is asked for by the custodian of one and
accepted by that of the other. Nothing is rewritten: when the Task is cancelled, everything is as it was.

https://hl7.org/fhir/R4/careplan-definitions.html#CarePlan.replaces
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.coordination import agreements
from gateway.coordination.plans.basis import Basis, coordinated, merges, plans_of, read
from gateway.coordination.plans.team import custodian
from gateway.coordination.values import reference_key
from gateway.records import Agreed


@dataclass(frozen=True, slots=True)
class Merger:
    """A plan that goes on in another, and the Task by which it does."""

    plan: str
    into: str
    task: Basis


def mergers(plans: Mapping[str, Agreed], tasks: Iterable[Agreed]) -> list[Merger]:
    """Those that hold, the first accepted first: a plan goes on in one other, and no plan in itself."""
    found = sorted(_accepted(plans, tasks), key=lambda one: (one[0], one[1].task.reference))
    into: dict[str, str] = {}
    held: list[Merger] = []
    for _, merger in found:
        if merger.plan not in into and _end(merger.into, into) != merger.plan:
            into[merger.plan] = merger.into
            held.append(merger)
    return held


def absorbed(id: str, held: Collection[Merger]) -> list[Merger]:
    """The mergers by which others go on in a plan, those by way of others among them."""
    direct = [one for one in held if one.into == id]
    return [*direct, *(further for one in direct for further in absorbed(one.plan, held))]


def _accepted(plans: Mapping[str, Agreed], tasks: Iterable[Agreed]) -> Iterator[tuple[float, Merger]]:
    holds = agreements.read("plans")["merges"]["holds"]
    for one in tasks:
        other = merges(one.resource)
        stays = plans_of(one.resource)
        if other is None or one.deleted or len(stays) != 1 or not coordinated(one.contributors):
            continue
        kept, gone = plans.get(stays[0]), plans.get(other)
        if kept is None or gone is None or kept.deleted or gone.deleted or kept.id == gone.id:
            continue
        if len({kept.person, gone.person, one.person}) == 1 and _by_both(one, kept, gone):
            task = read(one.resource)
            since = [turn.start.timestamp() for turn in task.life if turn.status in holds]
            if since and one.resource.get("status") in holds:
                yield min(since), Merger(other, stays[0], task)


def _by_both(task: Agreed, kept: Agreed, gone: Agreed) -> bool:
    """Whether the custodian of one asks, and that of the other has it in hand."""
    sides = {reference_key(task.resource.get(name)) for name in ("requester", "owner")}
    keepers = {reference_key(custodian(plan.resource)) for plan in (kept, gone)}
    return None not in keepers and sides == keepers


def _end(id: str, into: Mapping[str, str]) -> str:
    """The plan in which one goes on at last."""
    while id in into:
        id = into[id]
    return id
