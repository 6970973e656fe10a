"""Patient/$match: who a person may be, from what is known of him.

https://hl7.org/fhir/R4/patient-operation-match.html
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest, Invalid
from gateway.fhir.check import check
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered, base_of


async def match(request: Request) -> Response:
    negotiate(request)
    who, door = asking(request, "match"), door_of(request)
    op = parameters.operation(door.definitions, "Patient", "match")
    given = await parameters.sent(request, op, door.definitions, alone="resource")
    patient, count = given.one("resource"), given.one("count")
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        raise BadRequest("The resource to be matched is a Patient.", rule="resource-type-differs", where="resource")
    if wrong := [one for one in check(patient, door.definitions) if one.severity in ("fatal", "error")]:
        raise Invalid(issues=wrong)
    if count is not None and count < 1:
        raise BadRequest("count is 1 at the least.", rule="parameter-malformed", where="count")
    certain = given.flag("onlyCertainMatches")
    body = await in_thread(door.match, who, patient, certain=certain, count=count, base=base_of(request))
    return await answered(request, body, entries=True)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("POST", "/fhir/Patient/$match", match),)
