"""StructureMap/$transform: content, mapped by a StructureMap.

R4's source and content; sourceMap, supportingMap, srcMap and model of the mapping language guide; map and resource as
FHIRPath Lab sends them; debug for a trace. Content that is no Parameters may be the body itself.

https://hl7.org/fhir/R4/structuremap-operation-transform.html; the OperationDefinition is `StructureMap-transform`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.transforming import Sent, Transform, model_of
from gateway.errors import BadRequest, Unprocessable
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import answered

FILE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-file"
"""Beside a map that was sent: what it is called where it comes from."""


async def transform(request: Request) -> Response:
    return await _transformed(request)


async def transform_instance(request: Request, id: str) -> Response:
    return await _transformed(request, id)


async def _transformed(request: Request, id: str | None = None) -> Response:
    negotiate(request)
    who = asking(request, "transform")
    door = door_of(request)
    op = parameters.operation(door.definitions, "StructureMap", "transform")
    given = await parameters.sent(request, op, door.definitions, alone="content")
    result = await in_thread(door.transform, who, _asked(given, id))
    try:
        return await answered(request, dump(result))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = "The result is no resource that can be written in this format. Ask for JSON."
        raise Unprocessable(text, rule="result-not-written") from error


def _asked(given: Given, id: str | None) -> Transform:
    contents = [*given.all("content"), *given.all("resource")]
    if len(contents) != 1:
        rule = "parameter-repeated" if contents else "parameter-missing"
        raise BadRequest("Give exactly one of content and resource.", rule=rule, where="content")
    return Transform(
        content=contents[0],
        id=id,
        source=given.one("source"),
        maps=list(_maps(given)),
        models=[one if isinstance(one, dict) else model_of(one) for one in given.all("model")],
        debug=given.flag("debug"),
    )


def _maps(given: Given) -> Iterator[Sent]:
    """Every map that was sent; the first one is run where none is named."""
    for name in ("sourceMap", "map", "srcMap", "supportingMap"):
        pairs = zip(given.all(name), given.extensions.get(name, ()), strict=True)
        for number, (one, part) in enumerate(pairs, 1):
            yield Sent(_file(part) or f"{name} {number}", one)


def _file(part: Mapping[str, Any]) -> str:
    for one in part.get("extension", ()):
        if isinstance(one, dict) and one.get("url") == FILE:
            return str(one.get("valueString", ""))[:200]
    return ""
