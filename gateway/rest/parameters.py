"""What an operation is given: by the query, or by a Parameters resource, read as its OperationDefinition says.

Unknown parameters, wrong types and too many of one are refused; strings of all kinds may stand for one another.

https://hl7.org/fhir/R4/operations.html#executing
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from gateway.access.commands import Body
from gateway.definitions import Definitions, Operation
from gateway.definitions.model import OperationParameter
from gateway.errors import BadRequest
from gateway.fhir import json, xml
from gateway.records import Resource
from gateway.rest.format import PRESENTATION, XML
from gateway.rest.request import body, in_thread

PARAMETERS = "Parameters"
_TEXTS = frozenset(
    (
        "string",
        "uri",
        "url",
        "canonical",
        "code",
        "id",
        "oid",
        "uuid",
        "markdown",
        "date",
        "dateTime",
        "instant",
        "time",
    )
)
_WHOLE = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
"""Types of whole numbers, and the least of them."""
_VALUE = re.compile(r"value[A-Z]")
_INTEGER = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Given:
    """The values by name, in the order they were given: primitives, types and resources as JSON, parts as Given."""

    values: Mapping[str, Sequence[Any]]
    extensions: Mapping[str, Sequence[Mapping[str, Any]]]
    """Beside each value, its parameter as it was sent."""

    def all(self, name: str) -> Sequence[Any]:
        return self.values.get(name, ())

    def one(self, name: str) -> Any:
        """The value of what is given once at most; None where it is not given."""
        return next(iter(self.all(name)), None)

    def flag(self, name: str) -> bool:
        return self.one(name) is True

    def __contains__(self, name: str) -> bool:
        return name in self.values


def operation(definitions: Definitions, resource_type: str, code: str) -> Operation:
    """The definition that a route serves."""
    return next(one for one in definitions.operations.values() if one.code == code and resource_type in one.resources)


def asked(request: Request, op: Operation, *, beside: Sequence[str] = ()) -> Given:
    """What the query gives; in it names `beside` are no parameters of the operation. BadRequest."""
    return _checked([(name, _of_text(op, name, text), {}) for name, text in _query(request, beside)], op.parameters)


async def sent(
    request: Request, op: Operation, definitions: Definitions, *, alone: str | None = None, came: Body | None = None
) -> Given:
    """What the body gives: Parameters, or (`alone`) the one resource that is a parameter; and the query. BadRequest.

    `came` is the body, where it was read already.
    """
    came = came or await body(request)
    is_xml = came.media_type == XML
    resource = await in_thread(lambda: xml.parse(came.raw, definitions) if is_xml else json.parse(came.raw))
    given: list[Entry] = [(name, _of_text(op, name, text), {}) for name, text in _query(request)]
    if resource.get("resourceType") == PARAMETERS:
        given += _of_parts(resource.get("parameter", ()), op.parameters, PARAMETERS + ".parameter")
    elif alone is not None:
        given.append((alone, resource, {}))
    else:
        raise BadRequest("Send a Parameters resource.", rule="not-parameters", expression="resourceType")
    return _checked(given, op.parameters)


Entry = tuple[str, Any, Mapping[str, Any]]


def _query(request: Request, beside: Sequence[str] = ()) -> Iterable[tuple[str, str]]:
    passed = (*PRESENTATION, *beside)
    return [(name, text) for name, text in request.query_params.multi_items() if name not in passed]


def _named(parameters: Sequence[OperationParameter], name: Any, where: str) -> OperationParameter:
    known = [one for one in parameters if one.use == "in"]
    for one in known:
        if one.name == name:
            return one
    text = f"There is no parameter of this name. Parameters: {', '.join(one.name for one in known)}."
    raise BadRequest(text, rule="unknown-parameter", where=str(name)[:64], expression=where or None)


def _of_text(op: Operation, name: str, text: str) -> Any:
    one = _named(op.parameters, name, "")
    if one.type == "boolean":
        if text not in ("true", "false"):
            raise BadRequest(f"{name} is true or false.", rule="parameter-malformed", where=name)
        return text == "true"
    if one.type in _WHOLE:
        if not _INTEGER.fullmatch(text) or int(text) < _WHOLE[one.type]:
            raise BadRequest(f"{name} is a {one.type}.", rule="parameter-malformed", where=name)
        return int(text)
    if one.type not in _TEXTS:
        raise BadRequest(f"{name} is given in a Parameters resource, by POST.", rule="parameter-malformed", where=name)
    return text


def _of_parts(parts: Any, parameters: Sequence[OperationParameter], where: str) -> list[Entry]:
    found: list[Entry] = []
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        here = f"{where}[{number}]"
        if not isinstance(part, dict):
            raise BadRequest("A parameter is an object.", rule="parameter-malformed", expression=here)
        one = _named(parameters, part.get("name"), here)
        found.append((one.name, _value(part, one, here), part))
    return found


def _value(part: Resource, one: OperationParameter, here: str) -> Any:
    if one.parts:
        return _checked(_of_parts(part.get("part"), one.parts, f"{here}.part"), one.parts)
    if "resource" in part:
        kind = part["resource"].get("resourceType") if isinstance(part["resource"], dict) else None
        if kind is not None and (one.type in ("Resource", "Any", kind) or one.type == "string"):
            return part["resource"]
        raise BadRequest(f"{one.name} is a {one.type}.", rule="parameter-malformed", expression=f"{here}.resource")
    for key, value in part.items():
        if _VALUE.match(key):
            kind = key[5].lower() + key[6:] if key[5:6] else ""
            same = kind == one.type or key[5:] == one.type or (kind in _TEXTS and one.type in (*_TEXTS, "Resource"))
            if same and isinstance(value, dict) is (key[5:] in ("Coding", "CodeableConcept", one.type)):
                return value
            raise BadRequest(f"{one.name} is a {one.type}.", rule="parameter-malformed", expression=f"{here}.{key}")
    raise BadRequest(f"{one.name} has no value.", rule="parameter-malformed", expression=here)


def _checked(given: Sequence[Entry], parameters: Sequence[OperationParameter]) -> Given:
    values: dict[str, list[Any]] = {}
    beside: dict[str, list[Mapping[str, Any]]] = {}
    for name, value, part in given:
        values.setdefault(name, []).append(value)
        beside.setdefault(name, []).append(part)
    for one in parameters:
        count = len(values.get(one.name, ()))
        if one.use != "in":
            continue
        if one.max is not None and count > one.max:
            text = f"{one.name} may be given {one.max} times, and was {count}."
            raise BadRequest(text, rule="parameter-repeated", where=one.name)
        if count < one.min:
            raise BadRequest(f"{one.name} must be given.", rule="parameter-missing", where=one.name)
    return Given(values, beside)
