"""The voices in force about one thing, agreed element by element.

Scalars go by authority, then source time, then the source's id; lists are united; where the voices differ, that is
recorded as a difference. Where one source says all of it, its last word of each element is what it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.coordination.agreements import Authority
from gateway.coordination.heirs import Passing, inherited
from gateway.coordination.parties import Party, nearness
from gateway.coordination.settling import Settlement, marks
from gateway.coordination.tasks import Decided
from gateway.coordination.values import reference_key, same, unite
from gateway.identity.identifiers import canonical
from gateway.identity.resolve import MENTION, person_of
from gateway.records import Agreed, Difference, Resource, Ruled, Statement

NOT_AGREED = frozenset({"resourceType", "id", "versionId", "lastUpdated"})
Thing = tuple[str, str]
"""Resource type and id."""


class Fold:
    """Voices in force, in the order of facts, agreed element by element."""

    def __init__(
        self, kind: str, table: Authority, voices: Sequence[Statement], settled: Mapping[str, Settlement]
    ) -> None:
        self.kind = kind
        self.settled = settled
        self.table = table
        self.voices = voices
        self.standing = kind in table.standing
        self.decided: dict[str, Any] = {}
        self.differences: list[Difference] = []
        self.marks: set[str] = set()
        self.passings: Sequence[tuple[Passing, bool]] = ()
        self._parties: dict[str, str | None] = {}

    def decide(self, decided: Decided) -> None:
        """Take what a type's own rules decide ahead of the tables."""
        self.decided |= decided.elements
        self.differences += decided.differences
        self.marks |= decided.marks
        self.passings = decided.passings or self.passings

    def agreed(
        self,
        finished: Resource,
        last: Iterable[Statement],
        gave_way: Mapping[Thing, str],
        contributors: tuple[str, ...],
        *,
        deleted: bool = False,
    ) -> Agreed:
        """What is agreed. `last` is what was said last of each record."""
        return Agreed(
            resource_type=self.kind,
            id=finished["id"],
            person=person_in(finished, last, gave_way),
            resource=finished,
            contributors=contributors,
            contradictions=tuple(map(_told, self.contradictions)) if self.differences else (),
            deleted=deleted,
            differences=tuple(self.differences),
        )

    @property
    def contradictions(self) -> list[Difference]:
        """What differs, and nobody has decided."""
        return [found for found in self.differences if found.rule != "decision"]

    def resource(self) -> Resource:
        if len(self.voices) == 1:  # Nothing to agree.
            body = self.voices[0].body
            agreed = {name: body[name] for name in body if name not in NOT_AGREED and name not in self.decided}
        elif self.alone():
            agreed = self.last_words()
        else:
            agreed = self.object("", [(one, one.body) for one in self.voices])
        agreed |= {name: value for name, value in self.decided.items() if value is not None}
        if self.passings:
            agreed = inherited(agreed, self.passings)
        if self.differences:
            self.differences.sort(key=lambda found: (found.path, found.sources))
            self.marks |= marks(self.differences)
        return agreed

    def alone(self) -> bool:
        """Whether one source says all of it, and nothing by naming another only."""
        return len({one.source for one in self.voices}) == 1 and not any(map(_weak, self.voices))

    def last_words(self) -> dict[str, Any]:
        """The same as `object`, where one source says all of it: of each element what it said last."""
        agreed: dict[str, Any] = {}
        for one in self.voices:
            agreed |= one.body
        for name in (*NOT_AGREED, *self.decided):
            agreed.pop(name, None)
        for name, value in agreed.items():
            kind = type(value)
            if kind is list or (kind is dict and name in self.table.merged):
                said = [(one, one.body[name]) for one in self.voices if name in one.body]
                agreed[name] = self.element(name, f".{name}", said)
        return agreed

    def object(self, path: str, said: Sequence[tuple[Statement, Mapping[str, Any]]]) -> dict[str, Any]:
        entries: dict[str, list[tuple[Statement, Any]]] = defaultdict(list)
        for one, value in said:
            for name, child in value.items():
                if name not in NOT_AGREED and not (path == "" and name in self.decided):
                    entries[name].append((one, child))
        return {name: self.element(name, f"{path}.{name}", entries[name]) for name in sorted(entries)}

    def element(self, name: str, path: str, entries: list[tuple[Statement, Any]]) -> Any:
        if len(entries) == 1:
            return entries[0][1]
        kinds = {type(value) for _, value in entries}
        if list in kinds:
            lists = [(one, value) for one, value in entries if isinstance(value, list)]
            if self.standing and name != "identifier":
                lists = [entry for entry in lists if not _weak(entry[0])] or lists
                lists = list({one.source: (one, value) for one, value in lists}.values())
            return self.united(path, lists)
        if name in self.table.merged and kinds == {dict}:
            return self.object(path, entries)
        return self.scalar(path, entries)

    def united(self, path: str, lists: list[tuple[Statement, list[Any]]]) -> list[Any]:
        first = lists[0][1]
        if len(lists) > 1 and len({canonical(value) for _, value in lists}) > 1:
            lists.sort(key=lambda entry: self.preference(path, entry[0], latest_first=False))
            return unite(value for _, value in lists)
        return first if len(first) == 1 else unite([first])  # All of them say the same.

    def scalar(self, path: str, entries: list[tuple[Statement, Any]]) -> Any:
        latest = {one.source: (one, value) for one, value in entries if not _weak(one)}
        if not latest:
            latest = {one.source: (one, value) for one, value in entries}
        if len(latest) == 1:
            return next(iter(latest.values()))[1]
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


def person_in(finished: Resource, last: Iterable[Statement], gave_way: Mapping[Thing, str]) -> str | None:
    """Whom a resource is about, by what it says; else by what was said last."""
    person = person_of(finished)
    return gave_way.get(("Patient", person), person) if person else person_among(last, gave_way)


def person_among(said: Iterable[Statement], gave_way: Mapping[Thing, str]) -> str | None:
    """Whom what was said is about: of several the one of whom the id comes first."""
    return min((gave_way.get(("Patient", p), p) for one in said if (p := one.person)), default=None)


def _told(found: Difference) -> Mapping[str, Any]:
    return {"path": found.path, "sources": list(found.sources), "statements": list(found.statements)}
