"""Logical models: which elements a source's records have, so that a misspelt one is a mistake that compiling finds.

https://hl7.org/fhir/R4/structuredefinition.html#logical
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.mapping.problems import CompileError, Problem

JSON = dict[str, Any]
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]")
NESTED = "BackboneElement"
ELEMENT = "http://hl7.org/fhir/StructureDefinition/Element"


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A type of a source: its elements' names, each with the url of its own logical type where it has one."""

    url: str
    name: str
    elements: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """An element of a model to be written."""

    name: str
    type: str
    """A FHIR primitive, or the url of a logical type; empty where `parts` are."""
    min: int = 0
    max: str = "1"
    parts: tuple[Part, ...] = ()
    representation: str = ""
    """`xmlAttr`, `xmlText`."""


@dataclass(frozen=True, slots=True)
class ModelOf:
    """A logical model to be written."""

    url: str
    name: str
    title: str
    parts: tuple[Part, ...] = field(default=())


def structure_definition(model: ModelOf) -> JSON:
    """The model as a StructureDefinition of R4."""
    return {
        "resourceType": "StructureDefinition",
        "id": _NOT_IN_IDS.sub("-", model.url.rpartition("/")[2])[-64:].lstrip("-."),
        "url": model.url,
        "name": model.name,
        "title": model.title,
        "status": "draft",
        "fhirVersion": "4.0.1",
        "kind": "logical",
        "abstract": False,
        "type": model.url,
        "baseDefinition": ELEMENT,
        "derivation": "specialization",
        "differential": {
            "element": [
                {"id": model.name, "path": model.name, "min": 0, "max": "*"},
                *_elements(model.name, model.parts),
            ]
        },
    }


def _elements(owner: str, parts: Iterable[Part]) -> Iterator[JSON]:
    for part in parts:
        path = f"{owner}.{part.name}"
        made: JSON = {"id": path, "path": path}
        if part.representation:
            made["representation"] = [part.representation]
        yield {**made, "min": part.min, "max": part.max, "type": [{"code": part.type or NESTED}]}
        yield from _elements(path, part.parts)


def bundle(models: Iterable[ModelOf]) -> JSON:
    """Several models in one file."""
    definitions = [structure_definition(model) for model in models]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": one["url"], "resource": one} for one in definitions],
    }


def read(text: str, shown: str) -> dict[str, LogicalType]:
    """The types of a file: one StructureDefinition, or a Bundle of them. Nested ones are named by their path."""
    try:
        resource = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CompileError([Problem(shown, error.lineno, error.colno, f"not JSON: {error.msg}")]) from None
    found: dict[str, LogicalType] = {}
    try:
        entries = resource["entry"] if resource["resourceType"] == "Bundle" else [{"resource": resource}]
        for entry in entries:
            for one in _types(entry["resource"]):
                found[one.url] = one
    except (KeyError, TypeError, IndexError, AttributeError):
        text = "this is neither a StructureDefinition with elements nor a Bundle of such"
        raise CompileError([Problem(shown, 1, 1, text, "samverka models from-xsd makes one")]) from None
    return found


def _types(definition: Mapping[str, Any]) -> Iterator[LogicalType]:
    url, root = str(definition["url"]), str(definition["differential"]["element"][0]["path"])
    elements: dict[str, dict[str, str | None]] = {root: {}}
    for element in definition["differential"]["element"][1:]:
        path = str(element["path"])
        owner, _, name = path.rpartition(".")
        codes = [str(one["code"]) for one in element.get("type", ())]
        nested = NESTED in codes or "Element" in codes
        if nested:
            elements[path] = {}
        own = codes[0] if len(codes) == 1 and "/" in codes[0] else None
        elements[owner][name] = f"{url}#{path}" if nested else own
    for path, names in elements.items():
        yield LogicalType(url if path == root else f"{url}#{path}", path, names)
