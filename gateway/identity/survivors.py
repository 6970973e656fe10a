"""Two ids that turn out to be one thing: which of them survives.

https://hl7.org/fhir/R4/patient.html#links
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.records import Link


def survivors(links: Iterable[Link]) -> dict[tuple[str, str], str]:
    """For each (type, id) that gave way: the id that stands for it.

    A pair is what was last decided of it; an undone link counts as none. The smallest id of those that belong together
    survives, so the order in which the links became known does not matter.
    """
    decided: dict[tuple[str, str, str], Link] = {}
    for link in sorted(links, key=lambda link: (link.recorded, link.kind == "undone")):
        if link.kind != "proposed":
            low, high = sorted((link.from_id, link.to_id))
            decided[link.resource_type, low, high] = link
    parents: dict[tuple[str, str], str] = {}

    def root(resource_type: str, id: str) -> str:
        while (parent := parents.get((resource_type, id), id)) != id:
            id = parent
        return id

    for (resource_type, one, other), link in decided.items():
        if link.kind == "same":
            low, high = sorted((root(resource_type, one), root(resource_type, other)))
            parents[resource_type, high] = low
    return {(kind, id): root(kind, id) for kind, id in parents if root(kind, id) != id}
