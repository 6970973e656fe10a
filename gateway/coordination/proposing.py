"""What is agreed now held against what else is stored about its person: which pairs a person is to be asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.coordination import weak_links
from gateway.records import Agreed, Link
from gateway.store import UnitOfWork
from gateway.store.resources import About

Thing = tuple[str, str]
"""Resource type and id."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """One thing that is agreed, and the time within which another may be the same."""

    agreed: Agreed
    first: int
    last: int

    @property
    def key(self) -> Thing:
        return self.agreed.resource_type, self.agreed.id

    def may_be(self, other: About) -> bool:
        """Before either is read: no source tells of both, for it would know that they are two."""
        return (
            other.key != self.key
            and other.resource_type == self.agreed.resource_type
            and other.low <= self.last
            and other.high >= self.first
            and not {*other.contributors} & {*self.agreed.contributors}
        )


def proposals(uow: UnitOfWork, agreed: Iterable[Agreed]) -> list[Link]:
    """The weak links that nobody has been asked about yet. What is agreed is saved already."""
    kinds = weak_links.rules()
    told = [one for one in agreed if one.person and not one.deleted and one.resource_type in kinds]
    if not told:
        return []
    # Who is told of by one source alone, as most are, is told of by it as of one: no time need be looked at.
    contributors = {one.contributors for one in told}
    persons = uow.resources.told_by_others(
        {str(one.person) for one in told}, kinds, contributors.pop() if len(contributors) == 1 else ()
    )
    sought = [found for one in told if one.person in persons and (found := _sought(one))]
    if not sought:
        return []
    near = _near(uow, sought)
    pairs = {frozenset((one.key, other.key)): (one, other) for one in sought for other in near.get(one.key, ())}
    if not pairs:
        return []
    stored = uow.resources.read_many({other.key for _, other in pairs.values()})
    asked = {
        frozenset((link.from_id, link.to_id)) for link in uow.links.of(sorted({id for pair in pairs for _, id in pair}))
    }
    return [
        weak_links.proposal(one.agreed.resource_type, one.agreed.id, other.id, uow.now)
        for one, other in pairs.values()
        if frozenset((one.agreed.id, other.id)) not in asked
        and weak_links.may_be_one(one.agreed.resource, stored[other.key].resource())
    ]


def _sought(one: Agreed) -> _Sought | None:
    window = weak_links.window(one.resource)
    return None if window is None else _Sought(one, *window)


def _near(uow: UnitOfWork, sought: Sequence[_Sought]) -> Mapping[Thing, list[About]]:
    """For each thing the nearest of those that may be the same, as far as their person, time and sources tell."""
    kinds = {one.agreed.resource_type for one in sought}
    found = uow.resources.about_then(
        sorted({str(one.agreed.person) for one in sought}),
        {kind: rule.searched for kind, rule in weak_links.rules().items() if kind in kinds},
        min(one.first for one in sought),
        max(one.last for one in sought),
    )
    about: dict[str, list[About]] = defaultdict(list)
    for other in found:
        about[other.person].append(other)
    near = {}
    for one in sought:
        others = {other.key: other for other in about[str(one.agreed.person)] if one.may_be(other)}
        nearest = sorted(others.values(), key=lambda other: (abs(other.low - one.first), other.id))
        if nearest:
            near[one.key] = nearest[: weak_links.MOST]
    return near
