"""The agreed resource: a pure fold over the statements about one thing, the links and the table of authority.

The same statements give the same bytes in any order of arrival. Scalars go by authority, then source time, then the
source's id; lists are united; where the sources' present words differ, that is recorded as a contradiction and
visible as a tag, until a person decides whose word holds (`settling`). What is peculiar to a type is a strategy,
registered at the end; only a Patient's ties are known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.coordination import agreements, tasks
from gateway.coordination.agreements import Authority
from gateway.coordination.consenting import says_over
from gateway.coordination.fold import NOT_AGREED, Fold, Thing, person_among, person_in
from gateway.coordination.heirs import is_passing
from gateway.coordination.layout import laid_out
from gateway.coordination.one_source import last_words, told_by_one
from gateway.coordination.settling import Settlement, apart, holding
from gateway.coordination.shared import shared
from gateway.coordination.statements import chains, in_order, order, overruled, standing
from gateway.coordination.tasks import Decided
from gateway.identity.resolve import Key, logical_references
from gateway.identity.survivors import survivors
from gateway.records import Agreed, Link, Resource, Statement

Strategy = Callable[
    [Sequence[Statement], Sequence[Statement], Authority, Sequence[Settlement], Mapping[str, Settlement]], Decided
]
"""From every assertion and those in force, both in source time; from every decision and those in force."""


def agree(
    statements: Iterable[Statement],
    links: Iterable[Link] = (),
    authority: Authority | None = None,
    *,
    known: Mapping[Key, str] | None = None,
) -> Agreed:
    """What the statements about one thing agree on. `known` makes logical references to known targets literal."""
    gave_way = survivors(links)
    table = authority or agreements.authority()
    return _agree(list(statements), gave_way, table, _surviving(known or {}, gave_way))


def _agree(
    statements: Sequence[Statement], gave_way: Mapping[Thing, str], table: Authority, known: Mapping[Key, str]
) -> Agreed:
    if (told := told_by_one(statements)) is not None:
        return _told_by_one(told, gave_way, table, known)
    every = [one for one in statements if not says_over(one)]
    passing = [one for one in every if is_passing(one)]
    decisions, said = apart(standing(one for one in every if not is_passing(one)) if passing else standing(every))
    if not said:
        return _retracted(every, gave_way)
    command, after = overruled(said)
    if command is not None:
        passing = [one for one in passing if command.kind == "assert" and order(one) > order(command)]
        if not after and not passing:
            return _verbatim(command)
        if command.kind == "assert":
            after = [command, *after]
    settled = holding(decisions, after) if decisions else {}
    records = chains(after)
    kind = records[0][0].resource_type
    ids = {chain[0].resource_id for chain in records}
    id = min(gave_way.get((kind, id), id) for id in ids)
    asserted = [[one for one in chain if one.kind == "assert"] for chain in records]
    in_force = [said[-1] for chain, said in zip(records, asserted, strict=True) if chain[-1].kind == "assert"]
    withdrawn = not in_force
    voices = [said[-1] for said in asserted if said] if withdrawn else in_force
    contributors = tuple(sorted({chain[0].source for chain in records}))
    last = [chain[-1] for chain in records]
    if not voices:
        resource: Resource = {"resourceType": kind, "id": id}
        return Agreed(kind, id, person_among(last, gave_way), resource, contributors, deleted=True)

    fold = Fold(kind, table, in_order(voices), settled)
    if kind in STRATEGIES or kind in table.shared:
        left = [one for chain in chains(passing) for one in chain if one.kind == "assert"] if passing else []
        facts = in_order([*(one for said in asserted for one in said), *left])
        _go_ahead(fold, facts, decisions)
    resource = fold.resource()
    deleted = False
    if withdrawn:
        row = table.withdrawn.get(kind)
        deleted = row is None
        if row and resource.get(row.element) not in row.unless:
            resource[row.element] = row.becomes
        fold.marks.add("withdrawn")
    finished = laid_out(kind, id, resource, fold.marks, known)
    return fold.agreed(finished, last, gave_way, contributors, deleted=deleted)


def _told_by_one(
    facts: Sequence[Statement], gave_way: Mapping[Thing, str], table: Authority, known: Mapping[Key, str]
) -> Agreed:
    """The same where one source told all of it."""
    kind, id, contributors = facts[0].resource_type, facts[0].resource_id, (facts[0].source,)
    id = gave_way.get((kind, id), id)
    if len(facts) == 1:
        finished = _told_once(facts[0], id, table, known)
        return Agreed(kind, id, person_in(finished, facts, gave_way), finished, contributors)
    voices = last_words(facts)
    fold = Fold(kind, table, voices, {})
    if kind in STRATEGIES:
        _go_ahead(fold, facts, ())
    finished = laid_out(kind, id, fold.resource(), fold.marks, known)
    return fold.agreed(finished, voices, gave_way, contributors)


def _told_once(one: Statement, id: str, table: Authority, known: Mapping[Key, str]) -> Resource:
    """The resource of the most common case: one source has spoken, once."""
    kind, marks = one.resource_type, frozenset[str]()
    resource = {**one.body}
    for name in NOT_AGREED:
        resource.pop(name, None)
    if (strategy := TOLD_ONCE.get(kind)) is not None:
        decided = strategy(one, table)
        marks = decided.marks
        for name, value in decided.elements.items():
            if value is None:
                resource.pop(name, None)
            else:
                resource[name] = value
    return laid_out(kind, id, resource, marks, known)


def _go_ahead(fold: Fold, facts: Sequence[Statement], decisions: Sequence[Settlement]) -> None:
    """Decide what follows from every assertion, in the order of facts, ahead of the tables."""
    kind, table = fold.kind, fold.table
    if (strategy := STRATEGIES.get(kind)) is not None:
        fold.decide(strategy(facts, fold.voices, table, decisions, fold.settled))
    if kind in table.shared:
        fold.decide(Decided(shared(facts, table.shared[kind])))


def _retracted(every: Sequence[Statement], gave_way: Mapping[Thing, str]) -> Agreed:
    """Nobody says anything of it: what was said came of maps that read its record wrongly."""
    statements = apart(every)[1] or every
    kind = statements[0].resource_type
    id = min(gave_way.get((kind, one.resource_id), one.resource_id) for one in statements)
    sources = tuple(sorted({one.source for one in statements}))
    resource: Resource = {"resourceType": kind, "id": id}
    return Agreed(kind, id, person_among(statements, gave_way), resource, sources, deleted=True)


def _verbatim(command: Statement) -> Agreed:
    """What the operator wrote, untouched."""
    resource = {"resourceType": command.resource_type, "id": command.resource_id} | command.body
    deleted = command.kind == "withdraw"
    sources = (command.source,)
    return Agreed(command.resource_type, command.resource_id, command.person, resource, sources, deleted=deleted)


def agree_all(
    statements: Iterable[Statement],
    links: Iterable[Link] = (),
    authority: Authority | None = None,
    *,
    known: Mapping[Key, str] | None = None,
) -> list[Agreed]:
    """What statements about many things agree on, one Agreed for each id; an id that gave way says what replaced it."""
    table = authority or agreements.authority()
    gave_way = survivors(links)
    things = _by_survivor(statements, gave_way)
    targets = _surviving(known or {}, gave_way)
    found = []
    for key in sorted(things):
        said = things[key]
        agreed = _agree(said, gave_way, table, targets)
        others = sorted({one.resource_id for one in said} - {agreed.id}) if gave_way else ()
        found += [agreed if not others else _replacing(agreed, others), *(_replaced(agreed, other) for other in others)]
    return found


def _surviving(known: Mapping[Key, str], gave_way: Mapping[Thing, str]) -> Mapping[Key, str]:
    """The ids that references lead to: never one that gave way, under which nothing is served any more."""
    return {key: gave_way.get((key[0], id), id) for key, id in known.items()} if gave_way else known


def by_thing(statements: Iterable[Statement], links: Iterable[Link]) -> dict[Thing, list[Statement]]:
    """Statements by the resource type and id of what they are about, links counted."""
    return _by_survivor(statements, survivors(links))


def _by_survivor(statements: Iterable[Statement], gave_way: Mapping[Thing, str]) -> dict[Thing, list[Statement]]:
    things: dict[Thing, list[Statement]] = defaultdict(list)
    for one in statements:
        key = one.resource_type, one.resource_id
        things[(key[0], gave_way[key]) if key in gave_way else key].append(one)
    return things


def wanted(statements: Iterable[Statement]) -> set[Key]:
    """The keys of logical references that await their target: what to look up, or wait for, as `known`."""
    return {
        key for one in statements for reference, key in logical_references(one.body) if "reference" not in reference
    }


def _replacing(agreed: Agreed, others: Sequence[str]) -> Agreed:
    if agreed.resource_type != "Patient":
        return agreed
    links = [{"other": {"reference": f"Patient/{other}"}, "type": "replaces"} for other in others]
    return replace(agreed, resource={**agreed.resource, "link": [*agreed.resource.get("link", []), *links]})


def _replaced(agreed: Agreed, other: str) -> Agreed:
    """What is left under an id that gave way: for a Patient the way to the one that stands for it, else nothing."""
    kind = agreed.resource_type
    resource: Resource = {"resourceType": kind, "id": other}
    if kind == "Patient":
        resource["active"] = False
        resource["link"] = [{"other": {"reference": f"Patient/{agreed.id}"}, "type": "replaced-by"}]
    return replace(agreed, id=other, resource=resource, contradictions=(), deleted=kind != "Patient")


STRATEGIES: Mapping[str, Strategy] = {"Task": tasks.decide}
"""What is decided of a type ahead of the tables."""
TOLD_ONCE: Mapping[str, Callable[[Statement, Authority], Decided]] = {"Task": tasks.told_once}
"""The same of what is said by a single statement."""
