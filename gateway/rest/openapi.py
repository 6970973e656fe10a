"""The OpenAPI document, written from the routes, what they offer, and the definitions.

The whole document has the generic paths; that of one type has the type's paths, search parameters and schemas.
https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway import __version__
from gateway.definitions import Definitions, Operation, SearchParameter
from gateway.errors import BadRequest, RequestTimeout, TooLarge
from gateway.fhir.binary import TYPE, UNTOLD
from gateway.patch import json_patch, xml_patch
from gateway.rest.capability import common
from gateway.rest.format import JSON, XML
from gateway.rest.offers import HEADER_NAMES, HEADERS, OFFERS, PARAMETERS, REFUSALS, Answer, Offer, Parameter
from gateway.rest.operation_offers import OPERATIONS
from gateway.rest.request import asking, door_of
from gateway.rest.response import dump_any
from gateway.rest.schemas import ANY_RESOURCE, PRIMITIVES, Schema, ref, schemas
from gateway.search.query import served

Row = tuple[str, str, str]
"""Method, path and the handler's name."""
Object = dict[str, Any]

OFFERED: Mapping[str, Offer] = {**OFFERS, **OPERATIONS}
FORM = "application/x-www-form-urlencoded"
XML_SCHEMA: Schema = {"type": "string", "contentMediaType": XML, "description": "The same, in FHIR's XML."}
CONTENT: Schema = {"description": "What a Binary holds, in its own form, under its own media type."}
JSON_PATCH: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"type": "string", "enum": sorted(json_patch.NEEDS)},
            "path": {"type": "string", "format": "json-pointer"},
            "from": {"type": "string", "format": "json-pointer"},
            "value": {},
        },
    },
}
GRAPHQL: Schema = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": {"type": "string"},
        "operationName": {"type": ["string", "null"]},
        "variables": {"type": ["object", "null"]},
    },
}
BUNDLES = {"searchset": "searchset", "history": "history", "document": "document", "answer": "batch-response"}
RESOURCES = {"capabilities": "CapabilityStatement", "outcome": "OperationOutcome", "bundle": "Bundle"}
NDJSON = "application/fhir+ndjson"
PREFIXED = "Prefixes eq, ne, gt, lt, ge, le, sa, eb, ap."
RESULT_PARAMETERS: Mapping[str, tuple[str, Schema]] = {
    "_count": ("How many are on a page; 0 only counts.", {"type": "integer", "minimum": 0}),
    "_sort": ("Search parameters between commas, `-` in front for the latest first.", {"type": "string"}),
    "_include": ("With what the matches refer to: Type:parameter.", {"type": "string"}),
    "_revinclude": ("With what refers to the matches: Type:parameter.", {"type": "string"}),
    "_filter": ("Conditions joined by and, or, not.", {"type": "string"}),
    "_list": ("What a List names, by the List's id.", {"type": "string"}),
    "_contained": (
        "Whether what others contain is looked at too.",
        {"type": "string", "enum": ["false", "true", "both"]},
    ),
    "_total": ("How exact the total is.", {"type": "string", "enum": ["none", "estimate", "accurate"]}),
    "_summary": ("How much of each.", {"type": "string", "enum": ["true", "text", "data", "count", "false"]}),
    "_elements": ("Only these elements.", {"type": "string"}),
}


async def openapi(request: Request) -> Response:
    who = asking(request, "capabilities")
    wanted = request.query_params.get("type")
    settings, definitions = request.app.state.settings, door_of(request).definitions
    base = str(settings.base_url or request.base_url).rstrip("/")
    made = document(definitions, request.app.state.described, base=base, resource_type=wanted)
    return Response(dump_any(made), headers={"X-Request-Id": who.request_id}, media_type="application/json")


@lru_cache(maxsize=32)
def document(
    definitions: Definitions, routes: tuple[Row, ...], *, base: str = "/", resource_type: str | None = None
) -> Object:
    """The document of everything, or of one resource type. BadRequest where there is no such type."""
    if resource_type is not None and resource_type not in definitions.resource_types:
        raise BadRequest("R4 has no resource type of this name.", rule="unknown-resource-type", where="type")
    writer = _Writer(definitions, resource_type)
    paths: dict[str, Object] = {}
    for method, path, handler in routes:
        if (shown := writer.path(path)) is not None:
            paths.setdefault(shown, {})[method.lower()] = writer.operation(OFFERED[handler], handler, shown, method)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": f"Samverka: {resource_type}" if resource_type else "Samverka",
            "version": __version__,
            "summary": "FHIR R4 (4.0.1): who does what, agreed from several providers' systems.",
            "description": "Written from the definitions that the server works by. `?type=Task` gives the document of "
            "one resource type, with its search parameters and schemas.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}, {}],
        "tags": [{"name": tag} for tag in ("FHIR", "Ingest", "Watching")],
        "paths": paths,
        "components": {
            "schemas": schemas(definitions, writer.named),
            "parameters": {key: _parameter(PARAMETERS[key]) for key in sorted(writer.taken)},
            "headers": {key: dict(HEADERS[key]) for key in sorted(writer.sent)},
            "responses": {_refusal(status): _refused(status) for status in sorted(writer.refused)},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Names the organisation. Without a token a request from this machine is the "
                    "operator's, where no issuer is configured.",
                }
            },
        },
    }


class _Writer:
    """Writes operations, and remembers which components they name."""

    def __init__(self, definitions: Definitions, resource_type: str | None) -> None:
        self._definitions = definitions
        self._type = resource_type
        self._resource = resource_type or ANY_RESOURCE
        self.named = {"OperationOutcome", self._resource}
        self.taken: set[str] = set()
        self.sent: set[str] = set()
        self.refused: set[int] = set()

    @property
    def _holds_content(self) -> bool:
        """Whether the document tells of Binaries."""
        return self._type in (None, TYPE)

    def path(self, path: str) -> str | None:
        """The path as this document has it; None where it is not about the type."""
        if self._type is None:
            return path
        if "{resource_type}" in path:
            held = "{compartment}" not in path or self._compartments()
            return path.replace("{resource_type}", self._type) if held else None
        return path if path.startswith(f"/fhir/{self._type}/") else None

    def operation(self, offer: Offer, handler: str, path: str, method: str) -> Object:
        code = handler.replace("_", "-") + ("-slash" if path.endswith("/") else "")
        made: Object = {
            "operationId": f"{self._type}.{code}" if self._type else code,
            "summary": offer.title,
            "description": offer.about,
            "tags": [offer.tag],
        }
        if not offer.known:
            made["security"] = []
        if parameters := [*self._parameters(offer, path, method)]:
            made["parameters"] = parameters
        if offer.body != "nothing":
            made["requestBody"] = self._body(offer)
        made["responses"] = {str(status): self._answer(answer) for status, answer in offer.answers.items()}
        slow = {RequestTimeout.status} if TooLarge.status in offer.refuses else set()  # Who has a body may be slow.
        for status in (*offer.refuses, *slow):
            self.refused.add(status)
            made["responses"][str(status)] = {"$ref": f"#/components/responses/{_refusal(status)}"}
        made["responses"] = dict(sorted(made["responses"].items()))
        return made

    def _parameters(self, offer: Offer, path: str, method: str) -> Iterable[Object]:
        for name in re.findall(r"\{(\w+)\}", path):
            if name == "resource_type":
                every = ("*",) if "{compartment}" in path else ()
                yield _among(name, (*every, *self._definitions.resource_types))
            elif name == "compartment":
                yield _among(name, self._compartments())
            else:
                yield self._take("message" if path.startswith("/ingest/") and name == "id" else name)
        for key in offer.takes:
            if key == "type":
                yield _among(key, self._definitions.resource_types)
            elif key != "x-security-context" or self._holds_content:
                yield self._take(key)
        if offer.operation is not None:
            yield from _of_operation(self._operation(offer.operation))
        if offer.searches and method == "GET":
            for name, (about, schema) in RESULT_PARAMETERS.items():
                yield {"name": name, "in": "query", "description": about, "schema": schema}
        if (offer.searches and method == "GET") or offer.criteria:
            for parameter in self._search_parameters():
                yield _of_search(parameter)

    def _compartments(self) -> list[str]:
        """The compartments there are, or those that hold the type."""
        known = self._definitions.compartments.items()
        return [name for name, held in known if self._type is None or self._type in held]

    def _take(self, key: str) -> Object:
        self.taken.add(key)
        return {"$ref": f"#/components/parameters/{key}"}

    def _operation(self, code: str) -> Operation:
        return next(one for one in self._definitions.operations.values() if code in (one.code, one.id))

    def _search_parameters(self) -> Iterable[SearchParameter]:
        """Those of the type; in the document of everything, those that every type has."""
        if self._type is not None:
            return sorted(served(self._definitions, self._type).values(), key=lambda one: one.code)
        return common(self._definitions)

    def _body(self, offer: Offer) -> Object:
        if offer.body == "bundle":
            self.named.add("Bundle")
            content: Object = {JSON: {"schema": ref("Bundle")}, XML: {"schema": XML_SCHEMA}}
        elif offer.body in ("resource", "content"):
            content = {JSON: {"schema": ref(self._resource)}, XML: {"schema": XML_SCHEMA}}
            if offer.body == "content" and self._holds_content:
                content[UNTOLD] = {"schema": CONTENT}
        elif offer.body == "patch":
            self.named.add("Parameters")
            content = {
                json_patch.MEDIA_TYPE: {"schema": JSON_PATCH},
                xml_patch.MEDIA_TYPE: {"schema": {"type": "string", "contentMediaType": xml_patch.MEDIA_TYPE}},
                JSON: {"schema": ref("Parameters")},
                XML: {"schema": XML_SCHEMA},
            }
        elif offer.body == "parameters":
            self.named.add("Parameters")
            content = {JSON: {"schema": ref("Parameters")}, XML: {"schema": XML_SCHEMA}}
        elif offer.body == "bulk":
            self.named.add("Parameters")
            manifest = {"type": "object", "properties": {"input": {"type": "array", "items": {"type": "object"}}}}
            content = {
                JSON: {"schema": ref("Parameters")},
                "application/json": {"schema": manifest},
                NDJSON: {"schema": {"type": "string"}},
            }
        elif offer.body == "graphql":
            content = {"application/json": {"schema": GRAPHQL}, "application/graphql": {"schema": {"type": "string"}}}
        elif offer.body == "form":
            fields = {name: schema for name, (_, schema) in RESULT_PARAMETERS.items()}
            fields |= {one.code: {"type": "string"} for one in self._search_parameters()}
            content = {FORM: {"schema": {"type": "object", "properties": fields, "additionalProperties": False}}}
        else:
            content = {"*/*": {"schema": {}}}
        return {"required": offer.body not in ("form", "message"), "content": content}

    def _answer(self, answer: Answer) -> Object:
        made: Object = {"description": answer.about}
        for key in answer.headers:
            self.sent.add(key)
            name = HEADER_NAMES.get(key, key)
            made.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{key}"}
        if answer.given == "text":
            made["content"] = {"text/plain": {"schema": {"type": "string"}}}
        elif answer.given == "ndjson":
            made["content"] = {NDJSON: {"schema": {"type": "string"}}}
        elif answer.given == "json":
            made["content"] = {"application/json": {"schema": {"type": "object"}}}
        elif answer.given != "nothing":
            made["content"] = _fhir(self._given(answer.given))
            if answer.given == "content" and self._holds_content:
                made["content"]["*/*"] = {"schema": CONTENT}
        return made

    def _given(self, given: str) -> Schema:
        if given in BUNDLES:
            self.named.add("Bundle")
            return {"allOf": [ref("Bundle"), {"properties": {"type": {"const": BUNDLES[given]}}}]}
        name = RESOURCES.get(given, self._resource)
        self.named.add(name)
        return ref(name)


def _fhir(schema: Schema) -> Object:
    return {JSON: {"schema": schema}, XML: {"schema": XML_SCHEMA}}


def _refusal(status: int) -> str:
    return f"Refused{status}"


def _refused(status: int) -> Object:
    made: Object = {"description": REFUSALS[status], "content": _fhir(ref("OperationOutcome"))}
    if status == 401:
        about = "How to say who you are."
        made["headers"] = {"WWW-Authenticate": {"description": about, "schema": {"type": "string"}}}
    return made


def _parameter(parameter: Parameter) -> Object:
    made: Object = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "schema": dict(parameter.schema),
    }
    if parameter.place == "path":
        made["required"] = True
    if parameter.example is not None:
        made["example"] = parameter.example
    return made


def _among(key: str, names: Iterable[str]) -> Object:
    return _parameter(PARAMETERS[key]) | {"schema": {"type": "string", "enum": sorted(names)}}


def _of_search(parameter: SearchParameter) -> Object:
    about = f"{parameter.type}, [`{parameter.expression}`]({parameter.url})."
    if parameter.comparators:
        about += f" {PREFIXED}"
    if parameter.modifiers:
        about += f" Modifiers: {', '.join(f':{name}' for name in parameter.modifiers)}."
    return {"name": parameter.code, "in": "query", "description": about, "schema": {"type": "string"}}


def _of_operation(operation: Operation) -> Iterable[Object]:
    for parameter in operation.parameters:
        if parameter.use == "in" and parameter.type[:1].islower():  # Others are given in a Parameters resource.
            about = f"{parameter.type}, as the OperationDefinition `{operation.id}` has it."
            yield {
                "name": parameter.name,
                "in": "query",
                "description": about,
                "schema": PRIMITIVES.get(parameter.type, PRIMITIVES["string"]),
                "required": parameter.min > 0,
            }
