"""The organisations that the directory knows, and who answers for each: what test identities are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Source
from gateway.store import UnitOfWork


@dataclass(frozen=True, slots=True)
class Organisation:
    """A unit by its HSA-id, with its name and the care provider who answers for it."""

    id: str
    name: str
    hsa_id: str
    controller: str


def organisations(uow: UnitOfWork, sources: Iterable[Source]) -> list[Organisation]:
    """Every unit of the directory, in order of name; the top of its `partOf` chain is its controller.

    A unit that only a source's configuration ties to a provider (its HSA-id carries the body's organisation number)
    has that provider; where nothing says, it answers for itself.
    """
    named: dict[str, Resource] = {}
    for stored in uow.resources.all(resource_type="Organization"):
        if not stored.deleted:
            resource = stored.resource()
            for identifier in resource.get("identifier", ()):
                if identifier.get("system") == HSA_ID:
                    named.setdefault(identifier["value"], resource)
    bodies = {source.controller.partition("-")[0]: source.controller for source in sources}
    found = [
        Organisation(resource["id"], resource["name"], hsa_id, _controller(hsa_id, named, bodies))
        for hsa_id, resource in named.items()
        if resource.get("name")
    ]
    return sorted(found, key=lambda one: (one.name, one.hsa_id))


def _controller(hsa_id: str, named: dict[str, Resource], bodies: dict[str, str]) -> str:
    seen = {hsa_id}
    top = hsa_id
    while parent := named.get(top, {}).get("partOf", {}).get("identifier", {}).get("value"):
        if parent in seen:
            break
        seen.add(parent)
        top = parent
    return top if top != hsa_id else bodies.get(hsa_id.partition("-")[0], hsa_id)
