"""What is long over and bears on nothing: a person with years of care behind him is not read whole for each answer.

A Task or Encounter that one source alone told of, that ended before the time that is asked about, and that nothing open
refers to. It is in no answer, so it need not be folded to be left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.coordination.agreements import Authority
from gateway.coordination.plans.basis import WITHHELD, labelled
from gateway.coordination.statements import STILL_THERE, order
from gateway.coordination.values import instant, reference_key
from gateway.identity.identifiers import Named
from gateway.identity.systems import HSA_ID
from gateway.records import Link, Statement
from gateway.store import Bearing

PERIOD: Final[Mapping[str, str]] = {"Task": "executionPeriod", "Encounter": "period"}
"""The types that one person may have thousands of, and the element that says until when."""
_REPLACES = "http://hl7.org/fhir/StructureDefinition/task-replaces"
Thing = tuple[str, str]


def without_what_is_over(
    statements: Iterable[Statement], links: Iterable[Link], table: Authority, since: datetime
) -> list[Statement]:
    """The statements but those about what is long over."""
    things, tied = _by_thing(statements), _tied(links)
    over = {}
    for key, said in things.items():
        if key[0] in PERIOD and key not in tied and said[0].effective < since:
            until = _until(key[0], said, table)
            if until is not None and until < since:
                over[key] = said
    keys = {key: set(keys_of_need(said)) for key, said in things.items() if key[0] == "Task"}
    for key in needed(over, keys):
        del over[key]
    return [one for key, said in things.items() if key not in over for one in said]


def _by_thing(statements: Iterable[Statement]) -> dict[Thing, list[Statement]]:
    things: dict[Thing, list[Statement]] = defaultdict(list)
    for one in statements:
        things[one.resource_type, one.resource_id].append(one)
    return things


def _tied(links: Iterable[Link]) -> set[Thing]:
    """What somebody decided on: a proposal changes nothing."""
    decided = (link for link in links if link.kind != "proposed")
    return {(link.resource_type, id) for link in decided for id in (link.from_id, link.to_id)}


def bearings(
    statements: Iterable[Statement],
    links: Iterable[Link],
    table: Authority,
    named: Mapping[str, Sequence[Named]],
) -> Iterator[Bearing]:
    """Until when each Task and Encounter bears on who does what, by all statements about it and all ties of it.

    `named` are the references by identifier in each statement, by its digest.
    """
    tied = _tied(links)
    for (kind, id), said in _by_thing([one for one in statements if one.resource_type in PERIOD]).items():
        persons = {one.person for one in said}
        apart = len(persons) > 1 or (kind, id) in tied
        until = None if apart else _until(kind, said, table)
        if until is not None and any(map(is_withheld, said)):
            until = None
        for person in sorted(one for one in persons if one):
            recorded = max(one.recorded for one in said if one.person == person)
            if until is None:
                yield Bearing(kind, id, person, recorded)
                continue
            parties = {("Organization", HSA_ID, party) for one in said for party in (one.party, one.provider) if party}
            keys = {key for one in said for _, key in named[one.digest] if key[0] == "Organization" or key[1] == HSA_ID}
            known_by = tuple(sorted(set(keys_of_need(said)))) if kind == "Task" else ()
            yield Bearing(kind, id, person, recorded, until, said[0].source, tuple(sorted(parties | keys)), known_by)


def is_withheld(one: Statement) -> bool:
    """Whether what is said is kept from some who ask: then it is theirs alone to see who said it."""
    return labelled(one.body, WITHHELD)


def _until(kind: str, said: Sequence[Statement], table: Authority) -> datetime | None:
    """The last time that what one source alone has told of says anything about; None where there may be more to it."""
    source = said[0].source
    for one in said:
        if one.source != source or one.kind != "assert" or one.turn or one.version == STILL_THERE:
            return None
    last = (said[0] if len(said) == 1 else max(said, key=order)).body
    if last.get("status") not in table.withdrawn[kind].unless or "basedOn" in last:
        return None
    told = max(one.effective for one in said)
    time = last.get(PERIOD[kind], {})
    end = time.get("end") or time.get("start")
    if end is None:
        return told
    moment = instant(end)
    return None if moment is None else max(told, moment)


def needed(over: Collection[Thing], keys: Mapping[Thing, Collection[str]]) -> set[Thing]:
    """What is over and yet belongs to a need that is not: of one group or request, or replaced by what is not over.

    `keys` are those that each Task is known by.
    """
    found: set[Thing] = set()
    wanted = {name for key, names in keys.items() if key not in over for name in names}
    of_needs = [key for key in over if keys.get(key)]
    while more := {key for key in of_needs if key not in found and not wanted.isdisjoint(keys[key])}:
        found |= more
        wanted |= {name for key in more for name in keys[key]}
    return found


def keys_of_need(said: Iterable[Statement]) -> Iterator[str]:
    """By what a Task is known to others of its need."""
    for body in {id(one.body): one.body for one in said}.values():
        for identifier in (*body.get("identifier", ()), body.get("groupIdentifier", {})):
            if "value" in identifier:
                yield f"{identifier.get('system', '')}|{identifier['value']}"
        replaced = (one.get("valueReference") for one in body.get("extension", ()) if one.get("url") == _REPLACES)
        yield from (key for one in (body.get("focus"), *replaced) if (key := reference_key(one)))
