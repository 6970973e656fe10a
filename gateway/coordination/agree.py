"""The agreed resource: a pure fold over the statements about one thing, the links and the table of authority.

The same statements give the same bytes in any order of arrival. Scalars go by authority, then source time, then the
source's id; lists are united; where the sources' present words differ, that is recorded as a contradiction and
visible as a tag, until a person decides whose word holds (`settling`). What is peculiar to a type is a strategy,
registered at the end; only a Patient's ties are known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.coordination import agreements, tasks
from gateway.coordination.agreements import Authority
from gateway.coordination.consenting import says_over
from gateway.coordination.heirs import Passing, inherited, is_passing
from gateway.coordination.layout import laid_out
from gateway.coordination.parties import Party, nearness
from gateway.coordination.settling import DECIDED_SOURCE, Settlement, apart, holding, marks
from gateway.coordination.shared import COMMANDS, shared
from gateway.coordination.statements import (
    GATEWAY_SOURCE,
    OPERATOR_SOURCE,
    STILL_THERE,
    chains,
    in_order,
    order,
    overruled,
    standing,
)
from gateway.coordination.tasks import Decided
from gateway.coordination.values import reference_key, same, unite
from gateway.identity.resolve import MENTION, Key, logical_references, person_of
from gateway.identity.survivors import survivors
from gateway.records import Agreed, Difference, Link, Resource, Ruled, Statement

_NOT_AGREED = frozenset({"resourceType", "id", "versionId", "lastUpdated"})
_OWN_WAYS = frozenset({OPERATOR_SOURCE, GATEWAY_SOURCE, DECIDED_SOURCE})
Thing = tuple[str, str]
"""Resource type and id."""
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
    return _agree(statements, gave_way, authority or agreements.authority(), _surviving(known or {}, gave_way))


def _agree(
    statements: Iterable[Statement], gave_way: Mapping[Thing, str], table: Authority, known: Mapping[Key, str]
) -> Agreed:
    every = [one for one in statements if not says_over(one)]
    if len(every) == 1 and _stands_alone(every[0]):
        return _told_once(every[0], gave_way, table, known)
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
    persons = {gave_way.get(("Patient", p), p) for chain in records if (p := chain[-1].person)}
    if not voices:
        resource: Resource = {"resourceType": kind, "id": id}
        return Agreed(kind, id, min(persons, default=None), resource, contributors, deleted=True)

    fold = _Fold(kind, table, voices, settled)
    strategy = STRATEGIES.get(kind)
    if strategy:
        left = [one for chain in chains(passing) for one in chain if one.kind == "assert"] if passing else []
        facts = in_order([*(one for said in asserted for one in said), *left])
        fold.decide(strategy(facts, voices, table, decisions, settled))
    if kind in table.shared:
        fold.decide(Decided(shared(in_order(one for said in asserted for one in said), table.shared[kind])))
    resource = fold.resource()
    deleted = False
    if withdrawn:
        row = table.withdrawn.get(kind)
        deleted = row is None
        if row and resource.get(row.element) not in row.unless:
            resource[row.element] = row.becomes
        fold.marks.add("withdrawn")
    finished = laid_out(kind, id, resource, fold.marks, known)
    person = person_of(finished)
    return Agreed(
        resource_type=kind,
        id=id,
        person=gave_way.get(("Patient", person), person) if person else min(persons, default=None),
        resource=finished,
        contributors=contributors,
        contradictions=tuple(map(_told, fold.contradictions)),
        deleted=deleted,
        differences=tuple(fold.differences),
    )


def _stands_alone(one: Statement) -> bool:
    """Whether there is nothing to agree where this is all that is said: a source's word, not about another's."""
    return (
        one.kind == "assert"
        and one.version != STILL_THERE
        and one.source not in _OWN_WAYS
        and not one.source.startswith(COMMANDS)
    )


def _told_once(one: Statement, gave_way: Mapping[Thing, str], table: Authority, known: Mapping[Key, str]) -> Agreed:
    """The same as below, for the most common case: one source has spoken, once."""
    kind, body = one.resource_type, one.body
    id = gave_way.get((kind, one.resource_id), one.resource_id)
    marks: Collection[str] = ()
    resource = {**body}
    for name in _NOT_AGREED:
        resource.pop(name, None)
    if (strategy := TOLD_ONCE.get(kind)) is not None:
        decided = strategy(one, table)
        marks = decided.marks
        for name, value in decided.elements.items():
            if value is None:
                resource.pop(name, None)
            else:
                resource[name] = value
    finished = laid_out(kind, id, resource, marks, known)
    person = person_of(finished) or one.person
    return Agreed(kind, id, gave_way.get(("Patient", person), person) if person else None, finished, (one.source,))


def _told(found: Difference) -> Mapping[str, Any]:
    return {"path": found.path, "sources": list(found.sources), "statements": list(found.statements)}


def _retracted(every: Sequence[Statement], gave_way: Mapping[Thing, str]) -> Agreed:
    """Nobody says anything of it: what was said came of maps that read its record wrongly."""
    statements = apart(every)[1] or every
    kind = statements[0].resource_type
    id = min(gave_way.get((kind, one.resource_id), one.resource_id) for one in statements)
    persons = {gave_way.get(("Patient", p), p) for one in statements if (p := one.person)}
    sources = tuple(sorted({one.source for one in statements}))
    return Agreed(kind, id, min(persons, default=None), {"resourceType": kind, "id": id}, sources, deleted=True)


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
        others = sorted({one.resource_id for one in said} - {agreed.id}) if gave_way or len(said) > 1 else ()
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
        things[one.resource_type, gave_way.get(key, one.resource_id)].append(one)
    return things


def wanted(statements: Iterable[Statement]) -> set[Key]:
    """The keys of logical references that await their target: what to look up, or wait for, as `known`."""
    return {
        key for one in statements for reference, key in logical_references(one.body) if "reference" not in reference
    }


class _Fold:
    """Voices in force, agreed element by element."""

    def __init__(
        self, kind: str, table: Authority, voices: Sequence[Statement], settled: Mapping[str, Settlement]
    ) -> None:
        self.kind = kind
        self.settled = settled
        self.table = table
        self.voices = in_order(voices)
        self.standing = kind in table.standing
        self.decided: dict[str, Any] = {}
        self.differences: list[Difference] = []
        self.marks: set[str] = set()
        self.passings: Sequence[tuple[Passing, bool]] = ()
        self._parties: dict[str, str | None] = {}

    def decide(self, decided: Decided) -> None:
        self.decided |= decided.elements
        self.differences += decided.differences
        self.marks |= decided.marks
        self.passings = decided.passings or self.passings

    @property
    def contradictions(self) -> list[Difference]:
        """What differs, and nobody has decided."""
        return [found for found in self.differences if found.rule != "decision"]

    def resource(self) -> Resource:
        if len(self.voices) == 1:  # Nothing to agree.
            body = self.voices[0].body
            agreed = {name: body[name] for name in body if name not in _NOT_AGREED and name not in self.decided}
        else:
            agreed = self.object("", [(one, one.body) for one in self.voices])
        agreed |= {name: value for name, value in self.decided.items() if value is not None}
        if self.passings:
            agreed = inherited(agreed, self.passings)
        if self.differences:
            self.differences.sort(key=lambda found: (found.path, found.sources))
            self.marks |= marks(self.differences)
        return agreed

    def object(self, path: str, said: Sequence[tuple[Statement, Mapping[str, Any]]]) -> dict[str, Any]:
        entries: dict[str, list[tuple[Statement, Any]]] = defaultdict(list)
        for one, value in said:
            for name, child in value.items():
                if name not in _NOT_AGREED and not (path == "" and name in self.decided):
                    entries[name].append((one, child))
        return {name: self.element(name, f"{path}.{name}", entries[name]) for name in sorted(entries)}

    def element(self, name: str, path: str, entries: list[tuple[Statement, Any]]) -> Any:
        if len(entries) == 1:
            return entries[0][1]
        if any(isinstance(value, list) for _, value in entries):
            lists = [(one, value) for one, value in entries if isinstance(value, list)]
            if self.standing and name != "identifier":
                lists = [entry for entry in lists if not _weak(entry[0])] or lists
                lists = list({one.source: (one, value) for one, value in lists}.values())
            lists.sort(key=lambda entry: self.preference(path, entry[0], latest_first=False))
            return unite(value for _, value in lists)
        if name in self.table.merged and all(isinstance(value, dict) for _, value in entries):
            return self.object(path, entries)
        return self.scalar(path, entries)

    def scalar(self, path: str, entries: list[tuple[Statement, Any]]) -> Any:
        latest = {one.source: (one, value) for one, value in entries if not _weak(one)}
        if not latest:
            latest = {one.source: (one, value) for one, value in entries}
        ranked = sorted(latest.values(), key=lambda entry: self.preference(path, entry[0], latest_first=True))
        decision = self.settled.get(self.kind + path)
        if decision is not None and decision.followed is not None:
            ranked.sort(key=lambda entry: entry[0].source != decision.followed)
        best, value = ranked[0]
        decided, against = [], []
        for one, other in ranked[1:]:
            if decision is not None and best.source == decision.followed and decision.is_about(one):
                decided += [] if same(value, other) else [one]  # Whichever came first in a course.
            elif not _weak(one) and self.differs(path, best, value, one, other):
                against.append(one)
        if decided:
            self.differences.append(self.difference(path, best, decided, "decision", decision))
        if against:
            asked = decision if decision is not None and all(map(decision.is_about, against)) else None
            self.differences.append(self.difference(path, best, against, self.rule(path, best, against[0]), asked))
        return value

    def difference(
        self, path: str, best: Statement, others: Sequence[Statement], rule: Ruled, decision: Settlement | None
    ) -> Difference:
        parties = [best, *others]
        return Difference(
            path=self.kind + path,
            sources=tuple(sorted(one.source for one in parties)),
            statements=tuple(sorted(one.digest for one in parties)),
            followed=best.digest,
            rule=rule,
            decision=decision.said.digest if decision else None,
        )

    def rule(self, path: str, best: Statement, other: Statement) -> Ruled:
        """Why the one is followed and not the other: the first in which their preferences differ."""
        weak, near, moment, *_ = self.preference(path, best, latest_first=True)
        others = self.preference(path, other, latest_first=True)
        return "responsible" if (weak, near) != others[:2] else "latest" if moment != others[2] else "source"

    def differs(self, path: str, best: Statement, value: Any, one: Statement, other: Any) -> bool:
        if same(value, other):
            return False
        element = self.kind + path
        if element in self.table.moving:
            return False
        course = self.table.progress.get(element, ())
        earlier = value in course and other in course and course.index(other) < course.index(value)
        return not (earlier and one.effective <= best.effective)

    def preference(self, path: str, one: Statement, *, latest_first: bool) -> tuple[Any, ...]:
        moment = one.effective.timestamp()
        near = nearness(Party.of(one), self.party(path))
        return _weak(one), near, -moment if latest_first else moment, one.source, one.digest

    def party(self, path: str) -> str | None:
        """Whose word counts for the element."""
        top = path.split(".")[1]
        element = self.table.elements.get(f"{self.kind}.{top}") or self.table.responsible.get(self.kind)
        if element is None or element == top:
            return None
        if element not in self._parties:
            stated = [(one, one.body[element]) for one in self.voices if element in one.body]
            self._parties[element] = None  # the element that names the party goes by source time alone
            reference = self.decided.get(element) or (stated[-1][1] if stated else None)
            self._parties[element] = reference_key(reference)
        return self._parties[element]


def _weak(one: Statement) -> bool:
    return one.record_key.startswith(MENTION)


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
