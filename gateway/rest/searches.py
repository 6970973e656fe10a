"""What the search interactions have in common: parameters of the address and of a form, how strictly they are taken.

https://hl7.org/fhir/R4/search.html#errors
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.searching import Scope
from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.rest.format import negotiate, parted
from gateway.rest.prefer import preferences
from gateway.rest.request import asking, bounded, door_of, in_thread
from gateway.rest.response import answered, base_of

FORM = "application/x-www-form-urlencoded"
MOST_FORM = 1 << 20


async def searched(request: Request, interaction: str, scope: Scope, *, posted: bool = False) -> Response:
    """The answer to a search; `posted`: with a form."""
    who = asking(request, interaction)
    params = [*request.query_params.multi_items(), *(await form(request) if posted else ())]
    negotiate(request, params)
    handling = preferences(request).get("handling")
    asked, shown = parted(params)
    search, base = door_of(request).search, base_of(request)
    body = await in_thread(search, who, scope, asked, lenient=handling == "lenient", base=base, shown=shown)
    applied = {"Preference-Applied": f"handling={handling}"} if handling in ("strict", "lenient") else {}
    return await answered(request, body, headers=applied, entries=True)


async def form(request: Request) -> list[tuple[str, str]]:
    """The parameters of the body."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    raw = await bounded(request, MOST_FORM)
    if raw and media_type != FORM:
        raise UnsupportedMediaType(f"Send the parameters as {FORM}.", rule="media-type")
    try:
        return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise BadRequest("The form cannot be read as UTF-8 parameters.", rule="form-malformed") from error
