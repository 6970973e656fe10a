"""Patches: what a change makes of a resource, in the three languages that R4 has for it. Pure.

https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.errors import Unprocessable, UnsupportedMediaType
from gateway.fhir import json, xml
from gateway.patch import fhirpath_patch, json_patch, xml_patch
from gateway.records import Resource

Patch = Callable[[Resource], Resource]
"""What it makes of a resource, which itself stays. Unprocessable where it does not fit, Conflict where a test fails."""

MEDIA_TYPES: Final = (json_patch.MEDIA_TYPE, xml_patch.MEDIA_TYPE, json.MEDIA_TYPE, xml.MEDIA_TYPE)
"""In which a patch comes: as JSON Patch, XML Patch, or a Parameters resource."""


def read(body: bytes, media_type: str, resource_type: str, d: Definitions) -> Patch:
    """The patch in a body, for a resource of that type. BadRequest, UnsupportedMediaType."""
    make: Callable[[Resource], Any]
    match media_type:
        case json_patch.MEDIA_TYPE:
            json_operations = json_patch.read(body)
            make = lambda resource: json_patch.apply(json_operations, resource)  # noqa: E731
        case xml_patch.MEDIA_TYPE:
            xml_operations = xml_patch.read(body)
            make = lambda resource: xml_patch.apply(xml_operations, resource, d)  # noqa: E731
        case json.MEDIA_TYPE:
            return of_parameters(json.parse(body), resource_type, d)
        case xml.MEDIA_TYPE:
            return of_parameters(xml.parse(body, d), resource_type, d)
        case _:
            raise UnsupportedMediaType(f"Send a patch as one of {', '.join(MEDIA_TYPES)}.", rule="media-type")
    return _keeping(make)


def of_parameters(parameters: Resource, resource_type: str, d: Definitions) -> Patch:
    """The FHIRPath Patch that a Parameters resource is, as it stands in a Bundle too. BadRequest."""
    operations = fhirpath_patch.read(parameters, resource_type, d)
    return _keeping(lambda resource: fhirpath_patch.apply(operations, resource, d))


def _keeping(make: Callable[[Resource], Any]) -> Patch:
    """The same, refusing what makes another resource of it."""

    def patch(resource: Resource) -> Resource:
        made: Resource = make(resource)
        for name in ("resourceType", "id"):
            if type(made) is not dict or made.get(name) != resource.get(name):
                raise Unprocessable(
                    "A patch changes neither the type nor the id of a resource.",
                    rule="patch-identity",
                    expression=f"{resource['resourceType']}.id",
                )
        return made

    return patch
