"""The CapabilityStatement, written from the definitions and the routes: what is announced is what is served.

Handlers have the names of the specification, so a name in the route table is the code of an interaction or operation.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway import __version__, patch
from gateway.definitions import CANONICAL, Definitions, Operation, SearchParameter
from gateway.rest.format import JSON, XML
from gateway.search.query import CONTROLS, served

INTERACTIONS = "http://hl7.org/fhir/ValueSet/type-restful-interaction"
SYSTEM_INTERACTIONS = "http://hl7.org/fhir/ValueSet/system-restful-interaction"
INSTANTIATED = ("http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",)
"""What others ask of a server, and this one does."""
COMPARTMENTS = "http://hl7.org/fhir/CompartmentDefinition/"


@lru_cache(maxsize=8)
def statement(
    definitions: Definitions,
    base: str,
    offered: tuple[str, ...],
    *,
    started: datetime,
    cors: bool = False,
    versioning: str = "versioned",
) -> dict[str, Any]:
    """What is offered under `base`: interactions and operations by their codes."""
    known = {code for _, code in definitions.codes(INTERACTIONS) or ()}
    interactions = [{"code": code} for code in offered if code in known]
    whole = {code for _, code in definitions.codes(SYSTEM_INTERACTIONS) or ()} - known
    operations = [one for one in definitions.operations.values() if {one.code, one.id.lower()} & {*offered}]
    whole_operations = [_operation(one) for one in operations if one.system]
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{CANONICAL}/CapabilityStatement/samverka",
        "name": "Samverka",
        "title": "Samverka: who does what, on one FHIR endpoint",
        "status": "active",
        "date": started.isoformat(timespec="seconds"),
        "kind": "instance",
        "instantiates": list(INSTANTIATED),
        "software": {"name": "Samverka", "version": __version__},
        "implementation": {"description": "Samverka", "url": base},
        "fhirVersion": "4.0.1",
        "format": [JSON, XML, "json", "xml"],
        "patchFormat": list(patch.MEDIA_TYPES),
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": cors,
                    "description": "A bearer token names the organisation; what it has no part in is not there for it.",
                },
                "resource": [
                    _resource(
                        definitions,
                        name,
                        versioning,
                        interactions,
                        [one for one in operations if _of_type(definitions, one, name)],
                    )
                    for name in sorted(definitions.resource_types)
                ],
                "interaction": [{"code": code} for code in dict.fromkeys(offered) if code in whole],
                **({"operation": whole_operations} if whole_operations else {}),
                "searchParam": [
                    *(_parameter(one) for one in common(definitions)),
                    *({"name": name, "type": kind} for name, kind in CONTROLS.items()),
                ],
                "compartment": [
                    *(f"{COMPARTMENTS}{name.lower()}" for name in sorted(definitions.compartments)),
                    *(one["url"] for one in definitions.of("CompartmentDefinition")),
                ],
            }
        ],
    }


@lru_cache(maxsize=8)
def common(definitions: Definitions) -> tuple[SearchParameter, ...]:
    """The parameters that every type has: what all of them can be searched by together."""
    first, *others = (served(definitions, name) for name in definitions.resource_types)
    shared = [one for code, one in first.items() if all(code in known for known in others)]
    return tuple(sorted(shared, key=lambda one: one.code))


@lru_cache(maxsize=8)
def _referring(definitions: Definitions) -> dict[str, list[str]]:
    """By type, the reference parameters that lead to it, as `_revinclude` names them."""
    found: dict[str, list[str]] = {}
    for name in sorted(definitions.resource_types):
        for parameter in served(definitions, name).values():
            if parameter.type == "reference":
                for target in parameter.target:
                    found.setdefault(target, []).append(f"{name}:{parameter.code}")
    return found


def _parameter(parameter: SearchParameter) -> dict[str, str]:
    return {"name": parameter.code, "definition": parameter.url, "type": parameter.type}


def _resource(
    definitions: Definitions,
    name: str,
    versioning: str,
    interactions: list[dict[str, str]],
    operations: list[Operation],
) -> dict[str, Any]:
    parameters = list(served(definitions, name).values())
    references = sorted(f"{name}:{p.code}" for p in parameters if p.type == "reference")
    entry: dict[str, Any] = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": interactions,
        "versioning": versioning,
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple",
        "searchInclude": ["*", f"{name}:*", *references] if references else ["*"],
        "searchRevInclude": ["*", *sorted(_referring(definitions).get(name, ()))],
        "searchParam": [_parameter(p) for p in sorted(parameters, key=lambda p: p.code)],
    }
    if operations:
        entry["operation"] = [_operation(one) for one in operations]
    return entry


def _operation(one: Operation) -> dict[str, str]:
    return {"name": one.code, "definition": one.url}


def _of_type(definitions: Definitions, operation: Operation, name: str) -> bool:
    """Whether an operation is offered on a type, or on one of it."""
    return (operation.type or operation.instance) and any(definitions.is_a(name, one) for one in operation.resources)
