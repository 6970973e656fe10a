"""CarePlan/$as-of: a plan and its team as they were, and which statuses and members they had until then.

docs/plans.md; the OperationDefinition is `CarePlan-as-of` in conformance/.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import Handler, asking, door_of, in_thread, moment
from gateway.rest.response import answered

PARAMETERS: Final = ("at", "known-at")


async def plan_as_of(request: Request, id: str) -> Response:
    negotiate(request)
    who = asking(request, "as-of")
    for name in request.query_params:
        if name not in (*PARAMETERS, *PRESENTATION):
            text = f"There is no parameter of this name. Parameters: {', '.join(PARAMETERS)}."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    at, known_at = (moment(request, name) for name in PARAMETERS)
    return await answered(
        request, dump(await in_thread(door_of(request).plan_as_of, who, id, at=at, known_at=known_at))
    )


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (("GET", "/fhir/CarePlan/{id}/$as-of", plan_as_of),)
