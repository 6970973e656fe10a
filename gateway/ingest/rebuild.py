"""`samverka rebuild`: fold all statements anew and compare with what is stored, byte for byte.

What is stored under a resource's id is a cache of the fold; this proves it, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.coordination.recorder import Recorder
from gateway.store import Store, UnitOfWork
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
        after = ("", "")
        while things := uow.statements.resources(after=after, limit=PAGE):
            after = things[-1]
            folded = {(one.resource_type, one.id): one for one in recorder.fold(uow, things, wait=False)}
            stored = uow.resources.read_many(folded)
            for thing in things:
                one, found = folded.get(thing), stored.get(thing)
                expected = None if one is None or one.deleted else content(one.resource)
                if expected is None:
                    same = found is None or found.deleted
                else:
                    same = (
                        found is not None
                        and not found.deleted
                        and found.body
                        == expected.to_serve(
                            found.resource_type, found.id, version=found.version, last_updated=found.last_updated
                        )
                    )
                result.resources += 1
                if same:
                    result.equal += 1
                else:
                    result.different.append("/".join(thing))
            progress(result.resources, total)

    store.read(compare)
    return result
