"""The CapabilityStatement, written from the definitions and the route table: what is announced is what is served.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway import __version__
from gateway.definitions import CANONICAL, Definitions
from gateway.search.query import served

INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")
OPERATIONS = {"Patient": {"who-does-what": f"{CANONICAL}/OperationDefinition/Patient-who-does-what"}}


@lru_cache(maxsize=8)
def statement(definitions: Definitions, base: str, *, started: datetime) -> dict[str, Any]:
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
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "description": "A bearer token names the organisation; what it has no part in is not there for it.",
                },
                "resource": [
                    _resource(definitions, name)
                    for name, kind in sorted(definitions.types.items())
                    if kind.kind == "resource" and not kind.abstract
                ],
            }
        ],
    }


def _resource(definitions: Definitions, name: str) -> dict[str, Any]:
    parameters = list(served(definitions, name).values())
    references = sorted(f"{name}:{p.code}" for p in parameters if p.type == "reference")
    entry: dict[str, Any] = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": [{"code": code} for code in INTERACTIONS],
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
    if operations := OPERATIONS.get(name):
        entry["operation"] = [{"name": code, "definition": url} for code, url in operations.items()]
    return entry
