"""What must be true of an installation after whatever was done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.store import Store, UnitOfWork
from tests.ingest.inlet import Inlet

Resources = dict[str, tuple[dict[str, Any], str | None, tuple[str, ...], Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Found:
    """What is there."""

    statements: frozenset[str]
    resources: Resources
    waiting: int


def agreed(uow: UnitOfWork) -> Resources:
    """Every agreed resource, without what differs with the time of recording: version and time."""
    found: Resources = {}
    for one in uow.resources.all():
        if one.deleted:
            continue
        body = one.resource()
        body["meta"] = {k: v for k, v in body["meta"].items() if k not in ("versionId", "lastUpdated")}
        found[f"{one.resource_type}/{one.id}"] = body, one.person, one.contributors, one.contradictions
    return found


def same_namespace(store: Store, other: Store) -> None:
    """Let one installation give the ids that another gives."""
    namespace = store.read(lambda uow: uow.meta.get("secret:namespace"))
    assert namespace is not None
    other.write(lambda uow: uow.meta.put("secret:namespace", namespace))


def check(inlet: Inlet) -> list[str]:
    """What is not as it must be: the fold, the change log, the audit chains, the inbox. Nothing should be."""
    wrong: list[str] = []
    rebuilt = inlet.rebuilt()
    if rebuilt.different:
        wrong.append(f"rebuild: {len(rebuilt.different)} of {rebuilt.resources} differ: {rebuilt.different[:5]}")
    inlet.store.write(lambda uow: uow.audit.seal())
    breaks = inlet.read(lambda uow: uow.audit.verify())
    if breaks:
        wrong.append(f"audit: {breaks[:5]}")
    while inlet.store.number_changes():
        pass
    changes = inlet.read(lambda uow: uow.changes.after(0, limit=10_000_000))
    numbers = [change.seq for change in changes]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append("changes: the numbers have a gap")
    versions = {(change.resource_type, change.id, change.version) for change in changes}
    if len(versions) != len(changes):
        wrong.append("changes: a version is there twice")
    current = inlet.read(lambda uow: {(o.resource_type, o.id, o.version) for o in uow.resources.all()})
    if not current <= versions:
        wrong.append(f"changes: {len(current - versions)} versions are in no change")
    for entry in inlet.read(lambda uow: uow.inbox.entries(limit=10_000_000)):
        if entry.state not in ("done", "held"):
            wrong.append(f"inbox: {entry.id} is {entry.state}")
        seqs = [item.seq for item in inlet.read(lambda uow, id=entry.id: uow.inbox.items(id))]
        if seqs != list(range(len(seqs))):
            wrong.append(f"inbox: the items of {entry.id} have a gap")
    return wrong
