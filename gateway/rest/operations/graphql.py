"""$graphql: a query of the whole system, or of one resource, by GET and by POST.

The query comes in the address, as JSON (`query`, `operationName`, `variables`), as it is (application/graphql), or in
Parameters. The answer is JSON of GraphQL's own form.

https://hl7.org/fhir/R4/graphql.html, https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.rest import parameters
from gateway.rest.format import JSON, PLAIN, XML, named, ranges
from gateway.rest.request import Handler, asking, bounded, door_of, in_thread
from gateway.rest.response import base_of, with_id

if TYPE_CHECKING:
    from gateway.graphql.execution import Asked

CODE: Final = "graphql"
PLAIN_JSON: Final = ("application/json", "text/json")
AS_IT_IS: Final = "application/graphql"
OWN: Final = "application/graphql-response+json"
PARAMETERS: Final = ("query", "operationName", "variables")


async def graphql(request: Request) -> Response:
    return await _answered(request, _queried(request))


async def graphql_by_post(request: Request) -> Response:
    return await _answered(request, await _posted(request))


async def graphql_instance(request: Request, resource_type: str, id: str) -> Response:
    return await _answered(request, _queried(request), (resource_type, id))


async def graphql_instance_by_post(request: Request, resource_type: str, id: str) -> Response:
    return await _answered(request, await _posted(request), (resource_type, id))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/fhir/{resource_type}/{id}/$graphql", graphql_instance),
    ("POST", "/fhir/{resource_type}/{id}/$graphql", graphql_instance_by_post),
    ("GET", "/fhir/$graphql", graphql),
    ("POST", "/fhir/$graphql", graphql_by_post),
)


async def _answered(request: Request, given: dict[str, Any], root: tuple[str, str] | None = None) -> Response:
    asked = _asked(given, root)
    body, executed = await in_thread(door_of(request).graphql, asking(request, CODE), asked, base_of(request))
    media_type = OWN if OWN in ranges(request) else PLAIN_JSON[0]
    response = Response(body, 200 if executed else 400, media_type=media_type)
    response.headers["Vary"] = "Accept"
    return with_id(request, response)


def _queried(request: Request) -> dict[str, Any]:
    _known(request)
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name not in PARAMETERS:
            text = f"There is no parameter of this name. Parameters: {', '.join(PARAMETERS)}."
            raise BadRequest(text, rule="unknown-parameter", where=name[:64])
        given[name] = _variables(value) if name == "variables" else value
    return given


async def _posted(request: Request) -> dict[str, Any]:
    _known(request)
    media_type = named(request.headers.get("content-type", ""))
    if media_type in (JSON, XML):
        op = parameters.operation(door_of(request).definitions, "Resource", CODE)
        return {"query": (await parameters.sent(request, op, door_of(request).definitions)).one("query")}
    raw = await bounded(request)
    if media_type == AS_IT_IS:
        return _queried(request) | {"query": _decoded(raw)}
    if media_type not in PLAIN_JSON:
        text = f"Send the query as {PLAIN_JSON[0]}, {AS_IT_IS} or in Parameters."
        raise UnsupportedMediaType(text, rule="media-type")
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is no JSON.", rule="json-malformed") from error
    if not isinstance(given, dict):
        raise BadRequest("Send an object with the query.", rule="json-malformed")
    return given


def _known(request: Request) -> None:
    """Who asks is told before anything of what is asked; refusals are written in JSON."""
    request.state.shown = PLAIN
    asking(request, CODE)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The query is no UTF-8.", rule="parameter-malformed", where="query") from error


def _variables(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest("variables is a JSON object.", rule="parameter-malformed", where="variables") from error


def _asked(given: dict[str, Any], root: tuple[str, str] | None) -> Asked:
    # The library is for those who ask: it would cost every start.
    from gateway.graphql.execution import Asked

    query, operation, variables = (given.get(name) for name in PARAMETERS)
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("Give the query.", rule="parameter-missing", where="query")
    if not isinstance(operation, str | None) or not isinstance(variables, dict | None):
        text = "operationName is a string, variables an object."
        raise BadRequest(text, rule="parameter-malformed", where="variables")
    return Asked(query, operation or None, variables or {}, root)
