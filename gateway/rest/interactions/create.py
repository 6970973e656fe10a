"""FHIR create: a new resource under an id of ours; with `If-None-Exist`, only where nothing meets that search.

https://hl7.org/fhir/R4/http.html#create, https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from gateway.errors import BadRequest
from gateway.rest.conditions import if_none_exist
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import written


async def create(request: Request, resource_type: str) -> Response:
    negotiate(request)
    who = asking(request, "create")
    for name in request.query_params:
        if name not in PRESENTATION:  # Some clients put the condition there: passed over, it would make a second one.
            text = "A create takes no parameters in its address: a condition is put into If-None-Exist."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
    sent, condition = await body(request), if_none_exist(request)
    done = await in_thread(door_of(request).create, who, resource_type, sent, if_none_exist=condition)
    return await written(request, done)
