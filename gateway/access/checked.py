"""What every write is held to before it is decided on: the structure of its type, what is kept here, its references."""

from __future__ import annotations

from gateway.access.reading import Rooms
from gateway.access.validated import against
from gateway.errors import Invalid, Unprocessable
from gateway.fhir.check import check
from gateway.fhir.links import conditional
from gateway.records import Resource


def checked(resource: Resource, rooms: Rooms) -> None:
    """Invalid where the resource breaks the structural rules of its type, or others that writes are held to."""
    found = [issue for issue in check(resource, rooms.definitions) if issue.severity in ("fatal", "error")]
    found = found or rooms.known.problems(resource) or against(resource, rooms)
    if found:
        raise Invalid(issues=found)


def unconditional(resource: Resource, rooms: Rooms) -> None:
    """Unprocessable where a resource that is written by itself refers to another by a search.

    R4 has such references in transactions only. Kept as they are they would lead nowhere, and nobody would know.
    https://hl7.org/fhir/R4/http.html#trules
    """
    for _, path in conditional(resource, rooms.definitions):
        raise Unprocessable(
            "A reference by a search is followed in a transaction only: send one, or refer to Type/id.",
            rule="conditional-reference",
            expression=f"{resource['resourceType']}{path}",
        )
