"""What the gateway has to state of a Task because a unit that it names has closed, or has not after all.

Pure: what is said of the Task, the directory and a time in, statements out; none where all is stated as it is. What an
heir has been given is taken back when the directory withdraws it, unless he has moved the Task since: what was decided
by the rules stays. ADR 50
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.coordination.agree import agree
from gateway.coordination.agreements import Authority
from gateway.coordination.directory import Directory
from gateway.coordination.heirs import Passing, Reference, is_passing, parties, passing_of, passings_in, stated
from gateway.coordination.parties import Party, nearness
from gateway.coordination.plans.basis import WITHHELD, labelled
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, make, order, standing
from gateway.coordination.tasks import decided_on
from gateway.coordination.values import logical_reference, reference_key
from gateway.records import Statement, StatementKind

RECORD: Final = "heir"
"""How the record keys of these statements begin; the Task's id and the key of the closed unit follow."""


def to_state(
    said: Sequence[Statement], directory: Directory, table: Authority, *, at: datetime, person: str | None
) -> list[Statement]:
    """What is to be stated now; `said` is everything that is said of one Task."""
    told = sorted((one for one in said if is_passing(one)), key=order)
    facts = [one for one in standing(said) if not is_passing(one) and one.kind == "assert"]
    if not facts:
        return []
    id = facts[0].resource_id

    def key(one: Passing) -> str:
        return f"{RECORD}|{id}|{one.closed_key}"

    last = {(one.record_key, one.effective): one for one in told}
    given = {place: passing_of(one) for place, one in last.items() if one.kind == "assert"}
    kept = {place: one for place, one in given.items() if _has_moved(one, facts, given.values())}
    due = {(key(one), one.since): one for one in _due(facts, kept.values(), directory, at)}
    settled = {record for record, _ in kept}
    due = kept | {place: one for place, one in due.items() if place[0] not in settled}
    numbers = Counter(one.record_key for one in told)

    def state(one: Passing, kind: StatementKind) -> Statement:
        record = key(one)
        numbers[record] += 1
        return make(
            body=stated(one) | {"id": id},
            origin=Origin(GATEWAY_SOURCE),
            record_key=record,
            person=person,
            effective=one.since,
            recorded=at,
            version=str(numbers[record]),
            kind=kind,
        )

    back = [state(one, "withdraw") for place, one in given.items() if place not in due]
    new = [one for place, one in due.items() if place not in given or given[place].heir_key != one.heir_key]
    if not new:
        return back
    asserted = [state(one, "assert") for one in new]
    agreed = agree([*said, *back, *asserted], (), table)
    # What has no effect, or is withheld, is not said: it would give somebody a part in the care who has none.
    if agreed.deleted or labelled(agreed.resource, WITHHELD):
        return back
    effective = {(key(one), one.since) for one, _ in passings_in(agreed.resource)}
    return [*back, *(one for one in asserted if (one.record_key, one.effective) in effective)]


def _due(facts: Sequence[Statement], kept: Iterable[Passing], directory: Directory, at: datetime) -> Iterator[Passing]:
    """What the directory has pass on of the units that are named in a Task."""
    named: dict[str, Reference] = {}
    for one in facts:
        named |= {key: reference for _, reference in parties(one.body) if (key := reference_key(reference))}
    named |= {one.heir_key: one.heir for one in kept}
    for reference in list(named.values()):
        closed = {
            name: value for name, value in reference.items() if name != "reference" or "identifier" not in reference
        }
        for unit, since in directory.passings(directory.unit(reference), at):
            heir = logical_reference("Organization", unit.key, unit.name)
            yield Passing(closed, heir, since)
            closed = heir


def _has_moved(one: Passing, facts: Sequence[Statement], given: Collection[Passing]) -> bool:
    """Whether the heir, or an heir of his, has moved the Task by a command of his own since it passed to him.

    What he decided on is named as it was before it passed on, however many have closed since.
    """
    back = _reached(one.closed_key, {other.closed_key: other.heir_key for other in given}, back=True)
    heirs = _reached(one.heir_key, {other.closed_key: other.heir_key for other in given})
    for fact in facts:
        before = decided_on(fact)
        if before is None or fact.effective < one.since or before[1] not in back | heirs:
            continue
        if (fact.body.get("status"), reference_key(fact.body.get("owner"))) == before:
            continue
        if any(nearness(Party.of(fact), heir) <= Party.SAME_PROVIDER for heir in heirs):
            return True
    return False


def _reached(key: str, heirs: Mapping[str, str], *, back: bool = False) -> set[str]:
    """This unit and its heirs, and theirs; `back`: and whose heir it is, and whose heirs those are."""
    steps = [(heir, closed) if back else (closed, heir) for closed, heir in heirs.items()]
    found = {key}
    while more := {other for one, other in steps if one in found} - found:
        found |= more
    return found
