"""What the search interactions have in common: parameters of the address and of a form, how strictly they are taken.

https://hl7.org/fhir/R4/search.html#errors
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.searching import Scope, Sought, TakesLong
from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.rest.format import negotiate, parted
from gateway.rest.known import headers, query
from gateway.rest.looks import Looks
from gateway.rest.prefer import preferences
from gateway.rest.request import INLINE, asking, bounded, door_of, in_thread
from gateway.rest.response import answered, base_of

FORM = "application/x-www-form-urlencoded"
MOST_FORM = 1 << 20


async def searched(request: Request, interaction: str, scope: Scope, *, posted: bool = False) -> Response:
    """The answer to a search; `posted`: with a form."""
    who = asking(request, interaction)
    params = [*query(request), *(await form(request) if posted else ())]
    negotiate(request, params)
    handling = preferences(request).get("handling")
    asked, shown = parted(params)
    sought = Sought(who, scope, tuple(asked), lenient=handling == "lenient", base=base_of(request), shown=shown)
    body = await found(request, sought)
    applied = {"Preference-Applied": f"handling={handling}"} if handling in ("strict", "lenient") else {}
    return await answered(request, body, headers=applied, entries=True)


async def found(request: Request, sought: Sought) -> bytes:
    """A searchset, found with whatever else is looked for in this moment, unless it takes long. What it refuses."""
    looks: Looks | None = request.app.state.looks
    if looks is not None and not INLINE.get():
        with suppress(TakesLong):
            return await looks.ask(sought)
    return await in_thread(door_of(request).search, sought)


async def form(request: Request) -> list[tuple[str, str]]:
    """The parameters of the body."""
    media_type = headers(request).get("content-type", "").split(";")[0].strip().lower()
    raw = await bounded(request, MOST_FORM)
    if raw and media_type != FORM:
        raise UnsupportedMediaType(f"Send the parameters as {FORM}.", rule="media-type")
    try:
        return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise BadRequest("The form cannot be read as UTF-8 parameters.", rule="form-malformed") from error
