"""A gap as a statement of the gateway: raised, said anew where it is another now, and ended. docs/gaps.md

R4 has no status for what has ended: `identifiedPeriod` says until when, `mitigation` what was done about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from gateway.coordination.directory import Unit
from gateway.coordination.gap import Gap
from gateway.coordination.issue import issue
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make, order
from gateway.coordination.values import logical_reference, written
from gateway.definitions import CANONICAL
from gateway.records import Resource, Statement

GAP_ID = f"{CANONICAL}/sid/gap"
_ENDED = "Sources show it no more / Källorna visar det inte längre"


def news(
    person: str, found: Iterable[Gap], said: Iterable[Statement], now: datetime, namespace: UUID
) -> Iterator[Statement]:
    """What is to be said of a person's gaps, when the gateway has `said` this before."""
    before = {one.record_key: one for one in sorted(said, key=order)}
    gaps = {gap.key: gap for gap in found}
    for key, gap in gaps.items():
        one = _raised(person, gap, before.get(key), now, str(uuid5(namespace, f"gap|{person}|{key}")))
        if one is not None:
            yield one
    yield from (_ended(one, now) for key, one in before.items() if key not in gaps and _is_open(one.body))


def _raised(person: str, gap: Gap, before: Statement | None, now: datetime, id: str) -> Statement | None:
    """The gap as it is; None where it was said so already. What lasts began when it began."""
    lasting = before is not None and _is_open(before.body)
    start = before.body["identifiedPeriod"]["start"] if before is not None and lasting else written(began(gap, now))
    body = issue(gap, {"reference": f"Patient/{person}", "type": "Patient"}, "", _named)
    body |= {"identifier": [{"system": GAP_ID, "value": id}], "identifiedPeriod": {"start": start}}
    if before is not None and lasting and before.body == body:
        return None
    return _stated(body | {"id": id}, person, gap.key, now)


def began(gap: Gap, now: datetime) -> datetime:
    """When it became a gap: when the time was up, else when what is missing began to be so."""
    told = gap.due if gap.due is not None and gap.due <= now else gap.since
    return min(told, now) if told is not None else now


def _ended(one: Statement, now: datetime) -> Statement:
    body = dict(one.body)
    body["identifiedPeriod"] = body["identifiedPeriod"] | {"end": written(now)}
    body["mitigation"] = [{"action": {"text": _ENDED}, "date": written(now)}]
    return _stated(body | {"id": one.resource_id}, str(one.person), one.record_key, now)


def _is_open(body: Mapping[str, Any]) -> bool:
    return "end" not in body.get("identifiedPeriod", {})


def _stated(body: Resource, person: str, key: str, now: datetime) -> Statement:
    return make(body=body, origin=Origin(GATEWAY_SOURCE), record_key=key, person=person, effective=now, recorded=now)


def _named(unit: Unit) -> dict[str, Any]:
    return logical_reference("Organization", unit.key, unit.name)
