"""AuditEvents of ingest: a source has stated something about these persons.

One event for each person and range of a message's items, in the unit of work that the statements are in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from gateway.access.audit import audit_event
from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision
from gateway.records import Source, Statement
from gateway.store import UnitOfWork

CONFIGURED = Decision(True, "configured-source")


def add_ingested(uow: UnitOfWork, source: Source, statements: Iterable[Statement]) -> None:
    """Record who stated what about whom; statements about nobody (the directory) leave one event together."""
    caller = Caller("organisation", source.hsa_id, source.name, source.controller)
    asking = Asking(caller, "ingest", purpose="HOPERAT")
    events = [
        (audit_event(asking, CONFIGURED, at=uow.now, patient=_patient(person), entities=references), person)
        for person, references in _by_person(statements)
    ]
    uow.audit.add_about(events)


def _patient(person: str | None) -> str | None:
    return f"Patient/{person}" if person else None


def _by_person(statements: Iterable[Statement]) -> Iterator[tuple[str | None, list[str]]]:
    said: dict[str | None, dict[str, None]] = defaultdict(dict)
    for one in statements:
        said[one.person][f"{one.resource_type}/{one.resource_id}"] = None
    for person, references in said.items():
        yield person, list(references)
