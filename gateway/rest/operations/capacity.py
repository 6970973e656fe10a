"""HealthcareService/$capacity: which unit can take what now, and whom to call. No person is named, or asked about.

The OperationDefinition is `HealthcareService-capacity` in conformance/.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.capacity import Room
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.records import Resource
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import Handler, asking, door_of, in_thread, moment
from gateway.rest.response import answered

PARAMETERS: Final = ("at", "municipality")
CAPACITY: Final = f"{CANONICAL}/CodeSystem/capacity"
HOURS: Final = f"{CANONICAL}/StructureDefinition/hours"


async def capacity(request: Request) -> Response:
    negotiate(request)
    who = asking(request, "capacity")
    for name in request.query_params:
        if name not in (*PARAMETERS, *PRESENTATION):
            raise BadRequest(
                f"There is no parameter of this name. Parameters: {', '.join(PARAMETERS)}.",
                rule="unknown-parameter",
                where=name[:64],
            )
    at, municipality = moment(request, "at"), request.query_params.get("municipality", "")
    found = await in_thread(door_of(request).capacity, who, at=at, municipality=municipality)
    told = {"resourceType": "Parameters", "parameter": [{"name": "service", "part": _parts(one)} for one in found]}
    return await answered(request, dump(told if found else {"resourceType": "Parameters"}))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("GET", "/fhir/HealthcareService/$capacity", capacity),)


def _parts(room: Room) -> list[Resource]:
    unit = {"display": room.unit.name} if room.unit else {}
    if room.unit and room.unit.id:
        unit["reference"] = f"Organization/{room.unit.id}"
    calls: list[tuple[str, str, Any]] = []
    for call in room.calls:
        point: Resource = {"system": "phone", "value": call.phone}
        if call.hours:
            point["extension"] = [{"url": HOURS, "valueString": call.hours}]
        calls.append(("call", "ContactPoint", point))
    given: list[tuple[str, str, Any]] = [
        ("reference", "Reference", {"reference": room.reference, "display": room.name}),
        *(("what", "String", word) for word in room.what),
        ("unit", "Reference", unit or None),
        ("municipality", "Code", room.municipality or None),
        ("capacity", "Coding", {"system": CAPACITY, "code": room.state} if room.state else None),
        ("free", "Integer", room.free),
        ("total", "Integer", room.total),
        ("asOf", "DateTime", room.as_of and room.as_of.isoformat()),
        ("open", "Boolean", room.open),
        ("changes", "DateTime", room.changes and room.changes.isoformat()),
        *calls,
    ]
    return [{"name": name, f"value{kind}": value} for name, kind, value in given if value is not None]
