"""FHIR search over one type, by GET and by POST `_search`.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import Response

from gateway.access.caller import Asking
from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.rest.format import PRESENTATION, negotiate
from gateway.rest.request import asking, bounded, door_of, in_thread
from gateway.rest.response import answered, base_of

FORM = "application/x-www-form-urlencoded"
MOST_FORM = 1 << 20


async def search_type(request: Request, resource_type: str) -> Response:
    who = asking(request, "search-type")
    return await _search(request, who, resource_type, list(request.query_params.multi_items()))


async def search_by_post(request: Request, resource_type: str) -> Response:
    who = asking(request, "search-type")
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    raw = await bounded(request, MOST_FORM)
    if raw and media_type != FORM:
        raise UnsupportedMediaType(f"Send the parameters as {FORM}.", rule="media-type")
    try:
        sent = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise BadRequest("The form cannot be read as UTF-8 parameters.", rule="form-malformed") from error
    return await _search(request, who, resource_type, [*request.query_params.multi_items(), *sent])


async def _search(request: Request, who: Asking, resource_type: str, params: list[tuple[str, str]]) -> Response:
    negotiate(request, params)
    lenient = "handling=lenient" in request.headers.get("prefer", "")
    asked = [(name, value) for name, value in params if name not in PRESENTATION]
    shown = tuple((name, value) for name, value in params if name in PRESENTATION)
    search, base = door_of(request).search, base_of(request)
    body = await in_thread(search, who, resource_type, asked, lenient=lenient, base=base, shown=shown)
    return await answered(request, body)
