"""What validation asks of what is kept here; and what a write is held to beyond the structure, where a setting says so.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.access.conditions import terminology
from gateway.access.reading import Rooms
from gateway.issues import Issue
from gateway.records import Resource
from gateway.validation import Surroundings, Wanted, validate

STRUCTURE: Final = "structure"


def nothing(_: str) -> Resource | None:
    return None


def surroundings(rooms: Rooms, base: str = "", resolve: Callable[[str], Resource | None] = nothing) -> Surroundings:
    """Profiles and terminology are about nobody: they are looked at whoever asks. What `resolve` finds is his."""
    bases = (base.rstrip("/") + "/",)

    def kept(resource_type: str) -> Callable[[str], Resource | None]:
        return lambda url: rooms.store.read(lambda uow: uow.searches.canonical(resource_type, url, bases))

    return Surroundings(
        rooms.definitions,
        terminology(rooms, base),
        rooms.clock(),
        kept("StructureDefinition"),
        resolve,
        base or None,
        kept("Questionnaire"),
    )


def against(resource: Resource, rooms: Rooms) -> list[Issue]:
    """Why a resource that is structurally right may not be written, by the setting `validate_on_write`."""
    if rooms.validate_on_write == STRUCTURE:
        return []
    wanted = Wanted(held=rooms.validate_on_write == "profiles")
    return [one for one in validate(resource, surroundings(rooms), wanted) if one.severity in ("fatal", "error")]
