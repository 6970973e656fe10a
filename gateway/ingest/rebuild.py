"""`samverka rebuild`: fold all statements anew and compare with what is stored, byte for byte; store it where asked.

What is stored under a resource's id is a cache of the fold; comparing proves it, and changes nothing. Where a newer
version of the gateway agrees by other rules, what it agrees on can be stored at once, as new versions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from gateway.access.audit import audit_event
from gateway.access.caller import OPERATOR, Asking
from gateway.access.decision import Decision
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.coordination.recorder import Recorder
from gateway.records import Agreed
from gateway.store import Store, Stored, UnitOfWork
from gateway.store.bodies import content
from gateway.store.failures import Refused

PAGE = 500
SLICE = 50
"""So many are saved in one unit of work, so that who writes beside it waits briefly."""
ASKING = Asking(OPERATOR, "rebuild", request_id="cli")
ALLOWED = Decision(True, "operator")

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""
Thing = tuple[str, str]
"""Resource type and id."""


@dataclass(slots=True)
class Rebuilt:
    """Counts, and the references of what differs."""

    statements: int = 0
    resources: int = 0
    equal: int = 0
    different: list[str] = field(default_factory=list)
    stored: int = 0
    """Of those that differed, so many were stored anew and agree now."""
    left: list[str] = field(default_factory=list)
    """Of those that differed, what still does: nobody states it, or its rows were altered past the gateway."""


def rebuild(store: Store, recorder: Recorder, progress: Progress) -> Rebuilt:
    """Compare every stored resource with the fold of its statements."""
    result = Rebuilt()

    def compare(uow: UnitOfWork) -> None:
        result.statements = uow.statements.count()
        total = sum(uow.resources.count().values())
        served = 0
        following: set[Thing] = set()
        for things in _pages(uow):
            page = _compared(uow, recorder=recorder, things=things)
            served += page.served
            following |= page.following
            result.resources += page.count
            result.equal += page.count - len(page.different)
            result.different += map("/".join, page.different)
            progress(result.resources, total)
        if served != total:
            unstated = list(_unstated(uow, following))
            result.resources += len(unstated)
            result.different += unstated

    store.read(compare)
    return result


def store_anew(
    store: Store, recorder: Recorder, found: Rebuilt, clock: Callable[[], datetime], progress: Progress
) -> None:
    """Save what the statements give now of all that was found to differ; `found` tells afterwards what is left.

    A few at a time, each under the locks of who writes them, by what the statements say by then: a server may run
    beside it, and what is interrupted is gone on with by comparing again. What nobody states is left as it is.
    """
    wanted = [(kind, id) for kind, _, id in (one.partition("/") for one in found.different)]
    for start in range(0, len(wanted), SLICE):
        things = wanted[start : start + SLICE]
        _save(store, recorder, things, clock)
        differ = store.read(partial(_compared, recorder=recorder, things=_with_plans(things))).different
        found.left += ["/".join(thing) for thing in things if thing in differ]
        progress(start + len(things), len(wanted))
    found.stored = len(wanted) - len(found.left)


def _save(store: Store, recorder: Recorder, things: Sequence[Thing], clock: Callable[[], datetime]) -> None:
    """Save all of these but those whose rows, altered past the gateway, the database refuses to go on with."""
    try:
        store.write(partial(_mend, recorder=recorder, things=things), now=clock)
    except Refused:
        middle = len(things) // 2
        for half in (things[:middle], things[middle:]) if middle else ():
            _save(store, recorder, half, clock)


def _mend(uow: UnitOfWork, *, recorder: Recorder, things: Sequence[Thing]) -> None:
    """Save these anew; each person whom they are about is looked at for gaps, and an AuditEvent says so."""
    recorder.anew(uow, _with_plans(things))
    about: dict[str | None, list[str]] = defaultdict(list)
    for thing, one in sorted(uow.resources.read_many(things).items()):
        about[one.person].append("/".join(thing))
    uow.watch.expect({person: uow.now for person in about if person})
    uow.audit.add_about(
        (
            audit_event(ASKING, ALLOWED, at=uow.now, patient=f"Patient/{person}" if person else None, entities=them),
            person,
        )
        for person, them in about.items()
    )


def _with_plans(things: Sequence[Thing]) -> list[Thing]:
    """These, and the plans that teams among them follow from: each has the id of its team."""
    return list(dict.fromkeys((*things, *((PLAN, id) for kind, id in things if kind == TEAM))))


@dataclass(frozen=True, slots=True)
class _Compared:
    """So many things and what follows from them, those that differ, and how many are served."""

    count: int
    different: list[Thing]
    following: set[Thing]
    served: int


def _compared(uow: UnitOfWork, *, recorder: Recorder, things: Sequence[Thing]) -> _Compared:
    folded = {(one.resource_type, one.id): one for one in recorder.fold(uow, things)}
    following = _following(uow, things, folded)
    every = [*things, *sorted(following.difference(things))]
    stored = uow.resources.read_many({*every, *folded})
    stale = set(uow.bearing.stale(recorder.bearings(uow, things)))
    different = [thing for thing in every if thing in stale or not _same(folded.get(thing), stored.get(thing))]
    served = sum(one is not None and not one.deleted for one in map(stored.get, every))
    return _Compared(len(every), different, following, served)


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


def _following(uow: UnitOfWork, things: Sequence[Thing], folded: Collection[Thing]) -> set[Thing]:
    """The teams that nobody states and that follow from these plans."""
    plans = {id for kind, id in things if kind == PLAN}
    teams = {(kind, id) for kind, id in folded if kind == TEAM and id in plans}
    return teams - {(one.resource_type, one.resource_id) for one in uow.statements.of_resources(teams)}


def _unstated(uow: UnitOfWork, following: Collection[Thing]) -> Iterator[str]:
    """What is stored, and nobody has stated, and follows from nothing."""
    stated = {*following, *(thing for page in _pages(uow) for thing in page)}
    for one in uow.resources.all():
        if not one.deleted and (one.resource_type, one.id) not in stated:
            yield f"{one.resource_type}/{one.id}"


def _pages(uow: UnitOfWork) -> Iterator[Sequence[Thing]]:
    """Everything that statements are about."""
    after = ("", "")
    while things := uow.statements.resources(after=after, limit=PAGE):
        yield things
        after = things[-1]
