"""$contradictions and $settle: what sources do not agree on of a resource, and what a person decides of it.

The OperationDefinitions are `Resource-contradictions` and `Resource-settle` in conformance/. docs/adr/0056
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.settling import Contradiction, Explained, Side
from gateway.definitions import Definitions
from gateway.fhir.datetime import text
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import answered

Part = dict[str, Any]


async def contradictions(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who, door = asking(request, "contradictions"), door_of(request)
    parameters.asked(request, parameters.operation(door.definitions, "Resource", "contradictions"))
    return await _told(request, await in_thread(door.contradictions, who, resource_type, id))


async def settle(request: Request, resource_type: str, id: str) -> Response:
    negotiate(request)
    who, door = asking(request, "settle"), door_of(request)
    came = await body(request)
    op = parameters.operation(door.definitions, "Resource", "settle")
    given = await parameters.sent(request, op, door.definitions, came=came)
    element, statements, verdict = given.one("element"), given.all("statement"), given.one("decision")
    more = {"chosen": given.one("chosen"), "reason": given.one("reason")}
    found = await in_thread(door.settle, who, resource_type, id, element, statements, verdict, **more)
    return await _told(request, found)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/fhir/{resource_type}/{id}/$contradictions", contradictions),
    ("POST", "/fhir/{resource_type}/{id}/$settle", settle),
)


async def _told(request: Request, found: Explained) -> Response:
    definitions = door_of(request).definitions
    told: Part = {"resourceType": "Parameters"}
    if parts := [_contradiction(one, definitions) for one in found.contradictions]:
        told["parameter"] = parts
    return await answered(request, dump(told))


def _contradiction(one: Contradiction, definitions: Definitions) -> Part:
    value = _value_name(one.element, definitions)
    parts: list[Part] = [{"name": "element", "valueString": one.element}]
    parts += _value(one.value, value)
    parts += [{"name": "rule", "valueCode": one.rule}, {"name": "open", "valueBoolean": one.open}]
    parts += [{"name": "side", "part": list(_side(side, value))} for side in one.sides]
    if (decided := one.decided) is not None:
        chosen = [{"name": "chosen", "valueString": decided.chosen}] if decided.chosen else []
        told: list[Part] = [
            {"name": "by", "valueString": decided.by},
            {"name": "reason", "valueString": decided.reason},
        ]
        parts.append({"name": "decision", "part": [*chosen, *told, {"name": "at", "valueInstant": text(decided.at)}]})
    return {"name": "contradiction", "part": parts}


def _side(side: Side, value: str | None) -> Iterator[Part]:
    yield {"name": "statement", "valueString": side.statement}
    yield {"name": "source", "valueString": side.source}
    if side.party is not None:
        yield {"name": "party", "valueReference": side.party}
    yield {"name": "effective", "valueInstant": text(side.effective)}
    yield {"name": "recorded", "valueInstant": text(side.recorded)}
    yield from _value(side.value, value)
    yield {"name": "followed", "valueBoolean": side.followed}


def _value(value: Any, name: str | None) -> Iterator[Part]:
    """The value in its own type; what Parameters have no type for, as its JSON."""
    if value is not None and name is not None:
        yield {"name": "value", name: value}
    elif value is not None:
        yield {"name": "value", "valueString": dump(value).decode()}


def _value_name(element: str, definitions: Definitions) -> str | None:
    """How Parameters name a value of the element's type; None where they have none of it."""
    kind, *names = element.split(".")
    for name in names:
        found = definitions.types[kind].elements.get(name)
        if found is None:
            return None
        kind = found.type
    return definitions.types["Parameters.parameter"].choices["value"].get(kind)
