"""Capacity through the door: services and the units that have them say nothing of persons, and are open to all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from gateway.access.answers import FIRST_YEAR, LAST_YEAR
from gateway.access.caller import Asking
from gateway.access.conformance import Canonicals
from gateway.access.decision import decide
from gateway.coordination.capacity import Call, Room, rooms
from gateway.coordination.directory import Directory
from gateway.errors import BadRequest
from gateway.identity.resolve import logical_references
from gateway.records import Resource
from gateway.store import UnitOfWork

SERVICE: Final = "HealthcareService"

__all__ = ["Call", "CapacityDoor", "Room"]


class CapacityDoor(Canonicals):
    """capacity."""

    def capacity(self, asking: Asking, *, at: datetime | None = None, municipality: str = "") -> list[Room]:
        """Who can take something, those that can first; of one municipality (its code), or of all."""
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            text = f"at must lie between {FIRST_YEAR} and {LAST_YEAR}."
            raise BadRequest(text, rule="parameter-malformed", where="at")
        services = [one.resource() for one in self.stored(asking, SERVICE)]
        directory = self._rooms.store.read(lambda uow: Directory(_organisations(uow, services)))
        self.audit(asking, decide(asking.caller, SERVICE, takes_part=None))
        found = rooms(services, directory, at=at or self._rooms.clock(), zone=self._rooms.zone)
        return [one for one in found if municipality in ("", one.municipality)]


def _organisations(uow: UnitOfWork, services: Iterable[Resource]) -> list[Resource]:
    """Those that the services name, and those that are above them or took over."""
    found: dict[str, Resource] = {}
    fresh = list(services)
    while fresh:
        keys = {key for one in fresh for _, key in logical_references(one) if key[0] == "Organization"}
        ids = set(uow.identifiers.find(keys).values()) | {id for one in fresh for id in _literal(one)}
        read = uow.resources.read_many([("Organization", id) for id in ids - found.keys()])
        met = {one.id: one.resource() for one in read.values() if not one.deleted}
        found |= met
        fresh = list(met.values())
    return list(found.values())


def _literal(resource: Resource) -> Iterable[str]:
    for name in ("providedBy", "partOf"):
        kind, _, id = str(resource.get(name, {}).get("reference", "")).partition("/")
        if kind == "Organization" and id:
            yield id
