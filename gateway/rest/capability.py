"""The CapabilityStatement, written from the definitions and the routes: what is announced is what is served.

Handlers have the names of the specification, so a name in the route table is the code of an interaction or operation.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway import __version__
from gateway.definitions import CANONICAL, Definitions
from gateway.records import Resource
from gateway.rest.format import JSON, XML
from gateway.search.query import served

INTERACTIONS = "http://hl7.org/fhir/ValueSet/type-restful-interaction"


@lru_cache(maxsize=8)
def statement(definitions: Definitions, base: str, offered: tuple[str, ...], *, started: datetime) -> dict[str, Any]:
    """What is offered under `base`: interactions and operations by their codes."""
    known = {code for _, code in definitions.codes(INTERACTIONS) or ()}
    interactions = [{"code": code} for code in offered if code in known]
    operations = [one for one in definitions.of("OperationDefinition") if one["code"] in offered]
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{CANONICAL}/CapabilityStatement/samverka",
        "name": "Samverka",
        "title": "Samverka: who does what, on one FHIR endpoint",
        "status": "active",
        "date": started.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "Samverka", "version": __version__},
        "implementation": {"description": "Samverka", "url": base},
        "fhirVersion": "4.0.1",
        "format": [JSON, XML, "json", "xml"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "description": "A bearer token names the organisation; what it has no part in is not there for it.",
                },
                "resource": [
                    _resource(definitions, name, interactions, [one for one in operations if name in one["resource"]])
                    for name in sorted(definitions.resource_types)
                ],
            }
        ],
    }


def _resource(
    definitions: Definitions, name: str, interactions: list[dict[str, str]], operations: list[Resource]
) -> dict[str, Any]:
    parameters = list(served(definitions, name).values())
    references = sorted(f"{name}:{p.code}" for p in parameters if p.type == "reference")
    entry: dict[str, Any] = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": interactions,
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": False,
        "conditionalRead": "not-supported",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchInclude": references,
        "searchParam": [
            {"name": p.code, "definition": p.url, "type": p.type} for p in sorted(parameters, key=lambda p: p.code)
        ],
    }
    if not references:
        del entry["searchInclude"]
    if operations:
        entry["operation"] = [{"name": one["code"], "definition": one["url"]} for one in operations]
    return entry
