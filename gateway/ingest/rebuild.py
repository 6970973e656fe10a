"""`samverka rebuild`: fold all statements anew and compare with what is stored, byte for byte.

What is stored under a resource's id is a cache of the fold; this proves it, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from gateway.coordination.recorder import Recorder
from gateway.records import Agreed
from gateway.store import Store, Stored, UnitOfWork
from gateway.store.bodies import content

PAGE = 500


@dataclass(slots=True)
class Rebuilt:
    """Counts, and the references of what differs."""

    statements: int = 0
    resources: int = 0
    equal: int = 0
    different: list[str] = field(default_factory=list)


def rebuild(store: Store, recorder: Recorder, progress: Callable[[int, int], None]) -> Rebuilt:
    """Compare every stored resource with the fold of its statements."""
    result = Rebuilt()

    def compare(uow: UnitOfWork) -> None:
        result.statements = uow.statements.count()
        total = sum(uow.resources.count().values())
        served = 0
        after = ("", "")
        following: set[tuple[str, str]] = set()
        while things := uow.statements.resources(after=after, limit=PAGE):
            after = things[-1]
            folded = {(one.resource_type, one.id): one for one in recorder.fold(uow, things)}
            stored = uow.resources.read_many(folded)
            stale = set(uow.bearing.stale(recorder.bearings(uow, things)))
            follows = _following(uow, things, folded)
            following |= follows
            for thing in (*things, *sorted(follows)):
                found = stored.get(thing)
                served += found is not None and not found.deleted
                result.resources += 1
                if _same(folded.get(thing), found) and thing not in stale:
                    result.equal += 1
                else:
                    result.different.append("/".join(thing))
            progress(result.resources, total)
        if served != total:
            unstated = list(_unstated(uow, following))
            result.resources += len(unstated)
            result.different += unstated

    store.read(compare)
    return result


def _same(agreed: Agreed | None, stored: Stored | None) -> bool:
    if agreed is None or agreed.deleted:
        return stored is None or stored.deleted
    if stored is None or stored.deleted:
        return False
    # Who may see it follows from whom it is about and who contributed: that is as much the fold's as the bytes are.
    about = agreed.person, agreed.contributors, [dict(one) for one in agreed.contradictions]
    if about != (stored.person, stored.contributors, [dict(one) for one in stored.contradictions]):
        return False
    served = content(agreed.resource).to_serve(
        stored.resource_type, stored.id, version=stored.version, last_updated=stored.last_updated
    )
    return stored.body == served


def _following(
    uow: UnitOfWork, things: Sequence[tuple[str, str]], folded: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The teams that nobody states and that follow from these plans."""
    plans = {id for kind, id in things if kind == "CarePlan"}
    teams = {(kind, id) for kind, id in folded if kind == "CareTeam" and id in plans}
    return teams - {(one.resource_type, one.resource_id) for one in uow.statements.of_resources(teams)}


def _unstated(uow: UnitOfWork, following: Collection[tuple[str, str]]) -> Iterator[str]:
    """What is stored, and nobody has stated, and follows from nothing."""
    stated = set(following)
    after = ("", "")
    while things := uow.statements.resources(after=after, limit=PAGE):
        after = things[-1]
        stated.update(things)
    for one in uow.resources.all():
        if not one.deleted and (one.resource_type, one.id) not in stated:
            yield f"{one.resource_type}/{one.id}"
