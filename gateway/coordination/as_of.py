"""What held at a time, and what was known of it by a time: two axes over the same statements.

`at` is source time, `known_at` the gateway's own. A report that comes later may still speak of `at`: a stay that began
before it was under way then, whenever it was told; a mission was asked for when it says so.

https://hl7.org/fhir/R4/http.html#history (`_at` there is recorded time)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.coordination import agreements
from gateway.coordination.agree import agree, by_thing
from gateway.coordination.agreements import Authority
from gateway.coordination.as_stored import Thing, as_stored
from gateway.coordination.heirs import PASSED_ON, is_passing
from gateway.coordination.statements import standing
from gateway.coordination.tasks import ARRIVING, HISTORY
from gateway.coordination.values import instant
from gateway.identity.resolve import Key
from gateway.records import Agreed, Link, Resource, Statement
from gateway.store import Stored

_NEVER = ("cancelled", "entered-in-error")


def as_of(
    statements: Iterable[Statement],
    links: Iterable[Link] = (),
    authority: Authority | None = None,
    *,
    at: datetime,
    known_at: datetime,
    known: Mapping[Key, str] | None = None,
    stored: Mapping[Thing, Stored] = MappingProxyType({}),
) -> list[Agreed]:
    """The agreed resources as they were at `at`, by what was recorded by `known_at`; each thing once.

    `stored` are current versions by what was recorded by `known_at`, which need not be folded where they held at `at`.
    """
    table = authority or agreements.authority()
    decided = [link for link in links if link.recorded <= known_at]
    things = by_thing(standing(one for one in statements if one.recorded <= known_at), decided)
    found = []
    for kind, id in sorted(things):
        now = stored.get((kind, id))
        if now is not None and (agreed := as_stored(now, things[kind, id], at=at)) is not None:
            found.append(agreed)
            continue
        past = [one for one in things[kind, id] if one.effective <= at]
        if kind == "Task" and all(is_passing(one) for one in past):
            past = []  # That it passes on says nothing of it before anything else does.
        late = [one for one in things[kind, id] if one.effective > at and one.kind == "assert"]
        project = _LATE.get(kind)
        if kind in table.standing:
            found.append(agree(past or things[kind, id], decided, table, known=known))
        elif project and (speaking := [one for one in late if _speaks_of(one.body, at)]):
            said = past if past and kind == "Task" else past + speaking
            agreed = agree(said, decided, table, known=known)
            found.append(agreed if said is past else replace(agreed, resource=project(agreed.resource, at)))
        elif past:
            found.append(agree(past, decided, table, known=known))
    return found


def _speaks_of(body: Resource, at: datetime) -> bool:
    """Whether a later report says that something was under way, or asked for, by `at`."""
    if body["resourceType"] == "Encounter" and body.get("status") in ("planned", "cancelled"):
        return False
    begun = instant(body.get("period", {}).get("start")) or instant(body.get("authoredOn"))
    return begun is not None and begun <= at


def _encounter(resource: Resource, at: datetime) -> Resource:
    period = resource.get("period", {})
    start, end = instant(period.get("start")), instant(period.get("end"))
    if resource.get("status") in _NEVER or start is None:
        return resource
    if start > at:
        return {**resource, "status": "planned"}
    if end is not None and end <= at:
        return {**resource, "status": "finished"}
    return {**resource, "status": "in-progress", "period": {k: v for k, v in period.items() if k != "end"}}


def _task(resource: Resource, at: datetime) -> Resource:
    """Asked for, and by its own account perhaps begun; how it went on was not known to anybody then."""
    begun = instant(resource.get("executionPeriod", {}).get("start"))
    later = ("output", "statusReason", "businessStatus", "lastModified")
    kept = {name: value for name, value in resource.items() if name not in later}
    own = [e for e in kept.pop("extension", []) if e.get("url") not in (HISTORY, ARRIVING, PASSED_ON)]
    kept["status"] = "in-progress" if begun is not None and begun <= at else "requested"
    return kept | ({"extension": own} if own else {})


_LATE: Mapping[str, Callable[[Resource, datetime], Resource]] = {"Encounter": _encounter, "Task": _task}
"""How a report that came later tells of an earlier time, for the types that say when they began."""
