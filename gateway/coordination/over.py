"""What is long over and bears on nothing: a person with years of care behind him is not read whole for each answer.

A Task or Encounter that one source alone told of, that ended before the time that is asked about, and that nothing open
refers to. It is in no answer, so it need not be folded to be left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.coordination.agreements import Authority
from gateway.coordination.statements import STILL_THERE, order
from gateway.coordination.values import instant, reference_key
from gateway.records import Link, Statement

_PERIOD: Final[Mapping[str, str]] = {"Task": "executionPeriod", "Encounter": "period"}
"""The types that one person may have thousands of, and the element that says until when."""
_REPLACES = "http://hl7.org/fhir/StructureDefinition/task-replaces"
Thing = tuple[str, str]


def without_what_is_over(
    statements: Iterable[Statement], links: Iterable[Link], table: Authority, since: datetime
) -> list[Statement]:
    """The statements but those about what is long over."""
    things: dict[Thing, list[Statement]] = defaultdict(list)
    for one in statements:
        things[one.resource_type, one.resource_id].append(one)
    tied = {(link.resource_type, id) for link in links for id in (link.from_id, link.to_id)}
    over = {key: said for key, said in things.items() if key not in tied and _is_over(key[0], said, table, since)}
    for key in _needed(over, things):
        del over[key]
    return [one for key, said in things.items() if key not in over for one in said]


def _is_over(kind: str, said: list[Statement], table: Authority, since: datetime) -> bool:
    period = _PERIOD.get(kind)
    if period is None:
        return False
    source = said[0].source
    for one in said:
        if one.effective >= since or one.source != source or one.kind != "assert":
            return False
        if one.turn or one.version == STILL_THERE:
            return False
    last = (said[0] if len(said) == 1 else max(said, key=order)).body
    if last.get("status") not in table.withdrawn[kind].unless or "basedOn" in last:
        return False
    time = last.get(period, {})
    end = time.get("end") or time.get("start")
    return end is None or _is_before(end, since)


def _is_before(end: str, since: datetime) -> bool:
    """By its day, where that is far enough from `since` to decide it in any zone."""
    if len(end) >= 10 and end[:10] < (since - timedelta(days=2)).date().isoformat():
        return True
    moment = instant(end)
    return moment is not None and moment < since


def _needed(over: Mapping[Thing, list[Statement]], things: Mapping[Thing, list[Statement]]) -> set[Thing]:
    """What is over and yet belongs to a need that is not: of one group or request, or replaced by what is not over."""
    keys = {key: set(_keys(said)) for key, said in things.items() if key[0] == "Task"}
    needed: set[Thing] = set()
    wanted = {name for key, names in keys.items() if key not in over for name in names}
    while found := {key for key in over if key not in needed and wanted & keys.get(key, set())}:
        needed |= found
        wanted |= {name for key in found for name in keys[key]}
    return needed


def _keys(said: Iterable[Statement]) -> Iterator[Any]:
    """By what a Task is known to others of its need."""
    for body in {id(one.body): one.body for one in said}.values():
        for identifier in (*body.get("identifier", ()), body.get("groupIdentifier", {})):
            if "value" in identifier:
                yield f"{identifier.get('system', '')}|{identifier['value']}"
        replaced = (one.get("valueReference") for one in body.get("extension", ()) if one.get("url") == _REPLACES)
        yield from (key for one in (body.get("focus"), *replaced) if (key := reference_key(one)))
