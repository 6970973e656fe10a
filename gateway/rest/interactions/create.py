"""FHIR create: a new resource under an id of ours; with `If-None-Exist`, only where nothing meets that search.

https://hl7.org/fhir/R4/http.html#create, https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.together import Sent
from gateway.errors import BadRequest
from gateway.rest.binary import sent, settle
from gateway.rest.conditions import if_none_exist
from gateway.rest.format import PRESENTATION
from gateway.rest.request import asking, door_of, in_thread, stored
from gateway.rest.response import written


async def create(request: Request, resource_type: str) -> Response:
    settle(request, resource_type)
    who = asking(request, "create")
    for name in request.query_params:
        if name not in PRESENTATION:  # Some clients put the condition there: passed over, it would make a second one.
            text = "A create takes no parameters in its address: a condition is put into If-None-Exist."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    came, condition = await sent(request, resource_type), if_none_exist(request)
    if condition is None:
        return await written(request, await stored(request, Sent(who, resource_type, came)))
    done = await in_thread(door_of(request).create, who, resource_type, came, if_none_exist=condition)
    return await written(request, done)
